"""The reply on its way to the caller: same bytes, tap first, settled once and before the end can be seen."""

import pytest

from app.core.messages import Cancellation
from app.gateway.metered_reply import WHOLE_BYTES, MeteredReply
from tests.event_frames import event_frame
from tests.fakes import Books, FakeReply, FakeTap, json_reply, stream_reply

FRAMES = [event_frame("contentBlockDelta", {"delta": {"text": text}}) for text in ("Hello", " from", " here")]


@pytest.fixture
def books() -> Books:
    """A settlement whose fakes write into one trace."""
    return Books()


def metered(books: Books, reply: FakeReply) -> MeteredReply:
    """A reply before begin(), whose reads stand in the trace too."""
    reply._trace = books.trace
    return MeteredReply(reply, books.settlement, reply.cancellation, FakeTap(reply), "modelStreamErrorException")


def begun(books: Books, reply: FakeReply) -> MeteredReply:
    """A reply after begin(), a stream's first empty piece taken."""
    made = metered(books, reply)
    made.begin()
    if made.streamed:
        assert next(made) == b""
    return made


def large(books: Books, *pieces: bytes) -> MeteredReply:
    """A reply that is too large to be read whole, framed by its Content-Length."""
    length = str(sum(map(len, pieces)))
    return begun(books, FakeReply(pieces, headers=(("Content-Type", "video/mp4"), ("Content-Length", length))))


def test_a_stream_comes_out_byte_for_byte_and_piece_by_piece(books: Books) -> None:
    """What AWS sent in one piece, the caller gets in one piece."""
    assert list(begun(books, stream_reply(FRAMES))) == FRAMES


def test_a_stream_is_handed_on_before_more_is_read(books: Books) -> None:
    """The first piece does not wait for the second."""
    reply = stream_reply(FRAMES)
    made = begun(books, reply)

    assert next(made) == FRAMES[0]
    assert reply.reads == 1


def test_a_streams_headers_leave_before_anything_is_read(books: Books) -> None:
    """The empty piece makes the server send them; a router waits 30 s and no longer."""
    reply = stream_reply(FRAMES)
    made = metered(books, reply)
    made.begin()

    assert next(made) == b""
    assert reply.reads == 0


def test_the_tap_has_seen_a_piece_when_the_caller_gets_it(books: Books) -> None:
    """A caller that leaves upon a piece was counted for it."""
    made = begun(books, stream_reply(FRAMES))
    books.clock.advance(0.25)
    next(made)

    assert isinstance(made._tap, FakeTap)
    assert made._tap.fed == [FRAMES[0]]
    assert books.record.first_byte_ms == 250.0


def test_first_byte_is_the_first_of_the_body(books: Books) -> None:
    """Neither the empty piece nor a later one moves it."""
    made = begun(books, stream_reply(FRAMES))
    books.clock.advance(0.1)
    next(made)
    books.clock.advance(5)
    next(made)

    assert books.record.first_byte_ms == 100.0


def test_a_chunked_end_is_settled_before_it_is_visible(books: Books) -> None:
    """The StopIteration waits: until it, nothing is booked; with it, everything is."""
    made = begun(books, stream_reply(FRAMES))
    for _ in FRAMES:
        next(made)
    assert books.settled == []
    with pytest.raises(StopIteration):
        next(made)

    assert books.settled == ["complete"]
    assert books.trace[-2:] == ["settle", "tell"]


def test_with_a_content_length_the_completing_piece_waits_for_the_settlement(books: Books) -> None:
    """The server ends the reply with that piece, so it is booked when the piece comes out."""
    made = large(books, b"a" * WHOLE_BYTES, b"b" * 9, b"c")
    next(made)
    next(made)
    assert books.settled == []

    assert next(made) == b"c"
    assert books.settled == ["complete"]


def test_after_the_completing_piece_comes_the_end_without_another_reading(books: Books) -> None:
    """AWS's connection went back to the pool with the last byte."""
    made = large(books, b"a" * WHOLE_BYTES, b"b")

    assert [len(piece) for piece in made] == [WHOLE_BYTES, 1]
    assert books.trace.count("read 0") == 0
    assert books.settled == ["complete"]


def test_a_small_answer_is_settled_before_begin_returns(books: Books) -> None:
    """Its headers have not left then, and can carry what it cost."""
    made = begun(books, FakeReply([b"{", b"}"], headers=(("Content-Length", "2"),)))

    assert books.settled == ["complete"]
    assert list(made) == [b"{", b"}"]


@pytest.mark.parametrize(("size", "whole"), [(WHOLE_BYTES - 1, True), (WHOLE_BYTES, True), (WHOLE_BYTES + 1, False)])
def test_an_answer_is_read_whole_up_to_256_kib(books: Books, size: int, whole: bool) -> None:
    """Below and at the bound it is; a byte above, only its first piece is."""
    half = size // 2
    reply = FakeReply([b"a" * half, b"b" * (size - half)], headers=(("Content-Length", str(size)),))
    begun(books, reply)

    assert reply.reads == (2 if whole else 1)
    assert books.settled == (["complete"] if whole else [])


