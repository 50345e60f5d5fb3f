"""Answers leave as gunicorn frames them, their head with their first piece."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from app.web.server_response import ServerResponse

ADDRESS = ("192.0.2.7", 4711)
PLAIN = next(kind for kind in ServerResponse.__mro__ if kind.__module__ == wsgi.__name__)
DATE = b"\r\nDate: "


class Wire:
    """A socket that takes `room` bytes at a time."""

    def __init__(self, room: int = 1 << 20) -> None:
        self.sent: list[bytes] = []
        self._room = room

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data[: self._room]))
        return len(self.sent[-1])

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))


def answered(kind: Any, wire: Wire, headers: list[tuple[str, str]], pieces: list[bytes], request: str = "GET") -> None:
    config = Config()
    made = Request(config, IterUnreader([f"{request} / HTTP/1.1\r\nHost: a\r\n\r\n".encode()]), ADDRESS)
    response = kind(made, wire, config)
    response.start_response("200 OK", headers)
    for piece in pieces:
        response.write(piece)
    response.close()


CASES = {
    "with a length": ([("Content-Length", "6")], [b"abc", b"def"]),
    "with a length and more than that": ([("Content-Length", "2")], [b"abc", b"def"]),
    "in chunks": ([("Content-Type", "text/plain")], [b"abc", b"", b"d" * 300]),
    "nothing in chunks": ([], []),
    "an empty piece first": ([], [b"", b"abc"]),
    "nothing with a length": ([("Content-Length", "0")], [b""]),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_those_that_gunicorn_would_send(name: str, method: str) -> None:
    headers, pieces = CASES[name]
    ours, theirs = Wire(), Wire()

    answered(ServerResponse, ours, headers, pieces, method)
    answered(PLAIN, theirs, headers, pieces, method)

    assert undated(b"".join(ours.sent)) == undated(b"".join(theirs.sent))


def test_the_head_and_the_first_piece_leave_together() -> None:
    wire = Wire()

    answered(ServerResponse, wire, *CASES["with a length"])

    assert [piece[-3:] for piece in wire.sent] == [b"abc", b"def"]


def test_an_empty_piece_sends_the_head_at_once() -> None:
    wire = Wire()

    answered(ServerResponse, wire, *CASES["an empty piece first"])

    assert [piece[-5:] for piece in wire.sent] == [b"d\r\n\r\n", b"abc\r\n", b"0\r\n\r\n"]


def test_what_the_kernel_does_not_take_at_once_is_sent_all_the_same() -> None:
    wire = Wire(room=10)

    answered(ServerResponse, wire, [("Content-Length", "300")], [b"x" * 300])

    assert b"".join(wire.sent).endswith(b"\r\n\r\n" + b"x" * 300)


def undated(answer: bytes) -> bytes:
    head, _, rest = answer.partition(DATE)
    return head + rest[rest.index(b"\r\n") :]
