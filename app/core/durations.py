"""Spans of time as the peer's clients write them: 30s, 15m, 12h, 30d, 2w, 1mo.

A month ends on the same day of the next one, or on its last day where it has no such day.
"""

import calendar
import re
from datetime import datetime, timedelta

_DURATION = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d|w|mo)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# what every database and every client can still write as a date
_LAST_YEAR = 9000


def after(moment: datetime, duration: str) -> datetime:
    """`moment` plus `duration`. Raises ValueError, with a message for whoever wrote the duration."""
    count, unit = parsed(duration)
    try:
        moved = _months_after(moment, count) if unit == "mo" else moment + timedelta(**{_UNITS[unit]: count})
    except OverflowError:
        moved = datetime.max.replace(tzinfo=moment.tzinfo)
    if moved.year > _LAST_YEAR:
        raise ValueError(f"The duration {duration} ends after the year {_LAST_YEAR}: leave it out for no end.")
    return moved


def parsed(duration: str) -> tuple[int, str]:
    """How many of which unit: (30, "d"). Raises ValueError, with a message for whoever wrote the duration."""
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(
            f"Unsupported duration unit, passed duration: {duration[:40]}. Write it as 30s, 15m, 12h, 30d, 2w or 1mo."
        )
    return int(found[1]), found[2]


def _months_after(moment: datetime, count: int) -> datetime:
    years, month = divmod(moment.month - 1 + count, 12)
    year = moment.year + years
    if year > _LAST_YEAR:
        raise OverflowError
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
