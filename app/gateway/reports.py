"""What was used and spent, for whoever may see it: the administrator and viewers all of it, a team's admin its teams',
a key's holder its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from app.core.admin_rights import is_administrator, manages_team, require_administrator, sees_key, visible_keys
from app.core.callers import Actor, Caller
from app.core.errors import AccessDenied, InvalidField
from app.core.ledger_entries import Entry
from app.core.registry_messages import KeyQuery
from app.core.report_messages import (
    MOST_CALLS_SUMMED,
    NO_FIGURES,
    Figures,
    RowGroup,
    RowsPage,
    RowsQuery,
    RowSum,
    Sight,
    Span,
    Sum,
    TotalsKind,
    TotalsQuery,
)
from app.core.virtual_keys import PREFIX, token_of
from app.gateway.ports import Registry, UsageReads

Subject = Literal["key", "team", "user"]
# a report of each day names at most this many of a kind, the dearest
MOST_SUBJECTS = 100
# days times keys: what an answer can be made of within a second
_MOST_SUMS = 50_000
_COLUMNS: dict[Subject, RowGroup] = {"key": "key_id", "team": "team_id", "user": "user_id"}

_WITHIN_TEAM: dict[TotalsKind, RowGroup] = {
    "key": "key_id",
    "user": "user_id",
    "end_user": "counted_end_user",
    "model": "model",
}


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What a day cost, and how that splits: by key (token, else id), by user, by model as it was asked for."""

    day: str
    spend: Decimal = Decimal(0)
    keys: dict[str, Decimal] = field(default_factory=dict)
    users: dict[str, Decimal] = field(default_factory=dict)
    models: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """One key, team, ...: in sum, by day, and by model, which is None where there are too many calls to go through."""

    sum: Sum
    days: tuple[Sum, ...] = ()
    models: tuple[tuple[str, Figures], ...] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Some days: all of it in sum and by day, and the dearest of a kind."""

    span: Span
    total: Figures
    days: tuple[Sum, ...]
    subjects: tuple[SubjectReport, ...]
    models: tuple[Sum, ...] | None = None


class Reports:
    """Raises NotAdministrator or AccessDenied for who may not see it, and StoreUnavailable."""

    def __init__(self, reads: UsageReads, registry: Registry, clock: Callable[[], datetime]) -> None:
        """`clock`: UTC."""
        self._reads = reads
        self._registry = registry
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()

    def rows(self, actor: Actor, query: RowsQuery, key: str | None = None) -> tuple[Entry, ...]:
        """The newest rows that the caller may see; `key`: only of this one, by its text, token or id."""
        return self._reads.rows(self._mine(actor, query, key))

    def page(self, actor: Actor, query: RowsQuery, key: str | None = None) -> RowsPage:
        """The same, and how many there are in all."""
        return self._reads.page(self._mine(actor, query, key))

    def days(self, actor: Actor, span: Span, query: RowsQuery, key: str | None = None) -> tuple[DaySpend, ...]:
        """Every day of `span`. Raises InvalidField where rows must be gone through, and are too many."""
        mine = replace(self._mine(actor, query, key), since=span.start, until=span.end)
        if mine == RowsQuery(since=span.start, until=span.end, limit=query.limit):
            return self._days_of_all(actor, span)
        found = {day: DaySpend(day) for day in span.days}
        groups: tuple[RowGroup, ...] = ("day", "key_token", "user_id", "model")
        for one in self._summed(mine, groups):
            cost, day = one.figures.cost, found[one.group["day"] or ""]
            found[day.day] = replace(day, spend=day.spend + cost)
            for split, name in ((day.keys, "key_token"), (day.users, "user_id"), (day.models, "model")):
                value = one.group[name]
                if value is not None:
                    split[value] = split.get(value, Decimal(0)) + cost
        return tuple(found.values())

    def totals(self, actor: Actor, query: TotalsQuery, route: str) -> tuple[Sum, ...]:
        """Sums over everybody, for the administrator and viewers."""
        require_administrator(actor.caller, route, reads=True)
        return self._reads.totals(query)

    def daily(self, actor: Actor, kind: TotalsKind, span: Span, route: str) -> tuple[Sum, ...]:
        """The same for each day. Raises InvalidField where they are too many."""
        require_administrator(actor.caller, route, reads=True)
        return self._every_day(TotalsQuery(kind, span, by_day=True))

    def end_users(self, actor: Actor, query: RowsQuery, key: str, route: str) -> tuple[tuple[str, Figures], ...]:
        """What end users spent by one key, the dearest first. Raises InvalidField where its calls are too many."""
        require_administrator(actor.caller, route, reads=True)
        found = self._summed(self._mine(actor, query, key), ("counted_end_user",))
        named = [(one.group["counted_end_user"] or "", one.figures) for one in found if one.group["counted_end_user"]]
        return tuple(sorted(named, key=lambda one: (-one[1].cost, one[0])))

    def key_days(self, actor: Actor, span: Span, key: str, route: str) -> tuple[Sum, ...]:
        """What one key spent each day, for the administrator and viewers."""
        require_administrator(actor.caller, route, reads=True)
        return self._reads.totals(TotalsQuery("key", span, self._key_ids(actor.caller, key), by_day=True))

    def sums(self, actor: Actor, kind: TotalsKind, span: Span, team_id: str | None = None) -> tuple[Sum, ...]:
        """The dearest of a kind, in all or within a team; of kind "all" each day. For the administrator and viewers.

        Raises InvalidField where a team's calls are too many, or for tags of a team.
        """
        require_administrator(actor.caller, "usage report", reads=True)
        if team_id is None:
            return self._reads.totals(TotalsQuery(kind, span, by_day=kind == "all"))
        if kind in ("all", "team"):
            return self._reads.totals(TotalsQuery("team", span, frozenset((team_id,)), by_day=kind == "all"))
        if kind not in _WITHIN_TEAM:
            raise InvalidField("Tags are not counted by team: ask without a team.", "team")
        column = _WITHIN_TEAM[kind]
        query = RowsQuery(since=span.start, until=span.end, team_id=team_id)
        found = [one for one in self._summed(query, (column,)) if one.group[column] is not None]
        ids = frozenset(one.group[column] or "" for one in found)
        names = {one.id: one for one in self._reads.totals(TotalsQuery(kind, span, ids, limit=len(ids)))}
        sums = [
            replace(names.get(name, Sum(name, one.figures)), figures=one.figures)
            for one, name in ((one, one.group[column] or "") for one in found)
        ]
        return tuple(sorted(sums, key=lambda one: (-one.figures.cost, one.id)))

    def overall(self, actor: Actor, span: Span, kind: TotalsKind, route: str) -> Report:
        """Everybody's, with the dearest of a kind, of "all" each day, for the administrator and viewers."""
        require_administrator(actor.caller, route, reads=True)
        subjects = self._reads.totals(TotalsQuery(kind, span, limit=MOST_SUBJECTS)) if kind != "all" else ()
        days = self._reads.totals(TotalsQuery("all", span, by_day=True))
        each_day = tuple(SubjectReport(replace(day, id=day.day or ""), (day,)) for day in days)
        return Report(
            span=span,
            total=sum((day.figures for day in days), NO_FIGURES),
            days=days,
            subjects=each_day if kind == "all" else self._subjects(kind, span, subjects),
            models=self._reads.totals(TotalsQuery("model", span, limit=MOST_SUBJECTS)),
        )

    def of(self, actor: Actor, subject: Subject, span: Span, named: str | None = None) -> Report:
        """The keys, teams or users that the caller may see, or the one that is named, with models."""
        ids = self._ids(actor.caller, subject, named)
        found = self._reads.totals(TotalsQuery(subject, span, ids, limit=MOST_SUBJECTS))
        subjects = self._subjects(subject, span, found)
        by_day: dict[str, Figures] = {}
        for one in subjects:
            for day in one.days:
                by_day[day.day or ""] = by_day.get(day.day or "", NO_FIGURES) + day.figures
        return Report(
            span=span,
            total=sum((one.sum.figures for one in subjects), NO_FIGURES),
            days=tuple(Sum("", figures, day=day) for day, figures in sorted(by_day.items())),
            subjects=self._with_models(subject, span, subjects),
        )

    def _mine(self, actor: Actor, query: RowsQuery, key: str | None) -> RowsQuery:
        caller = actor.caller
        if query.team_id is not None and not manages_team(caller, query.team_id, reads=True):
            raise AccessDenied("This team's spend is not yours to see: its admins and the administrator see it.")
        if not is_administrator(caller, reads=True):
            query = replace(query, sight=Sight(caller.key_id, caller.admin_of))
        return replace(query, among=("key_id", self._key_ids(caller, key))) if key else query

    def _key_ids(self, caller: Caller, reference: str) -> frozenset[str]:
        """Of a key by its text, token or id; none for the administrator where there is none."""
        named = token_of(reference) if reference.startswith(PREFIX) else reference
        if is_administrator(caller, reads=True):
            return self._reads.key_ids(named)
        key = self._registry.read(lambda records: records.key(named))
        if key is None or not sees_key(caller, key):
            raise AccessDenied("This key is not yours to see. Ask without api_key for your own.")
        return frozenset((key.id,))

    def _ids(self, caller: Caller, subject: Subject, named: str | None) -> frozenset[str] | None:
        """Those that a report is of; None: all."""
        sees_all = is_administrator(caller, reads=True)
        if subject == "key" and named:
            return self._key_ids(caller, named)
        if subject == "key" and not sees_all:
            query = KeyQuery(self._clock(), visible=visible_keys(caller), size=_MOST_SUMS)
            return frozenset(key.id for key in self._registry.read(lambda records: records.keys(query)).items)
        if subject == "team" and not sees_all:
            if not caller.admin_of or (named and named not in caller.admin_of):
                raise AccessDenied("Teams' spend is seen by their admins and the administrator.")
            return frozenset((named,)) if named else caller.admin_of
        if not sees_all:
            raise AccessDenied(
                "Users' spend is seen by the administrator. This key sees its own, by /key/spend/report."
            )
        return frozenset((named,)) if named else None

    def _subjects(self, kind: TotalsKind, span: Span, found: tuple[Sum, ...]) -> tuple[SubjectReport, ...]:
        if not found:
            return ()
        ids = frozenset(one.id for one in found)
        days: dict[str, list[Sum]] = {one.id: [] for one in found}
        for day in self._every_day(TotalsQuery(kind, span, ids, by_day=True)):
            days[day.id].append(day)
        return tuple(SubjectReport(one, tuple(days[one.id])) for one in found)

    def _with_models(
        self, subject: Subject, span: Span, reports: tuple[SubjectReport, ...]
    ) -> tuple[SubjectReport, ...]:
        column = _COLUMNS[subject]
        ids = frozenset(one.sum.id for one in reports)
        query = RowsQuery(since=span.start, until=span.end, among=(column, ids))
        found = self._reads.row_sums(query, (column, "model"), MOST_CALLS_SUMMED) if ids else ()
        if found is None:
            return reports
        models: dict[str | None, list[tuple[str, Figures]]] = {}
        for one in found:
            if one.group["model"] is not None:
                models.setdefault(one.group[column], []).append((one.group["model"], one.figures))
        return tuple(
            replace(one, models=tuple(sorted(models.get(one.sum.id, ()), key=lambda each: (-each[1].cost, each[0]))))
            for one in reports
        )

    def _days_of_all(self, actor: Actor, span: Span) -> tuple[DaySpend, ...]:
        found = {day: DaySpend(day) for day in span.days}
        for one in self.daily(actor, "all", span, "/spend/logs"):
            day = found[one.day or ""]
            found[day.day] = replace(day, spend=day.spend + one.figures.cost)
        for one in self.daily(actor, "key", span, "/spend/logs"):
            found[one.day or ""].keys[one.token or one.id] = one.figures.cost
        for one in self.daily(actor, "user", span, "/spend/logs"):
            found[one.day or ""].users[one.id] = one.figures.cost
        for one in self.daily(actor, "model", span, "/spend/logs"):
            found[one.day or ""].models[one.id] = one.figures.cost
        return tuple(found.values())

    def _every_day(self, query: TotalsQuery) -> tuple[Sum, ...]:
        found = self._reads.totals(replace(query, limit=_MOST_SUMS + 1))
        if len(found) > _MOST_SUMS:
            raise InvalidField(f"These days have more than {_MOST_SUMS} sums: ask for fewer days.", "start_date")
        return found

    def _summed(self, query: RowsQuery, groups: tuple[RowGroup, ...]) -> tuple[RowSum, ...]:
        found = self._reads.row_sums(query, groups, MOST_CALLS_SUMMED)
        if found is None:
            raise InvalidField(
                f"These days have more than {MOST_CALLS_SUMMED} such calls: ask for fewer days.", "start_date"
            )
        return found
