"""Replies that do not get to their end: the caller sees a break or a modelled exception, never a clean end."""

from contextlib import suppress

import pytest

from app.core.errors import ClientLeft, GatewayError, UpstreamBroke, UpstreamSilent
from app.core.messages import Cancellation, Ending
from app.gateway.metered_reply import WHOLE_BYTES, MeteredReply, ReplyCut
from tests.event_frames import decode_frames, event_frame
from tests.fakes import Books, Cancel, FakeReply, FakeTap, Step, json_reply, stream_reply

FRAMES = [event_frame("contentBlockDelta", {"delta": {"text": text}}) for text in ("Hello", " from", " here")]
BROKE = UpstreamBroke("The connection to AWS broke before the end of its answer.")
SILENT = UpstreamSilent("AWS sent nothing more.")
EXCEPTION = "modelStreamErrorException"


@pytest.fixture
def books() -> Books:
    """A settlement whose fakes write into one trace."""
    return Books()


def begun(books: Books, reply: FakeReply, exception: str | None = EXCEPTION) -> MeteredReply:
    """A reply after begin()."""
    made = MeteredReply(reply, books.settlement, reply.cancellation, FakeTap(reply), exception)
    made.begin()
    return made


def ended(made: MeteredReply) -> str:
    """What the caller's side sees: everything up to a clean end, or up to a cut."""
    try:
        for _ in made:
            pass
    except ReplyCut:
        return "cut"
    return "clean"


@pytest.mark.parametrize("whole_frames", range(len(FRAMES) + 1))
def test_a_break_between_frames_ends_with_the_modelled_exception(books: Books, whole_frames: int) -> None:
    """At every boundary, before the first frame too: SDKs raise it, and the end behind it is clean."""
    given = list(begun(books, stream_reply([*FRAMES[:whole_frames], BROKE])))
    last = decode_frames(given[-1])

    assert given[1:-1] == FRAMES[:whole_frames]
    assert [frame.event_type for frame in last] == [EXCEPTION]
    assert BROKE.message.encode() in last[0].payload
    assert books.settled == ["upstream_broke"]


@pytest.mark.parametrize("cut", range(1, len(FRAMES[0])))
def test_a_break_inside_a_frame_cuts_the_reply(books: Books, cut: int) -> None:
    """At every byte of a frame: nothing can be said there, so the connection must break."""
    assert ended(begun(books, stream_reply([FRAMES[0], FRAMES[1][:cut], BROKE]))) == "cut"
    assert books.settled == ["upstream_broke"]


