"""Reports of use: sums out of the daily totals, rows of the ledger, and what accounts have left.

Daily totals are looked up day by day, which their primary key makes quick however many other days and kinds there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, false, func, literal, null, or_, select

from app.core.ledger_entries import OTHER, Account, Entry, Window
from app.core.report_messages import (
    MOST_COUNTED,
    Figures,
    RowGroup,
    RowsPage,
    RowsQuery,
    RowSum,
    Sight,
    Sum,
    TotalsQuery,
)
from app.core.tickets import Balance
from app.store.database import Database
from app.store.ledger_rows import entry_of
from app.store.money_rows import BALANCES, DAILY_TOTALS, LEDGER
from app.store.rows import KEYS, SECRETS, TEAMS

_COUNTS = ("calls", "failures", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
# in the order of BUCKETS_MS
_BUCKETS = "under_100ms under_300ms under_1s under_3s under_10s under_30s under_100s longer".split()
# in the order of Figures
_FIGURES = (*_COUNTS, "cost", "duration_ms", *_BUCKETS)
_COST, _END = len(_COUNTS), len(_FIGURES)
_EXACT = ("request_id", "user_id", "team_id", "model", "kind", "status")
_DAY = timedelta(days=1)
# SQLite takes 32,766 values in a statement; this is 54 years
_MOST_DAYS = 20_000


class UsageReports:
    """The gateway's port UsageReads. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(self, query: TotalsQuery) -> tuple[Sum, ...]:
        """Sums out of the daily totals: one an id, or one a day and id."""
        with self._database.snapshot() as connection:
            days = query.span.days if query.span else _every_day(connection)
            rows = connection.execute(_totals(query, days)).all()
        return tuple(Sum(row.id, _figures(row), row.name, row.token, row.key_name, row.day) for row in rows)

    def rows(self, query: RowsQuery) -> tuple[Entry, ...]:
        """The newest first."""
        with self._database.snapshot() as connection:
            return _entries(connection, query)

    def page(self, query: RowsQuery) -> RowsPage:
        """The same, and how many there are in all."""
        with self._database.snapshot() as connection:
            total = _count(connection, query, MOST_COUNTED)
            entries = _entries(connection, query) if query.skip < total else ()
        return RowsPage(entries, min(total, MOST_COUNTED), capped=total > MOST_COUNTED)

    def row_sums(self, query: RowsQuery, groups: Sequence[RowGroup], most: int) -> tuple[RowSum, ...] | None:
        """Sums of rows by these columns; None where there are more rows than `most`."""
        columns = [LEDGER.c[name] for name in groups]
        statement = select(*_row_figures(), *columns).where(*_filters(query)).group_by(*columns).order_by(*columns)
        with self._database.snapshot() as connection:
            if _count(connection, query, most) > most:
                return None
            rows = connection.execute(statement).all()
        names = slice(-len(groups), None)
        return tuple(RowSum(dict(zip(groups, row[names], strict=True)), _figures(row)) for row in rows)

    def key_ids(self, token_or_id: str) -> frozenset[str]:
        """The ids of the keys that a token or an id names, also of one that is deleted."""
        secrets = select(SECRETS.c.key_id).where(SECRETS.c.token == token_or_id)
        keys = select(KEYS.c.id).where(or_(KEYS.c.token == token_or_id, KEYS.c.id == token_or_id))
        with self._database.statement() as connection:
            return frozenset(connection.execute(secrets.union(keys)).scalars())

    def balances(self, accounts: Iterable[Account]) -> Mapping[Account, Balance]:
        """Of those that ever had one, as they stand: windows and minutes that are over are not begun anew."""
        wanted = [and_(BALANCES.c.kind == account.kind, BALANCES.c.id == account.id) for account in accounts]
        if not wanted:
            return {}
        with self._database.statement() as connection:
            rows = connection.execute(select(BALANCES).where(or_(*wanted))).mappings().all()
        return {Account(row["kind"], row["id"]): _balance(row) for row in rows}


def _every_day(connection: Connection) -> tuple[str, ...]:
    """From the first day that has totals to the last."""
    ends = connection.execute(select(func.min(DAILY_TOTALS.c.day), func.max(DAILY_TOTALS.c.day))).one()
    if ends[0] is None:
        return ()
    first, last = (date.fromisoformat(end) for end in ends)
    return tuple((last - number * _DAY).isoformat() for number in range(min((last - first).days + 1, _MOST_DAYS)))


