"""Answers as bytes, a wire that hands them out in any pieces, and http.client to say what they mean."""

import http.client
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.core.header_rules import Headers
from app.upstream.answer import Answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Sample:
    """One answer. `reused`: its connection may carry another; `open_ended`: it ends where its connection does."""

    raw: bytes
    body: bytes = b"{}"
    reused: bool = True
    method: str = "POST"
    open_ended: bool = False


SAMPLES = {
    "a length": Sample(HEAD + b"Content-Length: 2\r\n\r\n{}"),
    "a long length": Sample(HEAD + b"content-length:40\r\n\r\n" + b"x" * 40, b"x" * 40),
    "nothing": Sample(HEAD + b"Content-Length: 0\r\n\r\n", b""),
    "one chunk": Sample(CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"),
    "chunks": Sample(CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    "chunks like lines": Sample(CHUNKED + b"4\r\n\r\n\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n", b"\r\n\r\n0\r\n"),
    "large and small sizes": Sample(
        CHUNKED + b"0A\r\n0123456789\r\n00b\r\nabcdefghijk\r\n0\r\n\r\n", b"0123456789abcdefghijk"
    ),
    "extensions": Sample(CHUNKED + b'1;a=b\r\n{\r\n1 ; c="d;e"\r\n}\r\n0;f\r\n\r\n'),
    "trailers": Sample(CHUNKED + b"2\r\n{}\r\n0\r\nX-Sum: abc\r\nX-More:\r\n\r\n"),
    "no chunks": Sample(CHUNKED + b"0\r\n\r\n", b""),
    "no content": Sample(b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", b""),
    "not modified": Sample(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
    "to a HEAD": Sample(HEAD + b"Content-Length: 9\r\n\r\n", b"", method="HEAD"),
    "no reason": Sample(b"HTTP/1.1 400\r\nContent-Length: 2\r\n\r\n{}"),
    "odd reason and headers": Sample(
        b"HTTP/1.1 299 Very \xe9 odd\r\nX-B: 1\r\nx-a:\t2 \r\nX-b: a:b\r\nX-E:\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a continue before": Sample(b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}"),
    "the end said": Sample(HEAD + b"Connection: x, Close\r\nContent-Length: 2\r\n\r\n{}", reused=False),
    "chunks and a length": Sample(
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", reused=False
    ),
    "an older version": Sample(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", reused=False),
    "an older version kept": Sample(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"),
    "no framing": Sample(HEAD + b"\r\n{}", reused=False, open_ended=True),
}


@dataclass
class FakeWire:
    """A connection on which these pieces come, and then its end, or a reset."""

    pieces: Iterable[bytes]
    reset: bool = False
    ended: str = ""
    _left: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._left = iter(self.pieces)

    def receive(self) -> bytes:
        assert not self.ended, "read after it was let go of"
        piece = next(self._left, b"")
        if not piece and self.reset:
            raise ConnectionResetError
        return piece

    def give_back(self) -> None:
        self.ended += "given back"

    def close(self) -> None:
        self.ended += "closed"


@dataclass(frozen=True)
class Read:
    """What was read of an answer."""

    status: int
    reason: str
    headers: Headers
    body: bytes


def read(wire: FakeWire, method: str = "POST") -> Read:
    """All of one answer. Raises what Answer does."""
    answer = Answer(wire, method)
    body = b"".join(iter(answer.read, b""))
    return Read(answer.status, answer.reason, answer.headers, body)


class _Socket:
    """As much of one as http.client reads from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def read_by_http_client(raw: bytes, method: str = "POST") -> Read:
    """The same by http.client. Raises HTTPException, and ValueError for a few sizes.

    White space at the end of its head's lines is taken out first: it takes "chunked " for another coding.
    """
    head, end, body = raw.partition(b"\r\n\r\n")
    raw = re.sub(rb"[\t ]+(?=\r\n)", b"", head + end) + body
    response = http.client.HTTPResponse(_Socket(raw), method=method)  # type: ignore[arg-type]  # all it needs
    response.begin()
    headers = tuple((name, value.strip(" \t")) for name, value in response.headers.items())
    return Read(response.status, response.reason, headers, response.read())
