"""A caller's body within its bounds: read once, whole or not at all, and never counted after it was let go."""

from typing import Any

import gevent
import pytest
from gevent.event import Event
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from app.core.errors import BodyTooLarge, BodyTooSlow, ClientLeft, GatewayError, MalformedRequest, WorkerFull
from app.web.patience import PATIENCE, Patience
from app.web.request_body import BodyBudget, Pace, RequestBody

KIB = 1024
LIMIT = 256 * KIB
DISCARDED = 64 * KIB * KIB


class FakeInput:
    """gunicorn's reader of a body: what is there, then its fault or the end. Knows how much was taken."""

    def __init__(self, content: bytes, fault: Exception | None = None) -> None:
        self._left = memoryview(content)
        self._fault = fault
        self.taken = 0

    def read(self, size: int) -> bytes:
        piece = bytes(self._left[:size])
        self._left = self._left[size:]
        self.taken += len(piece)
        if len(piece) < size and self._fault:
            raise self._fault
        return piece


class EndlessInput(FakeInput):
    """A sender that never stops."""

    def read(self, size: int) -> bytes:
        self.taken += size
        return bytes(size)


class StallingInput(FakeInput):
    """A sender that says no more after what is there, and does not leave."""

    def read(self, size: int) -> bytes:
        piece = super().read(size)
        if len(piece) < size:
            Event().wait()
        return piece


class DrippingInput(FakeInput):
    """A sender of a thousand bytes at most every other millisecond."""

    def read(self, size: int) -> bytes:
        for _ in range(size // 1000):
            gevent.sleep(0.002)
        return super().read(size)


def a_body(
    source: FakeInput,
    length: int | None = None,
    *,
    budget: BodyBudget | None = None,
    limit: int = LIMIT,
    pace: Pace | None = None,
) -> RequestBody:
    """With a Content-Length, or else in chunks."""
    environ: dict[str, Any] = {"wsgi.input": source}
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {"CONTENT_LENGTH": str(length)}
    return RequestBody(environ, limit, budget or BodyBudget(16 * LIMIT), pace or Pace())


def sized(content: bytes, **options: Any) -> RequestBody:
    """A body that is as long as it says."""
    return a_body(FakeInput(content), len(content), **options)


def chunked(content: bytes, **options: Any) -> RequestBody:
    """The same bytes in chunks."""
    return a_body(FakeInput(content), **options)


def patterned(size: int) -> bytes:
    """Bytes of which no two places look alike."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("make", [sized, chunked])
def test_a_body_is_read_whole_up_to_its_limit(make: Any, size: int) -> None:
    """Around the size of a piece, and at the bound."""
    assert make(patterned(size)).read() == patterned(size)


@pytest.mark.parametrize("make", [sized, chunked])
def test_a_body_over_the_limit_is_refused(make: Any) -> None:
    """By one byte."""
    with pytest.raises(BodyTooLarge, match="OUTCROP_MAX_BODY_BYTES"):
        make(bytes(LIMIT + 1)).read()


def test_a_length_over_the_limit_is_refused_unread() -> None:
    """It says so itself."""
    source = FakeInput(bytes(LIMIT + 1))
    with pytest.raises(BodyTooLarge):
        a_body(source, LIMIT + 1).read()

    assert source.taken == 0


def test_a_chunked_body_over_the_limit_is_not_read_to_its_end() -> None:
    """At most one piece more than the bound."""
    source = EndlessInput(b"")
    with pytest.raises(BodyTooLarge):
        a_body(source).read()

    assert source.taken <= LIMIT + 64 * KIB


def test_nothing_is_read_before_it_is_wanted() -> None:
    """A refused caller's body stays on the wire."""
    source = FakeInput(b"{}")
    a_body(source, 2)

    assert source.taken == 0


def test_a_body_without_a_length_is_empty() -> None:
    """Neither Content-Length nor chunks: there is none."""
    assert RequestBody({"wsgi.input": FakeInput(b"next request")}, LIMIT, BodyBudget(LIMIT)).read() == b""


@pytest.mark.parametrize("came", [0, 1, 99, 64 * KIB, 100 * KIB])
def test_a_body_shorter_than_its_length_is_refused(came: int) -> None:
    """Half a prompt must not be sent as a whole one."""
    with pytest.raises(MalformedRequest, match="shorter than its Content-Length"):
        a_body(FakeInput(bytes(came)), came + 1).read()


@pytest.mark.parametrize("content", [b"", b"half"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NoMoreData(), MalformedRequest),
        (InvalidChunkSize(b"zz"), MalformedRequest),
        (TimeoutError(), BodyTooSlow),
        (ConnectionResetError(), ClientLeft),
        (BrokenPipeError(), ClientLeft),
    ],
)
def test_a_body_that_breaks_is_refused(fault: Exception, error: type[GatewayError], content: bytes) -> None:
    """In chunks and with a length alike."""
    for length in (None, 9, 100 * KIB):
        with pytest.raises(error):
            a_body(FakeInput(content, fault), length).read()