def _totals(query: TotalsQuery, days: Sequence[str]) -> Select[Any]:
    table = DAILY_TOTALS.c
    where = [table.day.in_(days), table.kind == query.kind]
    if query.ids is not None:
        where.append(table.id.in_(query.ids))
    grouped = [table.id, table.day] if query.by_day else [table.id]
    cost = func.sum(table.cost, type_=table.cost.type).label("cost")
    sums = [cost if name == "cost" else func.sum(table[name]).label(name) for name in _FIGURES]
    order = [cost.desc(), table.id]
    found = (
        select(*sums, *grouped)
        .where(*where)
        .group_by(*grouped)
        .order_by(*([table.day, *order] if query.by_day else order))
        .limit(query.limit)
        .subquery()
    )
    return _named(query, found)


def _named(query: TotalsQuery, found: Any) -> Select[Any]:
    """With what keys and teams are called beside their ids."""
    names: list[ColumnElement[Any]] = [null(), null(), null()]
    source = found
    if query.kind == "key":
        names = [KEYS.c.alias, KEYS.c.token, KEYS.c.key_name]
        source = found.outerjoin(KEYS, KEYS.c.id == found.c.id)
    elif query.kind == "team":
        names[0] = TEAMS.c.alias
        source = found.outerjoin(TEAMS, TEAMS.c.id == found.c.id)
    labels = [column.label(name) for column, name in zip(names, ("name", "token", "key_name"), strict=True)]
    if not query.by_day:
        labels.append(null().label("day"))
    order = [found.c.cost.desc(), found.c.id]
    return select(*found.c, *labels).select_from(source).order_by(*([found.c.day, *order] if query.by_day else order))


def _row_figures() -> list[ColumnElement[Any]]:
    """What _figures takes, of the ledger's own rows. As in daily totals, only calls are counted."""
    row = LEDGER.c
    is_call = row.kind == "call"
    nothing = literal(0, row.bytes_in.type)
    return [
        _tally(is_call),
        _tally(is_call, row.status == "failure"),
        _tally(is_call, row.cost.is_(None)),
        *(func.sum(row[name]) for name in _COUNTS if name.endswith("_tokens")),
        func.coalesce(func.sum(row.cost, type_=row.cost.type), nothing),
        func.coalesce(func.sum(row.duration_ms), 0.0),
        *(nothing for _ in _BUCKETS),
    ]


def _tally(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((and_(*conditions), 1), else_=0))


def _figures(row: Any) -> Figures:
    """Out of what stands first in a row, in the order of _FIGURES. PostgreSQL sums BIGINT as NUMERIC."""
    buckets = tuple(map(int, row[_COST + 2 : _END]))
    counts = dict(zip(_COUNTS, map(int, row[:_COST]), strict=True))
    return Figures(**counts, cost=row[_COST], duration_ms=float(row[_COST + 1]), buckets=buckets)


def _entries(connection: Connection, query: RowsQuery) -> tuple[Entry, ...]:
    statement = (
        select(LEDGER)
        .where(*_filters(query))
        .order_by(LEDGER.c.started_at.desc(), LEDGER.c.request_id)
        .limit(query.limit)
        .offset(query.skip)
    )
    return tuple(entry_of(row) for row in connection.execute(statement).mappings())


def _count(connection: Connection, query: RowsQuery, most: int) -> int:
    """How many there are, but at most one more than `most`."""
    found = select(literal(1)).select_from(LEDGER).where(*_filters(query)).limit(most + 1)
    count: int = connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    return count


def _filters(query: RowsQuery) -> list[ColumnElement[bool]]:
    row = LEDGER.c
    found = [] if query.sight is None else [_seen(query.sight)]
    if query.since is not None:
        found.append(row.started_at >= query.since)
    if query.until is not None:
        found.append(row.started_at < query.until)
    if query.among is not None:
        group, ids = query.among
        found.append(row[group].in_(ids))
    if query.end_user is not None:
        # the index is on the names under which end users are counted, which is OTHER of those that are too many
        found.append(row.counted_end_user.in_((query.end_user, OTHER)))
        if query.end_user != OTHER:
            found.append(row.end_user == query.end_user)
    for name in _EXACT:
        value = getattr(query, name)
        if value is not None:
            found.append(row[name] == value)
    return found


def _seen(sight: Sight) -> ColumnElement[bool]:
    seen: list[ColumnElement[bool]] = []
    if sight.team_ids:
        seen.append(LEDGER.c.team_id.in_(sight.team_ids))
    if sight.key_id is not None:
        seen.append(LEDGER.c.key_id == sight.key_id)
    return or_(*seen) if seen else false()


def _balance(row: Mapping[Any, Any]) -> Balance:
    return Balance(
        spend=row["spend"],
        total_spend=row["total_spend"],
        held=row["held"],
        window=Window(row["duration"], row["resets_at"]),
        in_flight=row["in_flight"],
        minute=row["minute"],
        requests=row["requests"],
        tokens=row["tokens"],
    )
