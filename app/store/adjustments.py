"""What accounts spent, changed otherwise than by calls: balances, and the ledger's lines that say so.

Balances are locked here as bookings lock them, by their primary key, and last in a change: whoever books waits a
moment, and never in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.ledger_entries import Account, AccountKind, Adjustment, Charge, Entry, Window
from app.core.tickets import Balance
from app.store.ledger_lines import line_of, rounded, row_of_entry
from app.store.ledger_sums import TOTALS, Sums
from app.store.money_rows import BALANCES, DAILY_TOTALS, LEDGER

# what holds up calls at once
_LOCKED_AT_ONCE = 500
_COLUMNS = BALANCES.c
# by which field an entry says whose it is
NAMED: Mapping[AccountKind, str] = {
    "key": "key_id",
    "team": "team_id",
    "user": "user_id",
    "customer": "counted_end_user",
}
_NOTHING = {
    "spend": Decimal(0),
    "total_spend": Decimal(0),
    "held": Decimal(0),
    "in_flight": 0,
    "minute": 0,
    "requests": 0,
    "tokens": 0,
}
_WRITE = (
    update(BALANCES)
    .where(_COLUMNS.kind == bindparam("its_kind"), _COLUMNS.id == bindparam("its_id"))
    .values({name: bindparam(name) for name in ("spend", "total_spend", "duration", "resets_at")})
)


def adjust(connection: Connection, adjustments: Iterable[Adjustment], now: datetime) -> None:
    """Make them, those of one account in the order given."""
    wanted = sorted(adjustments, key=lambda one: one.account)
    accounts = sorted({one.account for one in wanted})
    balances: dict[Account, Balance] = {}
    for first in range(0, len(accounts), _LOCKED_AT_ONCE):
        balances |= _locked(connection, accounts[first : first + _LOCKED_AT_ONCE])
    entries, sums = [], Sums()
    for one in wanted:
        before = balances[one.account]
        before = before.at(one.window, now, before.minute)
        entry, after = _adjusted(one, before, now)
        balances[one.account] = after
        entries.append(entry)
    for entry in entries:
        if entry.charge.cost:
            sums.count(line_of(entry), (), ())
    if entries:
        connection.execute(_WRITE, [_written(account, balance) for account, balance in balances.items()])
        connection.execute(insert(LEDGER), [row_of_entry(entry) for entry in entries])
    _add_totals(connection, sums)


def spenders(
    connection: Connection, after: Account | None, now: datetime
) -> tuple[tuple[Account, Window, Decimal], ...]:
    """The next keys and teams that have spent anything in their windows, with those windows and what they spent."""
    found = select(BALANCES).where(_COLUMNS.kind.in_(("key", "team")), _COLUMNS.spend != Decimal(0))
    found = found.where((_COLUMNS.resets_at.is_(None)) | (_COLUMNS.resets_at > now))
    if after is not None:
        found = found.where(tuple_(_COLUMNS.kind, _COLUMNS.id) > tuple_(after.kind, after.id))
    rows = connection.execute(found.order_by(_COLUMNS.kind, _COLUMNS.id).limit(_LOCKED_AT_ONCE))
    return tuple((Account(row.kind, row.id), Window(row.duration, row.resets_at), row.spend) for row in rows)


def _adjusted(one: Adjustment, before: Balance, now: datetime) -> tuple[Entry, Balance]:
    made = Entry(
        request_id=f"{'carried' if one.spend is None else 'adjustment'}-{uuid4()}",
        started_at=now,
        ended_at=now,
        kind="carried" if one.spend is None else "adjustment",
        note={"by": one.by},
        **one.names,
    )
    if one.spend is None:
        cost = rounded(one.carried)
        after = replace(before, spend=before.spend + cost, total_spend=before.total_spend + cost)
        return replace(made, charge=Charge(cost=cost)), after
    spend = rounded(one.spend)
    note = {"spend_from": _shown(before.spend), "spend_to": _shown(spend), "by": one.by}
    return replace(made, charge=Charge(cost=Decimal(0)), note=note), replace(before, spend=spend)


def _shown(usd: Decimal) -> str:
    return format(usd.normalize(), "f")


def _locked(connection: Connection, accounts: Sequence[Account]) -> dict[Account, Balance]:
    """Each that is not there yet is made; all are locked one after the other, as they are sorted."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{"kind": account.kind, "id": account.id, **_NOTHING} for account in accounts]
    statement = dialect.insert(BALANCES).values(rows)
    statement = statement.on_conflict_do_update(index_elements=["kind", "id"], set_={"spend": _COLUMNS.spend})
    return {
        Account(row.kind, row.id): Balance(
            row.spend, row.total_spend, row.held, Window(row.duration, row.resets_at), row.in_flight, row.minute
        )
        for row in connection.execute(statement.returning(BALANCES))
    }


def _written(account: Account, balance: Balance) -> Mapping[str, Any]:
    return {
        "its_kind": account.kind,
        "its_id": account.id,
        "spend": balance.spend,
        "total_spend": balance.total_spend,
        "duration": balance.window.duration,
        "resets_at": balance.window.resets_at,
    }


def _add_totals(connection: Connection, sums: Sums) -> None:
    """What is carried counts by its cost alone."""
    totals = sums.totals()
    if not totals:
        return
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    nothing: dict[str, Any] = dict.fromkeys(TOTALS, 0)
    rows = [
        {"day": day, "kind": kind, "id": name, **nothing, "cost": Decimal(parts["cost"]).scaleb(-12)}
        for (day, kind, name), parts in sorted(totals.items())
    ]
    statement = dialect.insert(DAILY_TOTALS).values(rows)
    added = {"cost": DAILY_TOTALS.c.cost + statement.excluded.cost}
    connection.execute(statement.on_conflict_do_update(index_elements=["day", "kind", "id"], set_=added))
