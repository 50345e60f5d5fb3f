"""Tickets on PostgreSQL: two times to the server and back, with statements made ready once a connection.

The transaction begins with the first statement and ends with the last.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2 import errors

from app.core.ledger_entries import Account
from app.store import ledger_postgresql
from app.store.column_types import call_json
from app.store.driver import DriverConnection, Rows
from app.store.ticket_batch import COLUMNS

_PREPARED = "outcrop_tickets_prepared"
# A row that others hold: the server says so instead of saying nothing, which would look as if it were away.
_BEGIN = "BEGIN; SET LOCAL lock_timeout = '100ms';"
_EXECUTE_END = "EXECUTE outcrop_tickets_end (%s)"
_EXECUTE_LOCK = "EXECUTE outcrop_tickets_lock (%s, %s)"
_EXECUTE_WRITE = "EXECUTE outcrop_tickets_write (%s, %s); COMMIT"
add_balances = ledger_postgresql.add_balances


@contextmanager
def transaction(connection: DriverConnection) -> Iterator[None]:
    """Around all that is here, but `add_balances`. What was not written is undone."""
    if _PREPARED not in connection.info:
        connection.run(_STATEMENTS)
        connection.info[_PREPARED] = True
    try:
        yield
    except Exception as error:
        if isinstance(error, errors.InvalidSqlStatementName):
            del connection.info[_PREPARED]  # a pooler between us and the server gave us another session
        _undo(connection)
        raise
    _undo(connection)


def end(connection: DriverConnection, ids: Sequence[str]) -> Iterable[str]:
    """Delete these tickets; those that were there."""
    return [name for (name,) in connection.rows(f"{_BEGIN} {_EXECUTE_END}", (list(ids),))]


def lock(connection: DriverConnection, accounts: Sequence[Account]) -> Rows:
    """Their balances' COLUMNS and total_spend."""
    kinds, ids = [account.kind for account in accounts], [account.id for account in accounts]
    return connection.rows(f"{_BEGIN if connection.rests else ''} {_EXECUTE_LOCK}", (kinds, ids))


def write(
    connection: DriverConnection, balances: Sequence[Mapping[str, Any]], tickets: Sequence[Mapping[str, Any]]
) -> None:
    """COLUMNS of balances that are there, and new tickets."""
    connection.run(_EXECUTE_WRITE, (call_json(balances), call_json(tickets)))


def _undo(connection: DriverConnection) -> None:
    if not connection.broken and not connection.rests:
        connection.run("ROLLBACK")


_STATEMENTS = f"""
PREPARE outcrop_tickets_end (text[]) AS
DELETE FROM tickets WHERE id = ANY ($1) RETURNING id;
PREPARE outcrop_tickets_lock (text[], text[]) AS
SELECT {", ".join(f"b.{name}" for name in (*COLUMNS, "total_spend"))} FROM balances AS b
JOIN unnest($1, $2) AS wanted (kind, id) USING (kind, id) ORDER BY b.kind, b.id FOR UPDATE OF b;
PREPARE outcrop_tickets_write (json, json) AS
WITH given AS (
    INSERT INTO tickets (id, worker, taken_at, minute, claims, call)
    SELECT id, worker, taken_at AT TIME ZONE 'UTC', minute, claims::json, call::json
    FROM json_to_recordset($2) AS new (
        id text, worker text, taken_at timestamp, minute bigint, claims text, call text
    )
)
UPDATE balances AS b SET spend = n.spend, held = n.held, duration = n.duration,
    resets_at = n.resets_at AT TIME ZONE 'UTC', in_flight = n.in_flight, minute = n.minute, requests = n.requests,
    tokens = n.tokens
FROM json_to_recordset($1) AS n (
    kind text, id text, spend bigint, held bigint, duration text, resets_at timestamp, in_flight bigint, minute bigint,
    requests bigint, tokens bigint
) WHERE b.kind = n.kind AND b.id = n.id
"""  # noqa: S608  # put together from names of our own columns