def test_an_answer_without_a_length_is_not_read_whole(books: Books) -> None:
    """Nobody knows how long it is: its first piece decides whether there is an answer, no more."""
    reply = FakeReply([b"one", b"two"], headers=(("Content-Type", "application/json"),))
    made = begun(books, reply)

    assert reply.reads == 1
    assert list(made) == [b"one", b"two"]
    assert books.settled == ["complete"]


def test_a_small_stream_with_a_length_is_not_read_whole(books: Books) -> None:
    """A stream is a stream, however long it says it will be."""
    reply = stream_reply([b"data: 1\n\n"], "text/event-stream", (("Content-Length", "9"),))
    begun(books, reply)

    assert reply.reads == 0
    assert books.settled == []


@pytest.mark.parametrize("content_type", ["application/vnd.amazon.eventstream", "TEXT/Event-Stream; charset=utf-8"])
def test_a_stream_is_known_by_its_media_type(books: Books, content_type: str) -> None:
    """Its case and parameters do not matter."""
    assert metered(books, stream_reply([], content_type)).streamed


@pytest.mark.parametrize("content_type", ["application/json", "text/event-streams", ""])
def test_other_media_types_are_no_stream(books: Books, content_type: str) -> None:
    """Nor is an answer without a type."""
    assert not metered(books, stream_reply([], content_type)).streamed


def test_an_empty_body_with_length_zero_is_settled_at_once(books: Books) -> None:
    """Content-Length 0 is an end that the headers show."""
    assert list(begun(books, json_reply(b""))) == []
    assert books.settled == ["complete"]


def test_an_empty_body_without_a_length_is_settled_at_once(books: Books) -> None:
    """A 204 has neither length nor body."""
    assert list(begun(books, FakeReply(status=204))) == []
    assert books.settled == ["complete"]


def test_an_empty_chunked_stream_is_settled_before_its_end(books: Books) -> None:
    """Without one frame too."""
    assert list(begun(books, stream_reply([]))) == []
    assert books.settled == ["complete"]


def test_a_stream_of_length_zero_is_settled_before_its_headers_leave(books: Books) -> None:
    """Content-Length 0 is an end that the headers show, whatever the media type."""
    reply = stream_reply([], headers=(("Content-Length", "0"),))
    made = metered(books, reply)
    made.begin()
    next(made, None)

    assert books.settled == ["complete"]


def test_bytes_out_are_those_of_the_body(books: Books) -> None:
    """The record says how much AWS sent."""
    list(begun(books, stream_reply(FRAMES)))

    assert books.booked.settled[0].bytes_out == sum(map(len, FRAMES))


def test_the_record_knows_how_long_the_call_took_when_it_is_settled(books: Books) -> None:
    """Duration is to the end, not to the headers."""
    made = begun(books, stream_reply(FRAMES))
    books.clock.advance(2)
    list(made)

    assert books.booked.settled[0].duration_ms == 2000.0


def test_close_after_the_end_settles_no_second_time(books: Books) -> None:
    """The server closes every reply."""
    made = begun(books, stream_reply(FRAMES))
    list(made)
    made.close()
    made.close()

    assert books.settled == ["complete"]
    assert len(books.journal.told) == 1


def test_close_gives_aws_connection_back(books: Books) -> None:
    """However the reply ended."""
    reply = json_reply(b"{}")
    begun(books, reply).close()

    assert reply.closed == 1


def test_after_the_end_there_is_only_the_end(books: Books) -> None:
    """An iterator that stopped stays stopped, and reads nothing more."""
    reply = stream_reply(FRAMES)
    made = begun(books, reply)
    list(made)
    reads = reply.reads

    assert next(made, None) is None
    assert reply.reads == reads


def test_status_and_reason_are_aws_own(books: Books) -> None:
    """An error of AWS's is an answer like any other."""
    made = metered(books, json_reply(b'{"message":"no"}', status=429))

    assert (made.status, made.reason) == (429, "OK")


def test_headers_come_back_in_order_and_repeated(books: Books) -> None:
    """End-to-end headers pass as they are."""
    headers = (("X-One", "1"), ("x-two", "a"), ("X-One", "2"), ("Content-Type", "application/json"))

    assert metered(books, FakeReply(headers=headers)).headers == headers


@pytest.mark.parametrize("name", ["Connection", "Keep-Alive", "Transfer-Encoding", "Date", "Server", "Trailer"])
def test_headers_of_one_hop_do_not_come_back(books: Books, name: str) -> None:
    """They speak of AWS's connection, and the server in front writes its own."""
    assert metered(books, FakeReply(headers=((name, "x"), ("A", "b")))).headers == (("A", "b"),)


def test_a_content_length_beside_chunks_does_not_come_back(books: Books) -> None:
    """Chunks win over a length (RFC 9112, 6.3): the server would cut the body at a length that is not its own."""
    made = begun(books, FakeReply(FRAMES, headers=(*stream_reply([]).headers, ("Content-Length", "5"))))

    assert list(made) == FRAMES
    assert "content-length" not in {name.lower() for name, _ in made.headers}


def test_a_cancellation_after_the_end_changes_nothing(books: Books) -> None:
    """The caller got everything; that it left then is no news."""
    cancellation = Cancellation()
    reply = json_reply(b"{}")
    made = MeteredReply(reply, books.settlement, cancellation, FakeTap(), None)
    made.begin()
    cancellation.cancel("client_left")
    made.close()

    assert books.settled == ["complete"]
