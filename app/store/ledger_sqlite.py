"""Booking on SQLite, within a transaction that holds the write lock: what is read stays true until it ends."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from app.core.ledger_entries import Account
from app.store.balance_moves import SQLITE, assigned, moved, sum_of
from app.store.ledger_lines import Line
from app.store.ledger_sums import TOTALS, Move, Sums
from app.store.money_rows import DAILY_TOTALS, LEDGER


def book(
    connection: Connection, lines: Sequence[Line], sums: Sums, tickets: Sequence[str], now: datetime
) -> Iterable[Any]:
    """Rows of kind, id and spend, one for each balance that moved. The lines are not there yet."""
    if lines:
        connection.exec_driver_sql(_INSERT_LINE, [_of_line(line) for line in lines])
    if tickets:
        _end(connection, tickets)
    if sums.moves:
        connection.exec_driver_sql(
            _MOVE_BALANCE, [_of_move(account, move, now) for account, move in sums.moves.items()]
        )
    if sums.totals:
        connection.exec_driver_sql(
            _ADD_TOTAL, [(*key, *(parts.get(name, 0) for name in TOTALS)) for key, parts in sums.totals.items()]
        )
    accounts = json.dumps([[account.kind, account.id] for account in sums.moves])
    return connection.exec_driver_sql(_SPENDS, (accounts,)).all()


def known(connection: Connection, request_ids: Sequence[str]) -> set[str]:
    """Those of which there are lines."""
    return set(connection.exec_driver_sql(_KNOWN, (json.dumps(request_ids),)).scalars())


def _end(connection: Connection, tickets: Sequence[str]) -> None:
    freed: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    ids = (json.dumps(tickets),)
    for (claims,) in connection.exec_driver_sql(_CLAIMS, ids).all():
        for kind, name, hold in json.loads(claims):
            account = freed[kind, name]
            account[0] += hold
            account[1] += 1
    if freed:
        connection.exec_driver_sql(_END_TICKETS, ids)
        connection.exec_driver_sql(_FREE, [(*amounts, *account) for account, amounts in freed.items()])


def _of_line(line: Line) -> tuple[Any, ...]:
    values = (line[name] for name in _LINE)
    return tuple(_moment(value) if isinstance(value, datetime) else value for value in values)


def _of_move(account: Account, move: Move, now: datetime) -> dict[str, Any]:
    resets_at = move.window.resets_at
    return {
        "kind": account.kind,
        "id": account.id,
        "ended_at": _moment(move.ended_at),
        "duration": move.window.duration,
        "resets_at": _moment(resets_at) if resets_at else None,
        "open": move.open,
        "total": move.total,
        "minute": move.minute,
        "tokens": move.tokens,
        "tokens_before": move.tokens_before,
        "now": _moment(now),
    }


def _moment(moment: datetime) -> str:
    """As the tables' columns hold it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_LINE = [column.name for column in LEDGER.c]
_DAY = [column.name for column in DAILY_TOTALS.primary_key]
_ADDED = {name: f"t.{name} + excluded.{name}" for name in TOTALS} | {"cost": sum_of(SQLITE, "t.cost", "excluded.cost")}
_INSERT_LINE = f"INSERT INTO ledger ({', '.join(_LINE)}) VALUES ({', '.join('?' * len(_LINE))})"  # noqa: S608  # put together from names of our own columns
_KNOWN = "SELECT request_id FROM ledger WHERE request_id IN (SELECT value FROM json_each(?))"
_CLAIMS = "SELECT claims FROM tickets WHERE id IN (SELECT value FROM json_each(?))"
_END_TICKETS = "DELETE FROM tickets WHERE id IN (SELECT value FROM json_each(?))"
_FREE = "UPDATE balances SET held = max(0, held - ?), in_flight = max(0, in_flight - ?) WHERE kind = ? AND id = ?"
_MOVE_BALANCE = f"""
INSERT INTO balances AS b
    (kind, id, spend, total_spend, held, duration, resets_at, in_flight, minute, requests, tokens)
VALUES (:kind, :id, :open, :total, 0, :duration, :resets_at, 0, :minute, 0, :tokens)
ON CONFLICT (kind, id) DO UPDATE SET
        {assigned(moved(SQLITE))}
"""  # noqa: S608  # put together from names of our own columns
_ADD_TOTAL = f"""
INSERT INTO daily_totals AS t ({", ".join((*_DAY, *TOTALS))}) VALUES ({", ".join("?" * (len(_DAY) + len(TOTALS)))})
ON CONFLICT ({", ".join(_DAY)}) DO UPDATE SET
        {assigned(_ADDED)}
"""  # noqa: S608  # put together from names of our own columns
_SPENDS = """
SELECT b.kind, b.id, b.spend FROM json_each(?) AS one JOIN balances AS b
ON b.kind = json_extract(one.value, '$[0]') AND b.id = json_extract(one.value, '$[1]')
"""
