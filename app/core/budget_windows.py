"""When budgets start anew: at boundaries of UTC that anybody can tell from a calendar, not from when a budget was set.

30s 15m 12h   at whole multiples, counted from 1970-01-01T00:00Z: 12h at midnight and at noon
1d 2d 7d      at midnight, days counted from Monday 1970-01-05: 7d on Mondays
1w 2w         at midnight of Mondays, weeks counted from the same one
1mo 3mo       at midnight of the first, months counted from January 1970: 3mo in January, April, July, October
30d           as 1mo: the peer's clients write it for a month
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.core import durations
from app.core.accounts import Limits
from app.core.ledger_entries import NO_WINDOW, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_STEPS = {
    "s": (_EPOCH, timedelta(seconds=1)),
    "m": (_EPOCH, timedelta(minutes=1)),
    "h": (_EPOCH, timedelta(hours=1)),
    "d": (_FIRST_MONDAY, timedelta(days=1)),
    "w": (_FIRST_MONDAY, timedelta(weeks=1)),
}
_MEANS_A_MONTH = (30, "d")


def window_end(now: datetime, duration: str) -> datetime:
    """The first boundary after `now`, in UTC. Raises ValueError for what is no duration (core/durations.py)."""
    count, unit = durations.parsed(duration)
    if (count, unit) == _MEANS_A_MONTH:
        count, unit = 1, "mo"
    if unit == "mo":
        return _month_end(now.astimezone(UTC), count)
    start, step = _STEPS[unit]
    return start + ((now - start) // (step * count) + 1) * (step * count)


def window_of(limits: Limits, now: datetime) -> Window:
    """The window that an account with these limits is in. Raises ValueError for what is no duration."""
    return window(limits.budget_duration, now)


def window(duration: str | None, now: datetime) -> Window:
    """The same by the duration alone; None: a window that never ends."""
    return _window_at(duration, int(now.timestamp())) if duration is not None else NO_WINDOW


@lru_cache(maxsize=256)
def _window_at(duration: str, second: int) -> Window:
    """No window ends within a second."""
    return Window(duration, window_end(datetime.fromtimestamp(second, UTC), duration))


def _month_end(now: datetime, count: int) -> datetime:
    months = (now.year - _EPOCH.year) * 12 + now.month - 1
    years, month = divmod((months // count + 1) * count, 12)
    return _EPOCH.replace(year=_EPOCH.year + years, month=month + 1)
