"""Booking on SQLite, within a transaction that holds the write lock: what is read stays true until it ends."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from app.store import sqlite
from app.store.balance_moves import SQLITE, assigned, moved, sum_of
from app.store.driver import DriverConnection, Rows
from app.store.ledger_lines import COLUMNS, Line, LinesAreThere, moment_of
from app.store.ledger_sums import TOTALS, Sums
from app.store.money_rows import DAILY_TOTALS


def transaction(connection: DriverConnection) -> AbstractContextManager[None]:
    """For all that is here."""
    return sqlite.writing(connection)


alone = transaction


def book(
    connection: DriverConnection, lines: Sequence[Line], sums: Sums, tickets: Sequence[str], now: datetime
) -> Rows:
    """Rows of kind, id and spend, one for each balance that moved. Raises LinesAreThere where one of the lines is."""
    try:
        connection.run_each(_INSERT_LINE, [tuple(line.values()) for line in lines])
    except sqlite3.IntegrityError:
        raise LinesAreThere from None
    if tickets:
        _end(connection, tickets)
    sqlite.give_others_a_turn(connection.info)
    at = moment_of(now)
    spends: list[tuple[str, str, int]] = []
    for account, move in sums.moves.items():
        ((spend,),) = connection.rows(_MOVE_BALANCE, {**move.columns(account), "now": at})
        spends.append((account.kind, account.id, spend))
    connection.run_each(_ADD_TOTAL, [(*key, *map(parts.get, TOTALS, _NOTHING)) for key, parts in sums.totals().items()])
    return spends


def known(connection: DriverConnection, request_ids: Sequence[str]) -> set[str]:
    """Those of which there are lines."""
    return {name for (name,) in connection.rows(_KNOWN, (json.dumps(request_ids),))}


def taken_out(connection: DriverConnection, request_ids: Sequence[str], ended: str) -> Rows:
    """Delete the lines of these that ended so, and return their columns, in the order of the table's."""
    return connection.rows(_TAKE_OUT, (json.dumps(request_ids), ended))


def _end(connection: DriverConnection, tickets: Sequence[str]) -> None:
    freed: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for (claims,) in connection.rows(_END_TICKETS, (json.dumps(tickets),)):
        for kind, name, hold in json.loads(claims):
            account = freed[kind, name]
            account[0] += hold
            account[1] += 1
    connection.run_each(_FREE, [(*amounts, *account) for account, amounts in freed.items()])


_NOTHING = (0,) * len(TOTALS)
_DAY = [column.name for column in DAILY_TOTALS.primary_key]
_ADDED = {name: f"t.{name} + excluded.{name}" for name in TOTALS} | {"cost": sum_of(SQLITE, "t.cost", "excluded.cost")}
_INSERT_LINE = f"INSERT INTO ledger ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  # put together from names of our own columns
_KNOWN = "SELECT request_id FROM ledger WHERE request_id IN (SELECT value FROM json_each(?))"
_TAKE_OUT = f"""
DELETE FROM ledger WHERE request_id IN (SELECT value FROM json_each(?)) AND ended = ? RETURNING {", ".join(COLUMNS)}
"""  # noqa: S608  # the same
_END_TICKETS = "DELETE FROM tickets WHERE id IN (SELECT value FROM json_each(?)) RETURNING claims"
_FREE = "UPDATE balances SET held = max(0, held - ?), in_flight = max(0, in_flight - ?) WHERE kind = ? AND id = ?"
_MOVE_BALANCE = f"""
INSERT INTO balances AS b
    (kind, id, spend, total_spend, held, duration, resets_at, in_flight, minute, requests, tokens)
VALUES (:kind, :id, :open, :total, 0, :duration, :resets_at, 0, :minute, 0, :tokens)
ON CONFLICT (kind, id) DO UPDATE SET
        {assigned(moved(SQLITE))}
RETURNING spend
"""  # noqa: S608  # put together from names of our own columns
_ADD_TOTAL = f"""
INSERT INTO daily_totals AS t ({", ".join((*_DAY, *TOTALS))}) VALUES ({", ".join("?" * (len(_DAY) + len(TOTALS)))})
ON CONFLICT ({", ".join(_DAY)}) DO UPDATE SET
        {assigned(_ADDED)}
"""  # noqa: S608  # put together from names of our own columns
