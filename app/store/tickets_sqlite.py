"""Tickets on SQLite, within a transaction that holds the write lock."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from app.core.ledger_entries import Account
from app.store import sqlite
from app.store.driver import DriverConnection, Rows
from app.store.ticket_batch import COLUMNS

_WRITTEN = COLUMNS[2:]


def transaction(connection: DriverConnection) -> AbstractContextManager[None]:
    """Around all that is here, but `add_balances`."""
    return sqlite.writing(connection)


def end(connection: DriverConnection, ids: Sequence[str]) -> Iterable[str]:
    """Delete these tickets; those that were there."""
    return [name for (name,) in connection.rows(_END, (json.dumps(ids),))]


def lock(connection: DriverConnection, accounts: Sequence[Account]) -> Rows:
    """Their balances' COLUMNS and total_spend; locked is all of the database."""
    return connection.rows(_READ, (json.dumps([[account.kind, account.id] for account in accounts]),))


def write(
    connection: DriverConnection, balances: Sequence[Mapping[str, Any]], tickets: Sequence[Mapping[str, Any]]
) -> None:
    """COLUMNS of balances that are there, and new tickets."""
    connection.run_each(_WRITE, balances)
    sqlite.give_others_a_turn(connection.info)
    connection.run_each(_GIVE, tickets)


def add_balances(connection: DriverConnection, accounts: Iterable[Account]) -> None:
    """Those that are not there, of accounts that have spent nothing yet. A transaction of its own."""
    with sqlite.writing(connection):
        connection.run_each(_ADD, [(account.kind, account.id) for account in accounts])


_END = "DELETE FROM tickets WHERE id IN (SELECT value FROM json_each(?)) RETURNING id"
_READ = f"""
SELECT {", ".join(f"b.{name}" for name in (*COLUMNS, "total_spend"))} FROM json_each(?) AS one JOIN balances AS b
ON b.kind = json_extract(one.value, '$[0]') AND b.id = json_extract(one.value, '$[1]')
"""  # noqa: S608  # put together from names of our own columns
_WRITE = f"UPDATE balances SET {', '.join(f'{name} = :{name}' for name in _WRITTEN)} WHERE kind = :kind AND id = :id"  # noqa: S608  # the same
_GIVE = """
INSERT INTO tickets (id, worker, taken_at, minute, claims, call)
VALUES (:id, :worker, :taken_at, :minute, :claims, :call)
"""
_ADD = """
INSERT INTO balances (kind, id, spend, total_spend, held, in_flight, minute, requests, tokens)
VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING
"""
