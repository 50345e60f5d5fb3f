"""Connections to AWS: kept alive, timed in each phase, and able to be hung up on from another greenlet.

requests and urllib3 leave four things to whoever needs them, and this file has all four:

- urllib3 sends the body under the connect timeout, and python's sendall counts it over the whole body: 5 s would cut
  every large upload on a slow line. Here sending has until the headers are due.
- A connection that AWS closed while it lay idle fails on its next use, before AWS has read anything. Only the
  connection knows that it is such a case, so it says so: StaleConnection.
- An answer that breaks off within its headers looks whole to http.client: HeadersCutOff.
- Whoever waits on a socket can be woken by shutting it down, also under TLS, where only the raw descriptor will do.
"""

import http.client
import io
import os
import socket
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, RemoteDisconnected
from time import monotonic
from typing import Any

import certifi
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# A request that breaks later than this after it was sent may have been read: it is not sent again.
_STALE_SECONDS = 1.0
# Every service in every region that this gateway may call has a pool of its own.
_HOSTS = 1024


class StaleConnection(ConnectionResetError):
    """AWS had closed this kept-alive connection: the request was not read and may be sent again."""


class HeadersCutOff(HTTPException):
    """AWS's answer ended within its headers, which http.client takes for their end."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to send the request and get headers, and of silence after them."""

    connect: float
    first_byte: float
    silence: float


class Line:
    """One call's hold on its connection, by which it can be hung up on. `sent`: some of the request may have left."""

    def __init__(self) -> None:
        self.sent = False
        self._connection: _Timed | None = None
        self._hung_up = False

    def take(self, connection: "_Timed") -> None:
        """From now on the connection is this call's."""
        self._connection = connection
        connection.line = self

    def begin_sending(self) -> None:
        """The connection stands and the request is about to leave."""
        if self._hung_up:
            self.hang_up()  # now that there is what to hang up on: nothing leaves
        else:
            self.sent = True

    def hang_up(self) -> None:
        """Wake whoever waits on the connection: it reads the end. Safe at any time, from any greenlet."""
        self._hung_up = True
        connection = self._connection
        # a connection that was given back may be the next call's by now
        if connection is not None and connection.line is self:
            _shut_down(connection.wire)


_line: ContextVar[Line] = ContextVar("line")


class _Counted(io.RawIOBase):
    """A socket's bytes, and whether any came, and whether they ended."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.received = 0
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self.received += size or 0
        self.ended = size == 0
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer that knows whether its headers came whole."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.wire = _Counted(self.fp.detach())
        self.fp = io.BufferedReader(self.wire)

    def begin(self) -> None:
        """Read the headers."""
        super().begin()
        if self.wire.ended:
            raise HeadersCutOff("the connection ended within the headers")
        if self.status < 200:
            # http.client passes over 100 alone, and would take any other for the answer
            raise HeadersCutOff(f"an interim answer, {self.status}, that nobody asked for")


class _Timed(HTTPConnection):
    """An HTTP connection that keeps Timeouts, knows when it is stale, and is held by a Line."""

    timeouts: Timeouts
    line: Line
    wire: socket.socket | None = None  # outlives `sock`, which http.client lets go of when AWS will close
    _answer: _Answer | None = None
    _answers = 0
    _sent_at = 0.0

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        if self.wire is not self.sock:
            self.wire, self._answers = self.sock, 0
        self.timeout = self.timeouts.first_byte
        self._answer = None
        self.line.begin_sending()
        try:
            # urllib3 goes on to read after a broken pipe: AWS may have answered before it had all of the body
            super().request(*args, **kwargs)
        finally:
            self._sent_at = monotonic()

    def response_class(  # type: ignore[override]  # http.client calls it, and asks no more of it
        self, sock: socket.socket, *args: Any, **kwargs: Any
    ) -> _Answer:
        """Called by http.client, once a request, as if it were the class."""
        self._answer = _Answer(sock, *args, **kwargs)
        return self._answer

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 overrides http.client's so too
        try:
            response = super().getresponse()
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            if self._is_stale():
                raise StaleConnection(*error.args) from error
            raise
        self._answers += 1
        if self.wire is not None:
            self.wire.settimeout(self.timeouts.silence)
        return response

    def _is_stale(self) -> bool:
        """It has served before, not a byte of an answer came, and that became known at once."""
        nothing_came = self._answer is None or self._answer.wire.received == 0
        return self._answers > 0 and nothing_came and monotonic() - self._sent_at < _STALE_SECONDS


class _TimedTls(_Timed, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    """Hands each connection to the Line of the call that takes it."""

    timeouts: Timeouts
    ConnectionCls = _Timed

    def _get_conn(self, timeout: float | None = None) -> HTTPConnection:
        connection = super()._get_conn(timeout)
        assert isinstance(connection, _Timed)  # noqa: S101  # ConnectionCls says so; this tells mypy
        connection.timeouts = self.timeouts
        _line.get().take(connection)
        return connection

    def close_idle(self) -> None:
        """Close the connections that wait for use; they open again when they are taken."""
        for connection in list(self.pool.queue if self.pool else ()):
            if connection is not None:
                connection.close()


class _TlsPool(_Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TimedTls


class Adapter(HTTPAdapter):
    """requests' adapter without what a Session would add: no cookies, redirects, proxies, netrc or path rewriting.

    It remembers one pool a host, as finding it anew costs more than signing does.
    """

    def __init__(self, timeouts: Timeouts, connections: int, ca_bundle: str | None) -> None:
        """`connections`: how many a host may have open and idle; more are opened when needed, and closed after."""
        self._timeouts = timeouts
        self._pools: dict[str, _Pool] = {}
        super().__init__(max_retries=0)
        # one context for all: left to itself urllib3 reads the bundle of authorities anew for every connection
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
        self.init_poolmanager(_HOSTS, connections, block=False, ssl_context=context)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send_on(self, line: Line, request: PreparedRequest) -> HTTPResponse:
        """Send and wait for headers. The body is left to be read from the answer. Raises requests' exceptions."""
        _line.set(line)
        timeouts = (self._timeouts.connect, self._timeouts.first_byte)
        raw: HTTPResponse = self.send(request, stream=True, timeout=timeouts).raw
        return raw

    def close_idle(self, request: PreparedRequest) -> None:
        """Close the idle connections to the host of `request`."""
        self._pool_of(request).close_idle()

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        return self._pool_of(request)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: the pools' context verifies."""

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def _pool_of(self, request: PreparedRequest) -> _Pool:
        url = request.url or ""
        host = url[: url.index("/", 8)]
        pool = self._pools.get(host)
        if pool is None:
            found = self.poolmanager.connection_from_url(host)
            assert isinstance(found, _Pool)  # noqa: S101  # pool_classes_by_scheme says so; this tells mypy
            found.timeouts = self._timeouts
            pool = self._pools[host] = found
        return pool


def _shut_down(wire: socket.socket | None) -> None:
    """Shut a socket down below TLS and below gevent: their own shutdown changes state under whoever reads."""
    descriptor = wire.fileno() if wire is not None else -1
    if descriptor < 0:
        return
    with socket.socket(fileno=os.dup(descriptor)) as same:
        try:
            same.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already
