"""Windows of budgets end where a calendar says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.accounts import Limits
from app.core.budget_windows import window_end, window_of
from app.core.ledger_entries import NO_WINDOW, Window

# a Wednesday
NOW = datetime(2026, 11, 25, 22, 49, 5, 250_000, tzinfo=UTC)
TICK = timedelta(microseconds=1)
UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        ("1s", datetime(2026, 11, 25, 22, 49, 6, tzinfo=UTC)),
        ("30s", datetime(2026, 11, 25, 22, 49, 30, tzinfo=UTC)),
        ("1m", datetime(2026, 11, 25, 22, 50, tzinfo=UTC)),
        ("15m", datetime(2026, 11, 25, 23, tzinfo=UTC)),
        ("1h", datetime(2026, 11, 25, 23, tzinfo=UTC)),
        ("12h", datetime(2026, 11, 26, tzinfo=UTC)),
        ("1d", datetime(2026, 11, 26, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 30, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 30, tzinfo=UTC)),
        ("30d", datetime(2026, 12, 1, tzinfo=UTC)),
        ("1mo", datetime(2026, 12, 1, tzinfo=UTC)),
        ("3mo", datetime(2027, 1, 1, tzinfo=UTC)),
        ("12mo", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_window_ends_at_the_next_boundary_of_utc(duration: str, end: datetime) -> None:
    assert window_end(NOW, duration) == end
    assert window_end(end - TICK, duration) == end
    assert window_end(end, duration) > end


def test_the_moment_may_be_told_in_any_zone() -> None:
    # the first of December already in Tokyo, where it is the last of November in UTC
    tokyo = datetime(2026, 12, 1, 8, tzinfo=timezone(timedelta(hours=9)))

    assert window_end(tokyo, "1mo") == datetime(2026, 12, 1, tzinfo=UTC)
    assert window_end(tokyo, "1d") == datetime(2026, 12, 1, tzinfo=UTC)


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # as hypothesis wants
    st.integers(1, 400),
    st.sampled_from([*UNITS]),
)
def test_windows_of_one_length_follow_each_other_without_a_gap(now: datetime, count: int, unit: str) -> None:
    if (count, unit) == (30, "d"):
        return
    end = window_end(now, f"{count}{unit}")

    assert now < end <= now + count * UNITS[unit]
    assert window_end(end, f"{count}{unit}") - end == count * UNITS[unit]


@given(st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.integers(1, 60))  # noqa: DTZ001  # the same
def test_months_follow_each_other_without_a_gap(now: datetime, count: int) -> None:
    end = window_end(now, f"{count}mo")
    after = window_end(end, f"{count}mo")

    assert now < end
    assert (end.day, end.hour, end.minute, end.second, end.microsecond) == (1, 0, 0, 0, 0)
    assert (after.year - end.year) * 12 + after.month - end.month == count


def test_an_account_without_a_duration_has_a_window_that_never_ends() -> None:
    assert window_of(Limits(), NOW) == NO_WINDOW
    assert window_of(Limits(budget_duration="1d"), NOW) == Window("1d", datetime(2026, 11, 26, tzinfo=UTC))


@pytest.mark.parametrize("duration", ["", "d", "0d", "1y", "-1d", "1.5h", "1d "])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="Unsupported duration"):
        window_end(NOW, duration)
