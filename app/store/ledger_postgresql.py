"""Booking on PostgreSQL: one statement, made ready once a connection, for all that a batch moves.

It locks the ledger's new lines, tickets, balances, daily totals, in this order, and of each the rows by primary key, so
that those who book at the same time wait for each other and never in a circle. Where a line is there already, all of it
fails.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from psycopg2 import errors
from sqlalchemy import Table

from app.core.ledger_entries import Account
from app.store.balance_moves import POSTGRESQL, assigned, moved, sum_of
from app.store.column_types import Json, call_json
from app.store.driver import DriverConnection, Rows
from app.store.ledger_lines import COLUMNS, Line, LinesAreThere, moment_of
from app.store.ledger_sums import TOTALS, Sums
from app.store.money_rows import DAILY_TOTALS, LEDGER

_PREPARED = "outcrop_booking_prepared"
_EXECUTE = "EXECUTE outcrop_book (%s, %s, %s, %s, %s)"


class BalancesAreMissing(Exception):
    """Of the accounts that a batch moves."""


def alone(_: DriverConnection) -> AbstractContextManager[None]:
    """For `book` and nothing else: it is one statement."""
    return nullcontext()


def transaction(connection: DriverConnection) -> AbstractContextManager[None]:
    """For all that is here."""
    return connection.transaction()


def book(
    connection: DriverConnection, lines: Sequence[Line], sums: Sums, tickets: Sequence[str], now: datetime
) -> Rows:
    """Rows of kind, id and spend, one for each balance that moved.

    Raises LinesAreThere where one of the lines is, and BalancesAreMissing where one is: nothing was booked.
    """
    if _PREPARED not in connection.info:
        connection.run(_STATEMENT)
        connection.info[_PREPARED] = True
    values = (call_json(lines), call_json(tickets), _of_moves(sums), _of_totals(sums), f"{moment_of(now)}+00")
    try:
        return connection.rows(_EXECUTE, values)
    except errors.UniqueViolation:
        raise LinesAreThere from None
    except errors.NotNullViolation:
        raise BalancesAreMissing from None
    except errors.InvalidSqlStatementName:
        del connection.info[_PREPARED]  # a pooler between us and the server gave us another session
        raise


def known(connection: DriverConnection, request_ids: Sequence[str]) -> set[str]:
    """Those of which there are lines."""
    return {name for (name,) in connection.rows(_KNOWN, (list(request_ids),))}


def taken_out(connection: DriverConnection, request_ids: Sequence[str], ended: str) -> Rows:
    """Delete the lines of these that ended so, and return their columns, in the order of the table's."""
    return connection.rows(_TAKE_OUT, (list(request_ids), ended))


def add_balances(connection: DriverConnection, accounts: Iterable[Account]) -> None:
    """Those that are not there, with nothing spent. In a transaction of its own."""
    connection.run(_ADD_BALANCES, (call_json([{"kind": account.kind, "id": account.id} for account in accounts]),))


def _of_moves(sums: Sums) -> str:
    return call_json([move.columns(account) for account, move in sums.moves.items()])


def _of_totals(sums: Sums) -> str:
    return call_json(
        [{"day": day, "kind": kind, "id": name, **parts} for (day, kind, name), parts in sums.totals().items()]
    )


def _typed(table: Table, names: Iterable[str]) -> str:
    """As json_to_recordset wants to be told; JSON comes as text, so that what is in it is not looked into."""
    return ", ".join(f"{name} {_TYPES[type(table.c[name].type).__name__]}" for name in names)


_TYPES: Mapping[str, str] = {
    "Words": 'text COLLATE "C"',
    "Moment": "timestamp",  # in UTC without saying so
    "Count": "bigint",
    "Dollars": "bigint",
    "Float": "double precision",
    "Boolean": "boolean",
    "Json": "text",
}
_STORED: Mapping[str, str] = {"Json": "::json", "Moment": " AT TIME ZONE 'UTC'"}
_SELECTED = ", ".join(f"{name}{_STORED.get(type(LEDGER.c[name].type).__name__, '')}" for name in COLUMNS)
_READ = ", ".join(f"{name}::text" if isinstance(LEDGER.c[name].type, Json) else name for name in COLUMNS)
_DAY = [column.name for column in DAILY_TOTALS.primary_key]
_MOVED = assigned(moved(POSTGRESQL))
_ADDED = {name: f"t.{name} + excluded.{name}" for name in TOTALS} | {
    "cost": sum_of(POSTGRESQL, "t.cost", "excluded.cost")
}
_KNOWN = "SELECT request_id FROM ledger WHERE request_id = ANY(%s)"
_TAKE_OUT = f"DELETE FROM ledger WHERE request_id = ANY(%s) AND ended = %s RETURNING {_READ}"  # noqa: S608  # put together from names of our own columns
_ADD_BALANCES = """
INSERT INTO balances (kind, id, spend, total_spend, held, in_flight, minute, requests, tokens)
SELECT kind, id, 0, 0, 0, 0, 0, 0, 0 FROM json_to_recordset(%s) AS new (kind text COLLATE "C", id text COLLATE "C")
ORDER BY kind, id ON CONFLICT DO NOTHING
"""

_STATEMENT = f"""
PREPARE outcrop_book (json, json, json, json, timestamptz) AS
WITH booked AS (
    INSERT INTO ledger ({", ".join(COLUMNS)})
    SELECT {_SELECTED} FROM json_to_recordset($1) AS line ({_typed(LEDGER, COLUMNS)})
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
    SELECT coalesce(paid.kind, freed.kind) AS kind, coalesce(paid.id, freed.id) AS id, paid.duration,
        paid.ended_at AT TIME ZONE 'UTC' AS ended_at, paid.resets_at AT TIME ZONE 'UTC' AS resets_at,
        coalesce(paid.open, 0) AS open, coalesce(paid.total, 0) AS total, paid.minute, paid.tokens, paid.tokens_before,
        coalesce(freed.hold, 0) AS hold, coalesce(freed.places, 0) AS places
    FROM json_to_recordset($3) AS paid (
        kind text COLLATE "C", id text COLLATE "C", ended_at timestamp, duration text COLLATE "C",
        resets_at timestamp, open bigint, total bigint, minute bigint, tokens bigint, tokens_before bigint
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
