"""Booking on PostgreSQL: one statement, made ready once a connection, for all that a batch moves.

It locks the ledger's new lines, tickets, balances, daily totals, in this order, and of each the rows by primary key, so
that those who book at the same time wait for each other and never in a circle. Where a line is there already, all of it
fails.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from app.core.ledger_entries import Account
from app.store.balance_moves import POSTGRESQL, assigned, moved, sum_of
from app.store.column_types import Json
from app.store.ledger_lines import Line
from app.store.ledger_sums import TOTALS, Sums
from app.store.money_rows import DAILY_TOTALS, LEDGER

_UNIQUE, _NOT_NULL, _NO_SUCH_STATEMENT = "23505", "23502", "26000"
_PREPARED = "outcrop_booking_prepared"
_EXECUTE = "EXECUTE outcrop_book (%s, %s, %s, %s, %s)"


class LinesAreThere(Exception):
    """Of the lines to be booked, one or more."""


class BalancesAreMissing(Exception):
    """Of the accounts that a batch moves."""


def book(
    connection: Connection, lines: Sequence[Line], sums: Sums, tickets: Sequence[str], now: datetime
) -> Iterable[Any]:
    """Rows of kind, id and spend, one for each balance that moved.

    Raises LinesAreThere where one of the lines is, and BalancesAreMissing where one is: nothing was booked.
    """
    if _PREPARED not in connection.info:
        connection.exec_driver_sql(_STATEMENT)
        connection.info[_PREPARED] = True
    values = (_of_lines(lines), json.dumps(tickets), _of_moves(sums), _of_totals(sums), now)
    try:
        return connection.exec_driver_sql(_EXECUTE, values).all()
    except DBAPIError as error:
        code = getattr(error.orig, "pgcode", None)
        if code == _UNIQUE:
            raise LinesAreThere from None
        if code == _NOT_NULL:
            raise BalancesAreMissing from None
        if code == _NO_SUCH_STATEMENT:
            del connection.info[_PREPARED]  # a pooler between us and the server gave us another session
        raise


def known(connection: Connection, request_ids: Sequence[str]) -> set[str]:
    """Those of which there are lines."""
    return set(connection.exec_driver_sql(_KNOWN, (list(request_ids),)).scalars())


def add_balances(connection: Connection, accounts: Iterable[Account]) -> None:
    """Those that are not there, with nothing spent. In a transaction of its own."""
    said = json.dumps([{"kind": account.kind, "id": account.id} for account in accounts])
    connection.exec_driver_sql(_ADD_BALANCES, (said,))


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Several statements as one, on a connection that ends each by itself."""
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _of_lines(lines: Iterable[Line]) -> str:
    said = [{name: value for name, value in line.items() if value is not None} for line in lines]
    return json.dumps(said, default=datetime.isoformat)


def _of_moves(sums: Sums) -> str:
    moves = [
        {
            "kind": account.kind,
            "id": account.id,
            "ended_at": move.ended_at,
            "duration": move.window.duration,
            "resets_at": move.window.resets_at,
            "open": move.open,
            "total": move.total,
            "minute": move.minute,
            "tokens": move.tokens,
            "tokens_before": move.tokens_before,
        }
        for account, move in sums.moves.items()
    ]
    return json.dumps(moves, default=datetime.isoformat)


def _of_totals(sums: Sums) -> str:
    return json.dumps(
        [{"day": day, "kind": kind, "id": name, **parts} for (day, kind, name), parts in sums.totals.items()]
    )


def _typed(table: Table, names: Iterable[str]) -> str:
    """As json_to_recordset wants to be told; JSON comes as text, so that what is in it is not looked into."""
    return ", ".join(f"{name} {_TYPES[type(table.c[name].type).__name__]}" for name in names)


