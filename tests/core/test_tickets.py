"""The rules of tickets, against a plain account of what happened."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.budget_windows import window
from app.core.ledger_entries import Account, Window
from app.core.tickets import Balance, Claim

START = datetime(2026, 11, 25, 23, 58, 30, tzinfo=UTC)
KEY = Account("key", "k1")
Step = tuple[str, int, int]  # what happens, which call it happens to, seconds since the step before
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "book", "give back"]), st.integers(0, 5), st.integers(0, 40))
)
LIMITS = st.tuples(*(st.one_of(st.none(), st.integers(0, 6)) for _ in range(3)))


@dataclass
class Diary:
    """All calls that ran: (when, hold), and what they cost in the end."""

    running: list[tuple[datetime, Decimal]] = field(default_factory=list)
    sent: list[datetime] = field(default_factory=list)
    costs: list[tuple[datetime, Decimal]] = field(default_factory=list)

    def spend(self, now: datetime) -> Decimal:
        """Of the day."""
        return sum((cost for when, cost in self.costs if when.date() == now.date()), Decimal(0))

    def requests(self, now: datetime) -> int:
        """Of the minute."""
        return sum(when.replace(second=0) == now.replace(second=0) for when in self.sent)

    def refuses(self, claim: Claim, now: datetime) -> str | None:
        held = sum((hold for _, hold in self.running), Decimal(0))
        if claim.budget is not None:
            if self.spend(now) >= claim.budget or self.spend(now) + claim.hold > claim.budget:
                return "spent"
            if self.spend(now) + held + claim.hold > claim.budget:
                return "held"
        if claim.rpm is not None and self.requests(now) >= claim.rpm:
            return "rpm"
        if claim.parallel is not None and len(self.running) >= claim.parallel:
            return "parallel"
        return None


@given(STEPS, LIMITS)
def test_a_balance_lets_in_what_a_diary_of_all_calls_would(
    steps: list[Step], limits: tuple[int | None, int | None, int | None]
) -> None:
    budget, rpm, parallel = limits
    diary, balance, now = Diary(), Balance(), START
    for what, which, seconds in steps:
        now += timedelta(seconds=seconds)
        minute = int(now.timestamp()) // 60
        claim = Claim(
            KEY, window("1d", now), Decimal(1), None if budget is None else Decimal(budget), rpm, None, parallel
        )
        balance = balance.at(claim.window, now, minute)
        if what == "take":
            expected = diary.refuses(claim, now)
            assert balance.refuses(claim) == expected
            if expected is None:
                balance = balance.taken(claim)
                diary.running.append((now, claim.hold))
                diary.sent.append(now)
        elif diary.running:
            balance = _end(balance, diary, which, (what == "book", claim, now))
        assert balance.in_flight == len(diary.running)
        assert balance.requests == diary.requests(now)


def _end(balance: Balance, diary: Diary, which: int, how: tuple[bool, Claim, datetime]) -> Balance:
    booked, claim, now = how
    began, _ = diary.running.pop(which % len(diary.running))
    if booked:
        diary.costs.append((now, Decimal(1)))
        return replace(balance.given_back(claim, minute=None), spend=balance.spend + 1)
    diary.sent.remove(began)
    return balance.given_back(claim, minute=int(began.timestamp()) // 60)


def test_another_duration_keeps_the_spend_and_moves_the_end() -> None:
    balance = Balance(spend=Decimal(3), window=Window("1d", START + timedelta(minutes=2)))
    month = window("1mo", START)

    assert balance.at(month, START, 0).spend == 3
    assert balance.at(month, START, 0).window == month


@pytest.mark.parametrize(("ahead", "requests"), [(5, 4), (6, 0), (60, 0)])
def test_a_minute_of_a_clock_that_was_set_back_since_is_forgotten(ahead: int, requests: int) -> None:
    balance = Balance(minute=10 + ahead, requests=4, tokens=4).at(Window(), START, 10)

    assert (balance.requests, balance.tokens) == (requests, requests)
    assert balance.minute == (10 if requests == 0 else 10 + ahead)


@pytest.mark.parametrize(("minutes_left", "is_left"), [(5, False), (6, True), (30, True)])
def test_a_window_of_a_clock_that_was_set_back_since_is_left_with_what_was_spent_in_it(
    minutes_left: int, is_left: bool
) -> None:
    now = datetime(2026, 11, 25, 13, 60 - minutes_left, tzinfo=UTC)
    current, later = window("1h", now), window("1h", now + timedelta(hours=1))
    balance = Balance(spend=Decimal(3), window=later).at(current, now, 0)

    assert balance.spend == 3
    assert balance.window == (current if is_left else later)


def test_clocks_that_differ_count_into_one_minute() -> None:
    balance = Balance(minute=10, requests=4)

    assert balance.at(Window(), START, 9).requests == 4
    assert balance.at(Window(), START, 10).requests == 4
    assert balance.at(Window(), START, 11).requests == 0
