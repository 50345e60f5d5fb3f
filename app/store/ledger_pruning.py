"""How the ledger is kept short: calls of long ago become one line for all that had the same payers."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from app.core.ledger_entries import Charge, Entry
from app.store.changes import lock_version
from app.store.database import Database
from app.store.ledger_lines import day_of, row_of_entry
from app.store.money_rows import LEDGER

# rows whose lines are locked at once
_BATCH = 500
_PAYERS = ("key_id", "team_id", "user_id", "counted_end_user")
_PAYER_COLUMNS = tuple(LEDGER.c[name] for name in _PAYERS)
_Payers = tuple[str | None, ...]


def prune(database: Database, older_than: datetime, progress: Callable[[int], None]) -> int:
    """As LedgerStore.prune has it."""
    gone, since = 0, None
    while True:
        with database.change() as connection:
            lock_version(connection)  # one at a time: two would carry into the same lines
            batch = _taken(connection, older_than, since)
            _carry(connection, batch)
        if not batch:
            return gone
        gone += len(batch)
        # the index need not be read from its start again, where lines are that stay
        since = max(row["started_at"] for row in batch)
        progress(gone)


def _taken(connection: Connection, older_than: datetime, since: datetime | None) -> list[RowMapping]:
    old = select(LEDGER.c.request_id).where(LEDGER.c.kind == "call", LEDGER.c.started_at < older_than)
    if since is not None:
        old = old.where(LEDGER.c.started_at >= since)
    ids = connection.execute(old.order_by(LEDGER.c.started_at).limit(_BATCH)).scalars().all()
    gone = delete(LEDGER).where(LEDGER.c.request_id.in_(ids))
    columns = (*_PAYER_COLUMNS, LEDGER.c.started_at, LEDGER.c.cost)
    return list(connection.execute(gone.returning(*columns)).mappings()) if ids else []


def _carry(connection: Connection, gone: Iterable[RowMapping]) -> None:
    groups: dict[_Payers, list[RowMapping]] = {}
    for row in gone:
        if row["cost"]:
            groups.setdefault(tuple(row[name] for name in _PAYERS), []).append(row)
    there = _carried(connection, [_line_id(payers) for payers in groups])
    for payers, rows in groups.items():
        cost = sum((row["cost"] for row in rows), Decimal(0))
        latest = max(row["started_at"] for row in rows)
        before = there.get(_line_id(payers))
        if before is None:
            entry = Entry(
                request_id=_line_id(payers),
                started_at=latest,
                ended_at=latest,
                kind="carried",
                charge=Charge(cost=cost),
                note={"pruned": len(rows)},
                **dict(zip(_PAYERS, payers, strict=True)),  # type: ignore[arg-type]  # names of texts, as above
            )
            connection.execute(insert(LEDGER), row_of_entry(entry))
            continue
        latest = max(latest, before["started_at"])
        connection.execute(
            update(LEDGER).where(LEDGER.c.request_id == before["request_id"]),
            {
                "cost": before["cost"] + cost,
                "started_at": latest,
                "ended_at": latest,
                "day": day_of(latest),
                "note": {"pruned": before["note"]["pruned"] + len(rows)},
            },
        )


def _carried(connection: Connection, ids: list[str]) -> dict[str, RowMapping]:
    statement = select(LEDGER).where(LEDGER.c.request_id.in_(ids))
    return {row["request_id"]: row for row in connection.execute(statement).mappings()}


def _line_id(payers: Iterable[Any]) -> str:
    """The same for the same payers, so that there is one line of them, however often the ledger is pruned."""
    return f"carried-{sha256(json.dumps(list(payers)).encode()).hexdigest()[:32]}"
