"""What the tap is told of a reply: every piece, and whether all came, before it is settled; callers that leave too."""

from contextlib import suppress

import pytest

from app.core.errors import UpstreamBroke, UpstreamSilent
from app.core.messages import Ending
from app.core.usage import Usage
from app.gateway.metered_reply import WHOLE_BYTES, MeteredReply, ReplyCut
from tests.event_frames import event_frame
from tests.fakes import Books, Cancel, FakeReply, FakeTap, Step, json_reply, stream_reply

FRAMES = [event_frame("contentBlockDelta", {"delta": {"text": text}}) for text in ("Hello", " from", " here")]
PIECES = [b"a" * WHOLE_BYTES, b"b", b"c"]
LENGTH = (("Content-Type", "application/json"), ("Content-Length", str(sum(map(len, PIECES)))))


@pytest.fixture
def books() -> Books:
    """A settlement whose fakes write into one trace."""
    return Books()


class TracedTap(FakeTap):
    """Writes into the books' trace when it is asked."""

    def __init__(self, books: Books, reply: FakeReply) -> None:
        super().__init__(reply)
        self._trace = books.trace

    def usage(self, *, complete: bool) -> Usage:
        self._trace.append(f"usage {complete}")
        return super().usage(complete=complete)


def begun(books: Books, reply: FakeReply) -> tuple[MeteredReply, TracedTap]:
    """A reply after begin(), and its tap."""
    tap = TracedTap(books, reply)
    made = MeteredReply(reply, books.settlement, reply.cancellation, tap, "modelStreamErrorException")
    made.begin()
    return made, tap


@pytest.mark.parametrize(
    "reply",
    [
        stream_reply(FRAMES),
        stream_reply(FRAMES, "text/event-stream"),
        FakeReply(PIECES, headers=LENGTH),
        FakeReply(FRAMES),
        json_reply(b'{"message": "no"}', status=400),
    ],
    ids=["event stream", "server-sent events", "large", "without length", "error"],
)
def test_the_tap_is_fed_every_piece_and_asked_before_the_settlement(books: Books, reply: FakeReply) -> None:
    """Of every body, stream or not: what it says can be booked."""
    made, tap = begun(books, reply)
    given = b"".join(made)

    assert b"".join(tap.fed) == given
    assert [step for step in books.trace if not step.startswith("read")][-3:] == ["usage True", "settle", "tell"]


@pytest.mark.parametrize("error", [UpstreamBroke("It broke."), Cancel("deadline"), Cancel("client_left")])
def test_a_broken_answer_is_not_complete(books: Books, error: Step) -> None:
    """What it used can only be estimated."""
    made, tap = begun(books, stream_reply([FRAMES[0], error]))
    with suppress(ReplyCut):
        list(made)

    assert tap.asked == [False]


@pytest.mark.parametrize("content_type", ["application/vnd.amazon.eventstream", "text/event-stream"])
def test_a_stream_whose_caller_left_is_closed_at_once(books: Books, content_type: str) -> None:
    """It costs as long as it runs."""
    reply = stream_reply(FRAMES, content_type)
    made, tap = begun(books, reply)
    next(made)
    next(made)
    made.close()

    assert (reply.reads, reply.closed) == (1, 2)
    assert (tap.fed, tap.asked) == ([FRAMES[0]], [False])
    assert books.settled == ["client_left"]


def left(made: MeteredReply, cause: BaseException) -> None:
    """The server closes while it handles what ended its writing."""
    with suppress(type(cause)):
        try:
            raise cause
        finally:
            made.close()


@pytest.mark.parametrize("length", [LENGTH, LENGTH[:1]], ids=["with length", "in chunks"])
@pytest.mark.parametrize(("cause", "ending"), [(BrokenPipeError(), "client_left"), (TimeoutError(), "client_stalled")])
def test_an_answer_whose_caller_left_is_read_to_its_end(
    books: Books, length: tuple[tuple[str, str], ...], cause: BaseException, ending: Ending
) -> None:
    """AWS bills it in full: it is booked as AWS reports it."""
    reply = FakeReply(PIECES, headers=length)
    made, tap = begun(books, reply)
    next(made)
    left(made, cause)

    assert (tap.fed, tap.asked) == (PIECES, [True])
    assert books.settled == [ending]
    assert books.booked.settled[0].bytes_out == sum(map(len, PIECES))
    assert reply.closed >= 1


def test_an_answer_is_read_on_before_it_is_settled_and_once(books: Books) -> None:
    """Servers close twice."""
    reply = FakeReply(PIECES, headers=LENGTH)
    reply._trace = books.trace
    made, _ = begun(books, reply)
    made.close()
    made.close()

    assert books.trace == [f"read {WHOLE_BYTES}", "read 1", "read 1", "usage True", "settle", "tell"]


@pytest.mark.parametrize("error", [UpstreamBroke("It broke."), UpstreamSilent("Too long.")])
def test_reading_on_ends_where_the_answer_breaks(books: Books, error: Step) -> None:
    """Its deadlines hold for it as for any other, and nobody is told."""
    reply = FakeReply([*PIECES[:2], error], headers=LENGTH)
    made, tap = begun(books, reply)
    made.close()

    assert (tap.fed, tap.asked) == (PIECES[:2], [False])
    assert books.settled == ["client_left"]


@pytest.mark.parametrize("cause", [SystemExit(), KeyboardInterrupt()])
def test_a_stopped_worker_does_not_read_on(books: Books, cause: BaseException) -> None:
    """Its grace is over."""
    reply = FakeReply(PIECES, headers=LENGTH)
    made, tap = begun(books, reply)
    left(made, cause)

    assert (reply.reads, tap.asked, books.settled) == (1, [False], ["stopped"])


@pytest.mark.parametrize("reason", ["deadline", "client_left"])
def test_a_cancelled_answer_is_not_read_on(books: Books, reason: Ending) -> None:
    """Its connection was hung up on."""
    reply = FakeReply(PIECES, headers=LENGTH)
    made, tap = begun(books, reply)
    reply.cancellation.cancel(reason)
    made.close()

    assert (reply.reads, tap.asked, books.settled) == (1, [False], [reason])


class StoppedReply(FakeReply):
    """The worker is stopped while this is read a second time."""

    def read_chunk(self) -> bytes:
        if self.reads:
            raise SystemExit
        return super().read_chunk()


def test_a_worker_that_stops_while_it_reads_on_still_settles(books: Books) -> None:
    """What came until then is all that there is."""
    reply = StoppedReply(PIECES, headers=LENGTH)
    made, tap = begun(books, reply)
    with pytest.raises(SystemExit):
        made.close()

    assert (tap.asked, books.settled) == ([False], ["client_left"])
    assert reply.closed >= 1
