"""A worker holds so many calls and no more."""

import pytest

from app.core.errors import WorkerFull
from app.gateway.in_flight import InFlight
from tests.fakes import FakeJournal, a_record

MOST = 3


def _holding(calls: int) -> InFlight:
    in_flight = InFlight(FakeJournal(), MOST)
    for _ in range(calls):
        in_flight.arrive()
    return in_flight


@pytest.mark.parametrize("calls", [1, MOST - 1, MOST])
def test_there_is_room_up_to_the_bound(calls: int) -> None:
    _holding(calls).check()


@pytest.mark.parametrize("calls", [MOST + 1, MOST + 2])
def test_there_is_none_above_it_and_soon_may_be(calls: int) -> None:
    with pytest.raises(WorkerFull, match="OUTCROP_MAX_IN_FLIGHT") as raised:
        _holding(calls).check()

    assert raised.value.retry_after == 1


def test_a_call_that_ended_makes_room() -> None:
    in_flight = _holding(MOST + 1)
    in_flight.write(a_record())
    in_flight.check()

    assert in_flight.held == MOST


def test_calls_that_were_turned_away_are_counted_and_hold_no_place() -> None:
    in_flight = _holding(MOST)
    for _ in range(2):
        in_flight.arrive()
        with pytest.raises(WorkerFull):
            in_flight.check()
        in_flight.write(a_record())

    assert (in_flight.turned_away, in_flight.held) == (2, MOST)


def test_ended_calls_are_told_to_whoever_comes_next() -> None:
    journal = FakeJournal()
    record = a_record()
    InFlight(journal, MOST).write(record)

    assert journal.told == [record]
