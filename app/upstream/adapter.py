"""requests' way to AWS, straight onto urllib3's connections: what else lies between costs more than the rest of a call.

A request's head is one string, and an answer is read as it comes (app/upstream/answer.py). Nor is there what a Session
adds: no cookies, redirects, proxies, netrc or path rewriting.
"""

import ssl
from time import monotonic
from typing import Any, cast

import certifi
from gevent import get_hub
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import InvalidHeader, ReadTimeout, RequestException
from urllib3.exceptions import HTTPError

from app.upstream.answer import Answer
from app.upstream.answer_head import MalformedAnswer
from app.upstream.connections import Line, Pool, Timeouts, TlsPool

# Every service in every region that this gateway may call has a pool of its own.
_HOSTS = 1024
# AWS closes what lay idle for about a minute, and a connection that is not taken again would stay half closed for good.
_IDLE_SECONDS = 60.0


class StaleConnection(RequestsConnectionError):
    """AWS had closed this kept-alive connection: the request was not read and may be sent again."""


class Adapter(HTTPAdapter):
    """Remembers one pool a host, as finding it anew costs more than signing does."""

    def __init__(
        self, timeouts: Timeouts, connections: int, ca_bundle: str | None, idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        """`connections`: how many a host may have open and idle; more are opened when needed, and closed after.

        `idle_seconds`: one that lay idle for longer is closed, at the latest when it did for twice as long.
        """
        self._timeouts = timeouts
        self._idle_seconds = idle_seconds
        self._pools: dict[str, Pool] = {}
        self._sweeper: Any = None
        super().__init__(max_retries=0)
        # one context for all: left to itself urllib3 reads the bundle of authorities anew for every connection
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
        self.init_poolmanager(_HOSTS, connections, block=False, ssl_context=context)
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}

    def send_on(self, line: Line, request: PreparedRequest) -> Answer:
        """Send and wait for headers. The body is left to be read from the answer. Raises requests' exceptions."""
        base, target = _parts(request)
        head = _head(request, target)
        connection = line.take(self._pool_of(base))
        answer = None
        try:
            if connection.sock is None:
                connection.open(self._timeouts)
            line.send(head, cast(bytes, request.body or b""))
            answer = Answer(line, str(request.method))
        except (HTTPError, OSError, MalformedAnswer) as error:
            raise _failure(error, line, request) from error
        finally:
            if answer is None:
                line.close()
        return answer

    def close_idle(self, request: PreparedRequest) -> None:
        """Close the idle connections to the host of `request`."""
        self._pool_of(_parts(request)[0]).close_idle(monotonic())

    def _pool_of(self, base: str) -> Pool:
        pool = self._pools.get(base)
        if pool is None:
            found = self.poolmanager.connection_from_url(base)
            assert isinstance(found, Pool)  # noqa: S101  # pool_classes_by_scheme says so; this tells mypy
            pool = self._pools[base] = found
            self._keep_swept()
        return pool

    def _keep_swept(self) -> None:
        if self._sweeper is None:
            self._sweeper = get_hub().loop.timer(self._idle_seconds, self._idle_seconds, ref=False)
            self._sweeper.start(self._sweep)

    def _sweep(self) -> None:
        for pool in self._pools.values():
            pool.close_idle(monotonic() - self._idle_seconds)


def _parts(request: PreparedRequest) -> tuple[str, str]:
    """Scheme and host, and the target, which is sent as it is."""
    url = request.url or ""
    end = url.index("/", 8)
    return url[:end], url[end:]


def _head(request: PreparedRequest, target: str) -> bytes:
    """In the order of the headers, the names in their case. Raises InvalidHeader where it would not be read as such."""
    first = f"{request.method} {target} HTTP/1.1"
    lines = [first, *(f"{name}: {value}" for name, value in request.headers.items()), "", ""]
    head = "\r\n".join(lines)
    if first.count(" ") != 2 or {head.count("\r\n"), head.count("\r"), head.count("\n")} != {len(lines) - 1}:
        raise InvalidHeader("a line of the head is not one line", request=request)
    return head.encode("latin-1")


def _failure(error: Exception, line: Line, request: PreparedRequest) -> RequestException:
    """What requests calls it."""
    if isinstance(error, TimeoutError) and line.sent:
        return ReadTimeout(error, request=request)
    ended = isinstance(error, MalformedAnswer | ConnectionResetError | BrokenPipeError | ssl.SSLEOFError)
    kind = StaleConnection if ended and line.is_stale() else RequestsConnectionError
    return kind(error, request=request)