@pytest.mark.parametrize("index", range(len(b"".join(FRAMES)) // 16 + 1))
def test_the_boundary_is_found_however_the_frames_are_cut_into_pieces(books: Books, index: int) -> None:
    """Pieces of 16 bytes, broken at every piece: an exception exactly at a frame's end, else a cut."""
    body = b"".join(FRAMES)
    pieces: list[Step] = [body[at : at + 16] for at in range(0, index * 16, 16)]
    given = min(index * 16, len(body))
    at_boundary = given in {len(b"".join(FRAMES[:count])) for count in range(len(FRAMES) + 1)}

    assert ended(begun(books, stream_reply([*pieces, BROKE]))) == ("clean" if at_boundary else "cut")


def test_a_stream_that_ends_inside_a_frame_is_cut(books: Books) -> None:
    """However clean the end of its connection was."""
    assert ended(begun(books, stream_reply([FRAMES[0], FRAMES[1][:5]]))) == "cut"
    assert books.settled == ["upstream_broke"]


def test_a_stream_that_is_no_event_stream_is_cut(books: Books) -> None:
    """Bytes that break the format have no boundaries."""
    assert ended(begun(books, stream_reply([b"\0" * 64, BROKE]))) == "cut"


def test_the_exception_is_settled_before_it_is_visible(books: Books) -> None:
    """A caller that reads the exception finds its call in the books."""
    made = begun(books, stream_reply([FRAMES[0], BROKE]))
    next(made)
    next(made)
    assert books.settled == []
    next(made)

    assert books.settled == ["upstream_broke"]


def test_the_exceptions_frame_is_not_counted_as_aws_bytes(books: Books) -> None:
    """bytes_out are those of AWS's answer."""
    list(begun(books, stream_reply([FRAMES[0], BROKE])))

    assert books.booked.settled[0].bytes_out == len(FRAMES[0])


def test_the_record_names_the_error(books: Books) -> None:
    """The log can tell a broken stream from one that AWS ended."""
    list(begun(books, stream_reply([BROKE])))

    assert books.booked.settled[0].error == "ModelErrorException"


def test_an_operation_without_a_modelled_exception_is_cut(books: Books) -> None:
    """An exception that the operation does not model would be unknown to the SDK."""
    assert ended(begun(books, stream_reply([FRAMES[0], BROKE]), exception=None)) == "cut"


def test_an_event_stream_with_a_length_is_cut(books: Books) -> None:
    """The server would cut off what is appended, and the caller would miss bytes without knowing."""
    headers = (("Content-Length", "9999"),)

    assert ended(begun(books, stream_reply([FRAMES[0], BROKE], headers=headers))) == "cut"


def test_a_body_with_a_length_is_cut(books: Books) -> None:
    """Nothing is appended to what is no stream."""
    reply = FakeReply([b"a" * WHOLE_BYTES, BROKE], headers=(("Content-Length", str(WHOLE_BYTES + 1)),))

    assert ended(begun(books, reply)) == "cut"
    assert books.settled == ["upstream_broke"]


@pytest.mark.parametrize("steps", [[BROKE], [b"data: 1\n\n", BROKE], [b"data: 1", BROKE]])
def test_server_sent_events_are_cut(books: Books, steps: list[Step]) -> None:
    """They have no exception frame: an appended text would be read as the model's."""
    assert ended(begun(books, stream_reply(steps, "text/event-stream"))) == "cut"


def test_a_cut_is_a_connection_reset_to_the_server(books: Books) -> None:
    """gunicorn closes on it without the last chunk and without a traceback."""
    made = begun(books, stream_reply([b"x", BROKE], "text/event-stream"))
    with pytest.raises(ConnectionResetError) as raised:
        list(made)

    assert raised.value.errno is not None
    assert raised.value.__cause__ is BROKE


def test_aws_connection_is_closed_before_a_broken_reply_is_settled(books: Books) -> None:
    """What is broken costs as long as it is open."""
    reply = stream_reply([BROKE])
    list(begun(books, reply))

    assert reply.closed >= 1


def test_close_after_a_break_settles_no_second_time(books: Books) -> None:
    """The server closes after a cut too."""
    made = begun(books, stream_reply([b"x", BROKE], "text/event-stream"))
    assert ended(made) == "cut"
    made.close()

    assert books.settled == ["upstream_broke"]


def test_after_a_cut_there_is_only_the_end(books: Books) -> None:
    """Whoever goes on reading all the same gets nothing, and AWS is not read again."""
    reply = stream_reply([b"x", BROKE, b"more"], "text/event-stream")
    made = begun(books, reply)
    assert ended(made) == "cut"

    assert next(made, None) is None
    assert reply.reads == 2


@pytest.mark.parametrize(
    ("reason", "steps", "seen"),
    [
        ("client_left", [FRAMES[0]], "cut"),
        ("client_left", [], "cut"),
        ("deadline", [FRAMES[0]], "clean"),
        ("deadline", [FRAMES[0][:5]], "cut"),
    ],
)
def test_a_cancelled_stream_ends_for_that_reason(books: Books, reason: Ending, steps: list[Step], seen: str) -> None:
    """Nobody reads an exception that is sent to a caller who left; a deadline is told at a boundary."""
    assert ended(begun(books, stream_reply([*steps, Cancel(reason)]))) == seen
    assert books.settled == [reason]


def test_silence_is_a_break(books: Books) -> None:
    """AWS that sends nothing more broke off, and its exception says after how long."""
    given = list(begun(books, stream_reply([FRAMES[0], SILENT])))

    assert SILENT.message.encode() in given[-1]
    assert books.settled == ["upstream_broke"]


def test_close_before_begin_settles(books: Books) -> None:
    """A server that cannot even start the response closes what it was given."""
    reply = stream_reply(FRAMES)
    MeteredReply(reply, books.settlement, Cancellation(), FakeTap(reply), EXCEPTION).close()

    assert books.settled == ["client_left"]
    assert reply.closed >= 1


def test_close_before_the_first_piece_settles(books: Books) -> None:
    """A caller that is gone before its headers leave: a generator's finally would not run here."""
    begun(books, stream_reply(FRAMES)).close()

    assert books.settled == ["client_left"]


def test_close_after_a_part_settles_with_what_was_received(books: Books) -> None:
    """The tokens of an abandoned stream are counted as far as they came."""
    reply = stream_reply(FRAMES)
    made = begun(books, reply)
    next(made)
    next(made)
    made.close()

    assert books.settled == ["client_left"]
    assert books.booked.settled[0].bytes_out == len(FRAMES[0])
    assert reply.closed >= 1


def test_close_twice_settles_once(books: Books) -> None:
    """Servers do."""
    made = begun(books, stream_reply(FRAMES))
    made.close()
    made.close()

    assert books.settled == ["client_left"]


@pytest.mark.parametrize(
    ("raised", "ending"),
    [
        (BrokenPipeError(), "client_left"),
        (ConnectionResetError(), "client_left"),
        (TimeoutError(), "client_stalled"),
        (SystemExit(), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (RuntimeError(), "stopped"),
    ],
)
def test_close_tells_endings_by_what_stopped_the_server(books: Books, raised: BaseException, ending: Ending) -> None:
    """gunicorn calls close() while it handles the exception that ended its writing."""
    made = begun(books, stream_reply(FRAMES))
    with suppress(type(raised)):
        try:
            raise raised
        finally:
            made.close()

    assert books.settled == [ending]


def test_a_cancellation_tells_more_than_the_servers_exception(books: Books) -> None:
    """A write that fails after the watcher saw the caller leave is the same leaving."""
    reply = stream_reply(FRAMES)
    made = begun(books, reply)
    reply.cancellation.cancel("deadline")
    made.close()

    assert books.settled == ["deadline"]


@pytest.mark.parametrize("error", [BROKE, SILENT, ClientLeft("gone")])
@pytest.mark.parametrize("before", [[], [b"half"]])
def test_begin_raises_what_breaks_an_answer_that_it_reads_whole(
    books: Books, error: GatewayError, before: list[Step]
) -> None:
    """Its headers have not left: the caller can still be told properly."""
    reply = FakeReply([*before, error], headers=(("Content-Length", "8"),))
    with pytest.raises(type(error)) as raised:
        begun(books, reply)

    assert raised.value is error


def test_begin_leaves_a_broken_answer_to_be_refused(books: Books) -> None:
    """It becomes an error with a status of ours; refuse() books it, and not this."""
    with pytest.raises(UpstreamBroke):
        begun(books, FakeReply([BROKE], headers=(("Content-Length", "8"),)))

    assert books.settled == []


def test_an_exhausted_answer_outlives_close(books: Books) -> None:
    """What begin() read whole can be handed out after its settlement, and is still whole."""
    made = begun(books, json_reply(b'{"a": 1}'))

    assert next(made) == b'{"a": 1}'
    made.close()
    assert books.settled == ["complete"]