_TYPES: Mapping[str, str] = {
    "Words": 'text COLLATE "C"',
    "Moment": "timestamptz",
    "Count": "bigint",
    "Dollars": "bigint",
    "Float": "double precision",
    "Boolean": "boolean",
    "Json": "text",
}
_LINE = [column.name for column in LEDGER.c]
_SELECTED = ", ".join(f"{column.name}::json" if isinstance(column.type, Json) else column.name for column in LEDGER.c)
_DAY = [column.name for column in DAILY_TOTALS.primary_key]
_MOVED = assigned(moved(POSTGRESQL))
_ADDED = {name: f"t.{name} + excluded.{name}" for name in TOTALS} | {
    "cost": sum_of(POSTGRESQL, "t.cost", "excluded.cost")
}
_KNOWN = "SELECT request_id FROM ledger WHERE request_id = ANY(%s)"
_ADD_BALANCES = """
INSERT INTO balances (kind, id, spend, total_spend, held, in_flight, minute, requests, tokens)
SELECT kind, id, 0, 0, 0, 0, 0, 0, 0 FROM json_to_recordset(%s) AS new (kind text COLLATE "C", id text COLLATE "C")
ORDER BY kind, id ON CONFLICT DO NOTHING
"""

_STATEMENT = f"""
PREPARE outcrop_book (json, json, json, json, timestamptz) AS
WITH booked AS (
    INSERT INTO ledger ({", ".join(_LINE)})
    SELECT {_SELECTED} FROM json_to_recordset($1) AS line ({_typed(LEDGER, _LINE)})
    ORDER BY request_id
    RETURNING 1
), ended AS (
    DELETE FROM tickets
    WHERE (SELECT count(*) FROM booked) >= 0 AND id IN (SELECT json_array_elements_text($2) COLLATE "C")
    RETURNING claims
), freed AS (
    SELECT (claim ->> 0) COLLATE "C" AS kind, (claim ->> 1) COLLATE "C" AS id,
        sum((claim ->> 2)::bigint) AS hold, count(*) AS places
    FROM ended, json_array_elements(ended.claims) AS claim
    GROUP BY 1, 2
), move AS MATERIALIZED (
    SELECT coalesce(paid.kind, freed.kind) AS kind, coalesce(paid.id, freed.id) AS id, paid.ended_at, paid.duration,
        paid.resets_at, coalesce(paid.open, 0) AS open, coalesce(paid.total, 0) AS total, paid.minute, paid.tokens,
        paid.tokens_before, coalesce(freed.hold, 0) AS hold, coalesce(freed.places, 0) AS places
    FROM json_to_recordset($3) AS paid (
        kind text COLLATE "C", id text COLLATE "C", ended_at timestamptz, duration text COLLATE "C",
        resets_at timestamptz, open bigint, total bigint, minute bigint, tokens bigint, tokens_before bigint
    ) FULL JOIN freed ON paid.kind = freed.kind AND paid.id = freed.id
), there AS MATERIALIZED (
    SELECT b.kind, b.id FROM move JOIN balances AS b ON b.kind = move.kind AND b.id = move.id
    ORDER BY b.kind, b.id FOR UPDATE OF b
), updated AS (
    UPDATE balances AS b SET
        held = greatest(0, b.held - m.hold),
        in_flight = greatest(0, b.in_flight - m.places),
        {_MOVED}
    FROM there JOIN move AS m ON m.kind = there.kind AND m.id = there.id
    WHERE b.kind = there.kind AND b.id = there.id
    RETURNING b.kind, b.id, b.spend
), missing AS (
    -- a balance is there before it moves: made here, its place in the order of locks would depend on who made it
    INSERT INTO balances (kind, id)
    SELECT m.kind, m.id FROM move AS m LEFT JOIN there ON there.kind = m.kind AND there.id = m.id
    WHERE there.kind IS NULL AND m.ended_at IS NOT NULL
), counted AS (
    INSERT INTO daily_totals AS t ({", ".join((*_DAY, *TOTALS))})
    SELECT {", ".join(_DAY)}, {", ".join(f"coalesce({name}, 0)" for name in TOTALS)}
    FROM json_to_recordset($4) AS total ({_typed(DAILY_TOTALS, (*_DAY, *TOTALS))})
    ORDER BY {", ".join(_DAY)}
    ON CONFLICT ({", ".join(_DAY)}) DO UPDATE SET
        {assigned(_ADDED)}
)
SELECT kind, id, spend FROM updated
"""  # noqa: S608  # put together from names of our own columns
