"""What is asked of the ledger and its daily totals, and what they answer.

Days are UTC, written 2026-11-25, both ends included. Money is US dollars as Decimal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from app.core import durations
from app.core.errors import DatesMissing, InvalidField
from app.core.ledger_entries import Entry, EntryKind

# What daily totals are kept of; a model is counted as it was asked for.
TotalsKind = Literal["all", "key", "team", "user", "end_user", "model", "tag", "claimed_tag"]
# By what rows can be summed where daily totals do not go: columns of the ledger.
RowGroup = Literal["day", "key_id", "key_token", "team_id", "user_id", "counted_end_user", "model"]
# a year and a day: each day is looked up by itself
MOST_DAYS = 366
DEFAULT_DAYS = 30
# A filter without an index must look at what is there: this many calls take a second.
MOST_CALLS_SUMMED = 200_000
# calls by their duration, each in the first that it is under, milliseconds; the last is without end
BUCKETS_MS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
_DAY = timedelta(days=1)
_FOR_LONG = re.compile(r"[1-9][0-9]{0,3}(d|w|mo)")
_DAYS = {"d": 1, "w": 7, "mo": 30}


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> tuple[str, ...]:
        """All of them, the earliest first."""
        count = (self.last - self.first).days + 1
        return tuple((self.first + number * _DAY).isoformat() for number in range(count))

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The moment after the last."""
        return datetime.combine(self.last + _DAY, time(), UTC)


def span_between(start: str | None, end: str | None) -> Span:
    """Days as `start_date` and `end_date` name them; a time of day behind them says nothing.

    Raises DatesMissing, or InvalidField for what are no dates, are turned round, or more than MOST_DAYS.
    """
    if not start or not end:
        raise DatesMissing("Please provide start_date and end_date")
    first, last = day_of(start, "start_date"), day_of(end, "end_date")
    if last < first:
        raise InvalidField(f"end_date {last} lies before start_date {first}.", "end_date")
    if (last - first).days >= MOST_DAYS:
        raise InvalidField(f"At most {MOST_DAYS} days at once: ask for the rest apart.", "start_date")
    return Span(first, last)


def moments_between(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """[since, until) of `start_date` and `end_date`, which may have a time of day; the end's day or second is included.

    Raises DatesMissing or InvalidField.
    """
    span_between(start, end)
    since, until = moment_of(start or "", "start_date"), moment_of(end or "", "end_date")
    whole_day = len((end or "").strip()) <= len("YYYY-MM-DD")
    until += _DAY if whole_day else timedelta(seconds=1)
    if until <= since:
        raise InvalidField(f"end_date {end} lies before start_date {start}.", "end_date")
    return since, until


def span_or_latest(start: str | None, end: str | None, today: date, days: int = DEFAULT_DAYS) -> Span:
    """The same, and the `days` that end today where neither is given. Raises DatesMissing or InvalidField."""
    return span_between(start, end) if start or end else Span(today - (days - 1) * _DAY, today)


def span_since(since: str, until: str | None, today: date) -> Span:
    """From `since`, a date or for how long until the other end, such as 7d, 2w or 1mo, to `until`, else today.

    Raises InvalidField.
    """
    last = day_of(until, "until") if until else today
    if not _FOR_LONG.fullmatch(since):
        try:
            first = day_of(since, "since")
        except InvalidField as error:
            raise InvalidField(f"{error.message.removesuffix('.')}, or for how long: 7d, 2w, 1mo.", "since") from None
        return span_between(first.isoformat(), last.isoformat())
    count, unit = durations.parsed(since)
    days = min(count * _DAYS[unit], MOST_DAYS + 1)
    return span_between((last - (days - 1) * _DAY).isoformat(), last.isoformat())


def day_of(text: str, name: str) -> date:
    """A date out of "2026-11-25" or "2026-11-25 10:00:00". Raises InvalidField."""
    return moment_of(text, name).date()


def moment_of(text: str, name: str) -> datetime:
    """A moment out of "2026-11-25", "2026-11-25 10:00:00" or ISO 8601, UTC without a zone. Raises InvalidField."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidField(f"{name}: {text[:50]!r} is no date. Write YYYY-MM-DD.", name) from None
    if not 1970 <= found.year <= 9000:
        raise InvalidField(f"{name}: {text[:50]!r} is not between the years 1970 and 9000.", name)
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of some calls. `unpriced`: calls without a cost; `buckets`: calls by duration, one more than BUCKETS_MS."""

    calls: int = 0
    failures: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost: Decimal = Decimal(0)
    duration_ms: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(BUCKETS_MS) + 1)

    def __add__(self, other: "Figures") -> "Figures":
        names = [one.name for one in fields(self) if one.name != "buckets"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Figures(**sums, buckets=tuple(a + b for a, b in zip(self.buckets, other.buckets, strict=True)))

    def __sub__(self, other: "Figures") -> "Figures":
        """What is left of these where those are a part of them."""
        names = [one.name for one in fields(self) if one.name != "buckets"]
        rest = {name: getattr(self, name) - getattr(other, name) for name in names}
        return Figures(**rest, buckets=tuple(a - b for a, b in zip(self.buckets, other.buckets, strict=True)))

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def average_ms(self) -> float | None:
        return self.duration_ms / self.calls if self.calls else None


NO_FIGURES = Figures()


@dataclass(frozen=True, slots=True)
class Sum:
    """What one thing came to. `name`: a key's or team's alias as it is now; `token` and `key_name`: of a key."""

    id: str
    figures: Figures
    name: str | None = None
    token: str | None = None
    key_name: str | None = None
    day: str | None = None


@dataclass(frozen=True, slots=True)
class TotalsQuery:
    """Which daily totals. `span` None: of all time; `ids` None: all of the kind; `by_day`: a sum for each day.

    The dearest first, those of days the earliest first; the first `limit` of them.
    """

    kind: TotalsKind
    span: Span | None = None
    ids: frozenset[str] | None = None
    by_day: bool = False
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose rows somebody may see: those of this key, and those of these teams."""

    key_id: str | None
    team_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Which rows of the ledger, the newest first; None: whatever. Moments are [since, until).

    `sight`: None sees all; `among`: where this column is one of these; `limit` rows, after the first `skip`.
    """

    sight: Sight | None = None
    since: datetime | None = None
    until: datetime | None = None
    among: tuple[RowGroup, frozenset[str]] | None = None
    request_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    end_user: str | None = None
    model: str | None = None
    kind: EntryKind | None = None
    status: Literal["success", "failure"] | None = None
    limit: int = 1000
    skip: int = 0


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows, and how many there are in all, counted no further than `MOST_COUNTED` (then `capped`)."""

    entries: tuple[Entry, ...]
    total: int
    capped: bool = False


MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class RowSum:
    """What some rows came to, by what they were grouped by."""

    group: Mapping[str, str | None] = field(default_factory=dict)
    figures: Figures = NO_FIGURES