@pytest.mark.parametrize("size", [0, 7, 64 * KIB, 200 * KIB])
@pytest.mark.parametrize("make", [sized, chunked])
def test_a_body_counts_while_it_is_held(make: Any, size: int) -> None:
    """And no longer."""
    budget = BodyBudget(LIMIT)
    body = make(bytes(size), budget=budget)
    body.read()
    assert budget.held == size

    body.release()
    assert budget.held == 0


@pytest.mark.parametrize("make", [sized, chunked])
def test_release_is_idempotent(make: Any) -> None:
    """The passage lets go, and so may whoever closes the call."""
    budget = BodyBudget(LIMIT)
    budget.take(100)
    body = make(bytes(50), budget=budget)
    body.read()
    body.release()
    body.release()

    assert budget.held == 100


def test_release_without_reading_gives_nothing_back() -> None:
    """What was not taken is not given."""
    budget = BodyBudget(LIMIT)
    sized(bytes(50), budget=budget).release()

    assert budget.held == 0


@pytest.mark.parametrize(
    "body",
    [
        lambda budget: a_body(FakeInput(bytes(9)), 10, budget=budget),
        lambda budget: a_body(FakeInput(bytes(99 * KIB)), 100 * KIB, budget=budget),
        lambda budget: a_body(FakeInput(bytes(99 * KIB), ConnectionResetError()), budget=budget),
        lambda budget: a_body(EndlessInput(b""), budget=budget),
    ],
)
def test_a_body_that_failed_leaves_nothing_behind_once_released(body: Any) -> None:
    """Short, broken or too large: each would otherwise shrink the worker for good."""
    budget = BodyBudget(16 * LIMIT)
    made = body(budget)
    with pytest.raises(GatewayError):
        made.read()
    made.release()

    assert budget.held == 0


@pytest.mark.parametrize(("held", "fits"), [(LIMIT - 11, True), (LIMIT - 10, True), (LIMIT - 9, False)])
@pytest.mark.parametrize("make", [sized, chunked])
def test_all_bodies_together_have_a_bound(make: Any, held: int, fits: bool) -> None:
    """Below and at it another fits; above, the worker is full and says when to come back."""
    budget = BodyBudget(LIMIT)
    budget.take(held)
    body = make(bytes(10), budget=budget)
    if fits:
        assert body.read() == bytes(10)
        return
    with pytest.raises(WorkerFull) as raised:
        body.read()
    assert raised.value.retry_after == 1


def test_a_full_worker_takes_nothing_for_the_body_that_it_refused() -> None:
    """The budget is as before."""
    budget = BodyBudget(10)
    with pytest.raises(WorkerFull):
        budget.take(11)

    assert budget.held == 0


def test_a_length_that_is_only_announced_does_not_count() -> None:
    """Else a few callers who send nothing would keep everybody else out."""
    budget = BodyBudget(LIMIT)
    with pytest.raises(MalformedRequest):
        a_body(FakeInput(bytes(70 * KIB)), 100 * KIB, budget=budget).read()

    assert budget.held == 70 * KIB


def test_a_body_that_was_read_leaves_nothing_to_discard() -> None:
    """The connection is at the next request."""
    source = FakeInput(b"{}" + b"next")
    body = a_body(source, 2)
    body.read()

    assert body.discard()
    assert source.taken == 2


@pytest.mark.parametrize("size", [0, 1, 200 * KIB])
def test_an_unread_body_is_discarded_whole(size: int) -> None:
    """The caller, still sending, then reads its answer."""
    source = FakeInput(bytes(size))

    assert a_body(source, size).discard()
    assert source.taken == size


def test_an_unread_chunked_body_is_not_taken_apart() -> None:
    """That is work, and whoever is refused could ask for it."""
    source = FakeInput(bytes(200 * KIB))

    assert not a_body(source).discard()
    assert source.taken == 1


def test_a_chunked_body_that_is_empty_leaves_the_connection_usable() -> None:
    """Its end is the next thing on the wire."""
    assert a_body(FakeInput(b"")).discard()


