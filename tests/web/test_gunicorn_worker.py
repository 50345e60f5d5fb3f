"""One request of a connection, as the worker serves it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from gevent import GreenletExit
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.unreader import IterUnreader

from app.gateway.metered_reply import ReplyCut
from app.web.gunicorn_worker import DrainingWorker
from app.web.server_environ import base_environ
from app.web.server_request import BoundedRequest

PEER, LISTENER = ("192.0.2.7", 4711), ("127.0.0.1", 4000)
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Wire:
    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)


def a_request() -> BoundedRequest:
    """Of whose body a part was read."""
    request = BoundedRequest(Config(), IterUnreader([HEAD + b"9\r\n{}", b"{}"]), PEER)
    assert request.body.reader.read(1) == b"{"
    return request


def serve(application: Application, request: BoundedRequest) -> bytes:
    """What was sent. Raises what ends the connection."""
    worker = DrainingWorker.__new__(DrainingWorker)  # without a master
    worker.cfg, worker.alive, worker.wsgi = Config(), True, application
    worker.log = Logger(worker.cfg)
    worker._environ = base_environ(worker.cfg)
    wire = Wire()
    worker.handle_request(LISTENER, request, wire, PEER)
    return wire.sent


def begun_then(error: BaseException) -> Application:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise error

    return application


def whole(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"{}"]


def test_an_answer_is_sent_and_the_connection_kept() -> None:
    assert serve(whole, a_request()).endswith(b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("error", "ends_by"),
    [
        (ReplyCut("cut"), ReplyCut),
        (ValueError(), StopIteration),
        (GreenletExit(), StopIteration),
        (SystemExit(), StopIteration),
    ],
)
def test_what_ends_an_answer_that_has_begun_ends_the_connection_and_leaves_no_body(
    error: BaseException, ends_by: type[BaseException]
) -> None:
    request = a_request()
    reader = request.body.reader

    with pytest.raises(ends_by):
        serve(begun_then(error), request)

    assert (request.body, vars(reader)) == (None, {})


def test_an_error_before_an_answer_has_begun_is_left_to_the_worker_to_answer() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # that one
        serve(application, a_request())
