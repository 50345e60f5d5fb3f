"""Heads that come too slowly and chunks with long lines are refused; every other request is read as gunicorn does."""

import weakref
from collections.abc import Iterator

import pytest
from gevent.event import Event
from gunicorn.config import Config
from gunicorn.http.errors import InvalidChunkSize, ParseException
from gunicorn.http.unreader import IterUnreader

from app.web.punctual_request import HeadTooSlow, PunctualRequest, let_go

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ADDRESS = ("127.0.0.1", 1)
LONGEST_LINE = 254  # and its end, in 256 bytes


class _Impatient(PunctualRequest):
    head_seconds = 0.01


def _pieces(*pieces: bytes, waits: bool = False) -> Iterator[bytes]:
    """What a socket reads; with `waits` its other end stays and says no more."""
    yield from pieces
    if waits:
        Event().wait()


def _request(*pieces: bytes, waits: bool = False, kind: type[PunctualRequest] = PunctualRequest) -> PunctualRequest:
    return kind(Config(), IterUnreader(_pieces(*pieces, waits=waits)), ADDRESS)


@pytest.mark.parametrize("begun", [b"P", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\n", HEAD[:-1]])
def test_a_head_that_does_not_come_to_its_end_is_refused(begun: bytes) -> None:
    with pytest.raises(HeadTooSlow):
        _request(begun, waits=True, kind=_Impatient)


def test_that_is_a_request_which_cannot_be_read() -> None:
    assert issubclass(HeadTooSlow, ParseException)


@pytest.mark.parametrize("size", [1, 2, 7, len(HEAD)])
def test_a_head_may_come_in_pieces(size: int) -> None:
    pieces = [HEAD[start : start + size] for start in range(0, len(HEAD), size)]
    request = _request(*pieces, b"2\r\n{}\r\n0\r\n\r\n", kind=_Impatient)

    assert (request.method, request.uri, request.headers[0]) == ("POST", "/x", ("HOST", "a"))
    assert request.body.read() == b"{}"


def test_a_head_with_its_body_behind_it_is_not_timed_and_loses_nothing() -> None:
    assert _request(HEAD + b"2\r\n{}\r\n0\r\n\r\n", waits=True, kind=_Impatient).body.read() == b"{}"


@pytest.mark.usefixtures("no_garbage_collection")
def test_what_was_read_is_gone_with_its_request() -> None:
    request = _request(HEAD + b"2\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n")
    assert request.body.read() == b"{}"
    assert request.trailers == [("X-TRAILER", "a")]
    gone = weakref.ref(request)

    del request

    assert gone() is None


@pytest.mark.usefixtures("no_garbage_collection")
def test_so_is_what_was_not_read_on_once_it_is_let_go() -> None:
    request = _request(HEAD + b"9\r\n{}", b"{}", waits=True)
    assert request.body.reader.read(1) == b"{"
    gone = weakref.ref(request.body.reader)

    let_go(request)

    assert gone() is None
    let_go(request)


def test_a_caller_who_leaves_instead_of_asking_is_no_request() -> None:
    with pytest.raises(StopIteration):
        _request()


def test_there_is_no_body_without_a_length_and_without_chunks() -> None:
    assert _request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore").body.read() == b""


def _line(length: int) -> bytes:
    """A chunk's line so long without its end, by an extension."""
    return b"2;" + b"a" * (length - 2)


@pytest.mark.parametrize("length", [3, LONGEST_LINE - 1, LONGEST_LINE])
@pytest.mark.parametrize("size", [1, 100, 8192])
def test_a_chunks_line_may_be_so_long(length: int, size: int) -> None:
    body = b"%b\r\n{}\r\n%b\r\n{}\r\n0\r\n\r\n" % (_line(length), _line(length))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    assert _request(HEAD, *pieces).body.read() == b"{}{}"


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 1000, 8000])
@pytest.mark.parametrize("size", [1, 100, 8192])
@pytest.mark.parametrize("before", [b"", b"2\r\n{}\r\n"], ids=["first", "second"])
def test_and_no_longer(length: int, size: int, before: bytes) -> None:
    body = b"%b%b\r\n{}\r\n0\r\n\r\n" % (before, _line(length))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    with pytest.raises(InvalidChunkSize):
        _request(HEAD, *pieces).body.read()
