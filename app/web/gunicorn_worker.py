"""gunicorn's gevent worker, with six habits mended.

A stop waits for every connection to end, and a kept-alive one that nobody uses ends when its keep-alive does: each
deploy would last the whole grace, and on a PaaS whose router keeps connections open, always. So on a stop the
connections that wait for a request are closed. Calls under way are not touched.

The master kills at the moment at which the worker's grace ends: a call that is cut then would be neither booked nor
told. So the worker takes less, and books in what is left.

A worker that holds as many connections as it may accepts no more, also when most of them are kept alive and unused: so
many idle connections would lock all callers out. So when it comes near, the one that has been idle longest is closed.

Ctrl-C cuts every call and ends in a traceback; here it is a stop like any other, and a second one cuts. So does a
SIGQUIT or SIGINT to the master that stops already: it tells its workers by a SIGQUIT, and kills them 2 s later.

Around each request it calls hooks, keeps times for an access log, and makes what nothing here uses: half of what its
own part of a request costs. Here a request is served and no more.

What cannot be read as a request never reaches the application, and gunicorn answers it with a page that repeats it,
and logs it: a key in a malformed line would be told to whoever reads either. Here the answer is one that SDKs can
read, and neither says more than what is wrong.
"""

import json
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import gevent
from gevent import GreenletExit, Timeout, getcurrent
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

from app.web import steady_clock
from app.web.client_connection import end_reading, is_silent, read_to_the_end
from app.web.punctual_request import HeadTooSlow, let_go
from app.web.server_environ import base_environ, environ_of
from app.web.server_request import BoundedRequest
from app.web.server_response import ServerResponse

_log = logging.getLogger(__name__)
# A request's first bytes and its last may come a moment apart: a connection that has waited less may be in between.
_IDLE_SECONDS = 0.5
_ANSWER_SECONDS = 1.0
# So many short of worker_connections idle ones are closed: as a hundred may be accepted before one of them ends.
_SPARE_CONNECTIONS = 200
_INVALID = "ValidationException"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Of the master's grace, for booking what was cut
_BOOKING_SECONDS = 4
_REFUSALS: tuple[tuple[type[Exception], str, str], ...] = (
    (HeadTooSlow, "408 Request Timeout", "The request's head did not come to its end within 20 s of its first byte."),
    (LimitRequestLine, "414 URI Too Long", "The request line is longer than 8,190 bytes."),
    (
        LimitRequestHeaders,
        "431 Request Header Fields Too Large",
        "A header passes 16,384 bytes, or all pass 100 lines.",
    ),
    (ExpectationFailed, "417 Expectation Failed", "The only expectation that is met is 100-continue."),
    (UnsupportedTransferCoding, "501 Not Implemented", "The only transfer coding that is taken is chunked."),
    (ParseException, "400 Bad Request", "The request is not HTTP/1.1 as RFC 9112 has it"),
)


steady_clock.use()
# gunicorn asks there for the class of requests
RequestParser.mesg_class = BoundedRequest


class DrainingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Knows which of its connections wait for a request, and since when."""

    alive: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sockets: dict[Any, Any] = {}
        self._waiting: dict[Any, float] = {}
        self._echo_due = False
        self._environ: dict[str, Any] = {}

    def init_process(self) -> None:
        """In the worker's own process, whose settings are a copy of the master's."""
        grace = self.cfg.graceful_timeout
        self.cfg.set("graceful_timeout", max(grace - _BOOKING_SECONDS, grace // 2))
        self._environ = base_environ(self.cfg)
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves one connection, in a greenlet of its own."""
        self._sockets[getcurrent()] = client
        self._close_longest_idle(min(self._surplus, 1))
        try:
            super().handle(listener, client, addr)
        finally:
            del self._sockets[getcurrent()]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One of a connection's. Raises StopIteration where the connection is to end, OSError where it did."""
        try:
            self._answer_request(listener_name, req, sock, addr)
        except BaseException:  # no other request follows
            let_go(req)
            raise

    def _answer_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        response = ServerResponse(req, sock, self.cfg)
        if not self.alive or not self.cfg.keepalive:
            response.force_close()
        try:
            if req._expected_100_continue:  # noqa: SLF001  # as gunicorn's own does
                sock.send(_CONTINUE)
            self._serve(environ_of(self._environ, req, sock, addr, listener_name), response)
        except (OSError, StopIteration):
            raise
        except (GreenletExit, SystemExit):
            raise StopIteration from None  # a stop cuts it
        except Exception:
            if not response.headers_sent:
                raise
            # an answer to this error would be read as more of the answer that has begun
            self.log.exception("Error handling request")
            raise StopIteration from None
        if response.should_close():
            raise StopIteration

    def _serve(self, environ: dict[str, Any], response: ServerResponse) -> None:
        pieces = self.wsgi(environ, response.start_response)
        try:
            for piece in pieces:
                response.write(piece)
            response.close()
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """What gunicorn does around its wait for the next request on a connection."""
        greenlet = getcurrent()
        self._waiting[greenlet] = monotonic()
        try:
            with Timeout(self.cfg.keepalive, False):  # noqa: FBT003  # gevent's way to say: end the block, raise nothing
                yield
        finally:
            self._waiting.pop(greenlet, None)

    def notify(self) -> None:
        """The heartbeat, once a second, also while the worker drains."""
        super().notify()
        if not self.alive:
            self._close_idle()
        self._close_longest_idle(self._surplus)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT end a worker as SIGTERM does; where it ends already they cut what is still under way."""
        if self.alive:
            self.alive = False
            # a terminal's Ctrl-C reaches the master too, which passes it on
            self._echo_due = sig == signal.SIGINT
            if sig == signal.SIGINT and self._sockets:
                _log.info("stopping: calls under way may finish; Ctrl-C once more cuts them")
        elif sig == signal.SIGQUIT and self._echo_due:
            self._echo_due = False
        else:
            gevent.spawn(gevent.killall, list(self._sockets))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers what the application could not."""
        own_fault = isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName)
        for kind, status, message in _REFUSALS:
            if isinstance(exc, kind) and not own_fault:
                self.log.warning("refused a request from %s: %s", addr[0] if addr else "", type(exc).__name__)
                detail = f"{message} ({type(exc).__name__})." if kind is ParseException else message
                _answer(client, status, "RequestTimeoutException" if kind is HeadTooSlow else _INVALID, detail)
                return
        self.log.error("error outside the application", exc_info=exc)
        _answer(client, "500 Internal Server Error", "InternalServerException", "Something unforeseen went wrong.")

    @property
    def _surplus(self) -> int:
        surplus: int = len(self._sockets) - (self.worker_connections - _SPARE_CONNECTIONS)
        return surplus

    def _close_longest_idle(self, count: int) -> None:
        if count <= 0:
            return
        for greenlet, since in list(self._waiting.items()):  # those that have waited longest come first
            if count == 0 or monotonic() - since < _IDLE_SECONDS:
                return
            if is_silent(self._sockets[greenlet]):
                del self._waiting[greenlet]  # it is closed once
                end_reading(self._sockets[greenlet])
                count -= 1

    def _close_idle(self) -> None:
        for greenlet, since in list(self._waiting.items()):
            if monotonic() - since >= _IDLE_SECONDS:
                end_reading(self._sockets[greenlet])


def _answer(client: Any, status: str, code: str, message: str) -> None:
    """Answer as AWS's services do, and give the caller time to read it."""
    body = json.dumps({"message": message, "__type": code}).encode()
    head = (
        f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"x-amzn-ErrorType: {code}\r\nx-amzn-RequestId: {uuid4()}\r\nx-should-retry: false\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        client.settimeout(_ANSWER_SECONDS)
        client.sendall(head.encode() + body)
    except OSError:
        return  # the caller did not wait for it
    read_to_the_end(client)
