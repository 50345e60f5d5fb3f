"""Where ended calls are booked: their lines, what their accounts spent, their tickets' end, the totals of the day.

Each line once, by its request id, however often and from wherever it is handed in: all that a batch moves is booked
with its lines, or nothing is.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Account, Posting
from app.store import ledger_postgresql, ledger_sqlite
from app.store.database import Database
from app.store.driver import DRIVER_ERRORS, DriverConnection, Rows
from app.store.ledger_lines import COLUMNS, Line, LinesAreThere, line_of
from app.store.ledger_pruning import prune
from app.store.ledger_sums import Sums, sums_of

_ATTEMPTS = 8
_MOST_REMEMBERED = 100_000
# PostgreSQL's codes: somebody else's transaction was preferred, a pooler gave us another session than before
_PASSING = ("40001", "40P01", "26000")
_PLACES = 12
_KILLED = "gateway_killed"
# JSON that says under what a line was counted
_COUNTED = ("key_tags", "claimed_tags", "note")


class _Sql(Protocol):
    """What both databases do, each in its own words: ledger_sqlite.py, ledger_postgresql.py."""

    def alone(self, connection: DriverConnection, /) -> AbstractContextManager[None]: ...
    def transaction(self, connection: DriverConnection, /) -> AbstractContextManager[None]: ...
    def book(
        self, connection: DriverConnection, lines: Sequence[Line], sums: Sums, tickets: Sequence[str], now: datetime
    ) -> Rows: ...
    def known(self, connection: DriverConnection, request_ids: Sequence[str]) -> set[str]: ...
    def taken_out(self, connection: DriverConnection, request_ids: Sequence[str], ended: str) -> Rows: ...


class LedgerStore:
    """The ledger's lines and the balances and totals that they move. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`clock`: UTC; tells postings that come late from those of budget windows under way."""
        self._database = database
        self._clock = clock
        self._sql: _Sql = ledger_sqlite if database.is_sqlite else ledger_postgresql
        # accounts whose balances are known to be there; of PostgreSQL only
        self._there: set[Account] = set()

    def book(self, postings: Sequence[Posting]) -> Mapping[Account, Decimal]:
        """Book what is not booked yet, and end all tickets named. In any order, any number of times, by any number of
        processes: what is there already changes nothing, except that it takes the place of a `gateway_killed` line,
        whose cost is nobody's.

        Returns the accounts that moved, with what they have spent in their budget windows now, in US dollars. A ticket
        that is not there gives nothing back.
        """
        wanted = _once(postings)
        tickets = sorted({posting.ticket for posting in postings if posting.ticket is not None})
        for attempt in range(_ATTEMPTS):
            try:
                with self._database.booking() as connection:
                    try:
                        return self._book(connection, wanted, tickets)
                    except DRIVER_ERRORS as error:
                        if _passes(error, connection, attempt):
                            raise _Again from None
                        raise
            except (_Again, LinesAreThere, ledger_postgresql.BalancesAreMissing):
                self._there.clear()
        raise StoreUnavailable("The ledger is too busy. Try again in a few seconds.", retry_after=1)

    def prune(self, older_than: datetime, progress: Callable[[int], None] = lambda _: None) -> int:
        """Delete the lines of calls that started before, and return how many they were.

        What they cost stands in a `carried` line for each key, team, user and end user that they had in common, so that
        the sum of an account's lines stays what it spent; the totals of the days stay. `progress` is told how many are
        gone, after each of many short transactions. A line that is deleted could be booked again: let `older_than` be
        earlier than whatever may still wait to be booked.
        """
        return prune(self._database, older_than, progress)

    def _book(
        self, connection: DriverConnection, wanted: Sequence[Posting], tickets: list[str]
    ) -> dict[Account, Decimal]:
        if not self._database.is_sqlite:
            self._add_balances(connection, wanted)
        try:
            with self._sql.alone(connection):
                return self._book_new(connection, wanted, tickets, {})
        except LinesAreThere:
            with self._sql.transaction(connection):
                return self._book_unknown(connection, wanted, tickets)

    def _book_unknown(
        self, connection: DriverConnection, wanted: Sequence[Posting], tickets: list[str]
    ) -> dict[Account, Decimal]:
        """Of postings of which some may be there."""
        known = self._sql.known(connection, [posting.entry.request_id for posting in wanted])
        # whoever takes such a line away first is the one to replace it
        real = {posting.entry.request_id for posting in wanted if posting.entry.ended != _KILLED}
        replaced = self._taken_out(connection, sorted(known & real))
        fresh = [
            posting
            for posting in wanted
            if posting.entry.request_id not in known or posting.entry.request_id in replaced
        ]
        return self._book_new(connection, fresh, tickets, replaced)

    def _taken_out(self, connection: DriverConnection, request_ids: Sequence[str]) -> dict[str, Line]:
        rows = self._sql.taken_out(connection, request_ids, _KILLED) if request_ids else ()
        lines = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        return {line["request_id"]: {**line, **{name: json.loads(line[name]) for name in _COUNTED}} for line in lines}

    def _add_balances(self, connection: DriverConnection, postings: Sequence[Posting]) -> None:
        new = {account for posting in postings for account, _ in posting.accounts} - self._there
        if new:
            ledger_postgresql.add_balances(connection, new)
            if len(self._there) > _MOST_REMEMBERED:
                self._there.clear()
            self._there |= new

    def _book_new(
        self,
        connection: DriverConnection,
        postings: Sequence[Posting],
        tickets: list[str],
        replaced: Mapping[str, Line],
    ) -> dict[Account, Decimal]:
        lines = [line_of(posting.entry) for posting in postings]
        sums = sums_of(zip(postings, lines, strict=True), replaced)
        rows = self._sql.book(connection, lines, sums, tickets, self._clock())
        return {Account(kind, name): Decimal(spend).scaleb(-_PLACES) for kind, name, spend in rows}


class _Again(Exception):
    """Nothing was booked, and nothing stands in the way."""


def _passes(error: Exception, connection: DriverConnection, attempt: int) -> bool:
    if connection.broken:
        return attempt == 0  # the server closed it some time ago
    return getattr(error, "pgcode", None) in _PASSING


def _once(postings: Iterable[Posting]) -> list[Posting]:
    """Each request id once; what a gateway saw rather than what was said of it after its death."""
    found: dict[str, Posting] = {}
    for posting in postings:
        before = found.get(posting.entry.request_id)
        if before is None or (before.entry.ended == _KILLED and posting.entry.ended != _KILLED):
            found[posting.entry.request_id] = posting
    return list(found.values())