def test_a_body_over_the_limit_is_discarded_after_its_refusal() -> None:
    """413 arrives instead of a reset."""
    source = FakeInput(bytes(LIMIT + 200 * KIB))
    body = a_body(source, LIMIT + 200 * KIB)
    with pytest.raises(BodyTooLarge):
        body.read()

    assert body.discard()
    assert source.taken == LIMIT + 200 * KIB


def test_discarding_has_a_bound() -> None:
    """Who sends more than 64 MiB for nothing sees the connection closed."""
    source = EndlessInput(b"")

    assert not a_body(source, 2 * DISCARDED).discard()
    assert DISCARDED < source.taken <= DISCARDED + 64 * KIB


@pytest.mark.parametrize("fault", [NoMoreData(), InvalidChunkSize(b"zz"), TimeoutError(), ConnectionResetError()])
def test_a_body_that_breaks_while_it_is_discarded_ends_the_connection(fault: Exception) -> None:
    """Where the next request begins is not known."""
    assert not a_body(FakeInput(b"half", fault)).discard()


def test_a_broken_body_is_not_read_again_to_be_discarded() -> None:
    """It would wait for a sender who stalled once already."""
    source = FakeInput(b"half", TimeoutError())
    body = a_body(source)
    with pytest.raises(MalformedRequest):
        body.read()
    taken = source.taken

    assert not body.discard()
    assert source.taken == taken


QUICK = 1_000_000_000.0  # bytes a second


@pytest.mark.parametrize("came", [0, 1, 16 * KIB, 100 * KIB])
@pytest.mark.parametrize("length", [None, 200 * KIB])
def test_a_body_that_stops_coming_is_refused_when_its_grace_is_over(came: int, length: int | None) -> None:
    """Its sender is still there, and would hold its place for as long as it likes."""
    body = a_body(StallingInput(bytes(came)), length, pace=Pace(0.01, QUICK))
    with pytest.raises(BodyTooSlow, match="too slowly"):
        body.read()
    assert not body.discard()


@pytest.mark.parametrize("length", [None, 100 * KIB])
def test_a_body_must_come_at_its_pace_on_average(length: int | None) -> None:
    """No byte is late by itself: all of them together are."""
    source = DrippingInput(bytes(100 * KIB))
    with pytest.raises(BodyTooSlow):
        a_body(source, length, pace=Pace(0.001, 10_000_000.0)).read()

    assert source.taken < 100 * KIB


@pytest.mark.parametrize("length", [None, 100 * KIB])
def test_a_body_must_be_there_in_time_however_it_comes(length: int | None) -> None:
    """Also one that is fast enough on average for ever."""
    with pytest.raises(BodyTooSlow, match="OUTCROP_BODY_TIMEOUT"):
        a_body(DrippingInput(bytes(100 * KIB)), length, pace=Pace(0.001, 1.0, whole_seconds=0.02)).read()


@pytest.mark.parametrize("length", [None, 100 * KIB])
def test_a_slow_body_at_its_pace_is_taken(length: int | None) -> None:
    """A caller on a thin line is served."""
    body = a_body(DrippingInput(patterned(100 * KIB)), length, pace=Pace(30.0, 1024.0))

    assert body.read() == patterned(100 * KIB)


@pytest.mark.parametrize(
    ("size", "seconds"),
    [(0, 10), (1024, 11), (10 * KIB, 20), (290 * KIB, 300), (291 * KIB, 300), (32 * KIB * KIB, 300)],
)
def test_a_body_has_ten_seconds_and_one_for_each_kilobyte_up_to_five_minutes(size: int, seconds: float) -> None:
    """What operators are told."""
    assert Pace().due(size) == seconds


def test_nothing_is_thrown_after_a_body_was_read() -> None:
    """Its deadline is over with it."""
    a_body(FakeInput(b"{}"), 2, pace=Pace(0.001, QUICK)).read()
    gevent.sleep(0.005)


def test_so_many_refused_callers_are_waited_for_at_once_and_no_more() -> None:
    """Else whoever sends half a body to be refused keeps connections from others."""
    patience = Patience(2)

    assert [patience.take() for _ in range(3)] == [True, True, False]
    patience.give_back()
    assert [patience.take(), patience.take()] == [True, False]


def test_nothing_is_discarded_for_one_caller_too_many() -> None:
    """Its connection is closed."""
    taken = 0
    while PATIENCE.take():
        taken += 1
    source = FakeInput(bytes(9))
    try:
        assert not a_body(source, 9).discard()
        assert source.taken == 0
    finally:
        for _ in range(taken):
            PATIENCE.give_back()
    assert a_body(source, 9).discard()
