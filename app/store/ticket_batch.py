"""Tickets, many in one transaction: balances are locked in the order of their key, the rules are core/tickets.py's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from psycopg2 import errors
from sqlalchemy import Row

from app.core.ledger_entries import Account, Window
from app.core.tickets import Balance, Claim, Refusal, Ticket
from app.store.column_types import call_json
from app.store.driver import DriverConnection, Rows
from app.store.ledger_lines import moment_of

# others hold a row, or wait in a circle: it goes well when tried again; a pooler gave us another session than before
_TRY_AGAIN = (errors.LockNotAvailable, errors.DeadlockDetected, errors.InvalidSqlStatementName)
_PLACES = 12
# of `balances`, in the order in which both databases read and write them; money in 10^-12 USD
COLUMNS = "kind id spend held duration resets_at in_flight minute requests tokens".split()


class TryAgain(Exception):
    """The transaction cannot be made as it stands, and can be in a moment."""


class BalancesMissing(TryAgain):
    """Accounts that nothing is known of yet: add them in a transaction of their own, in which no other is locked."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        super().__init__("balances are missing")
        self.accounts = accounts


class Sql(Protocol):
    """What both databases do, each in its own words: tickets_sqlite.py, tickets_postgresql.py."""

    def transaction(self, connection: DriverConnection, /) -> AbstractContextManager[None]:
        """Around the rest. It may begin with the first statement of these, and end with `write`."""

    def end(self, connection: DriverConnection, ids: Sequence[str], /) -> Iterable[str]:
        """Delete these tickets; those that were there."""

    def lock(self, connection: DriverConnection, accounts: Sequence[Account], /) -> Rows:
        """Their balances' COLUMNS and total_spend. `accounts`: sorted, the order in which they are locked."""

    def write(
        self, connection: DriverConnection, balances: Sequence[Mapping[str, Any]], tickets: Sequence[Mapping[str, Any]]
    ) -> None:
        """COLUMNS of balances that are there, and new tickets."""

    def add_balances(self, connection: DriverConnection, accounts: Iterable[Account], /) -> None:
        """Those that are not there, of accounts that have spent nothing yet. In a transaction of its own."""


@dataclass
class Batch:
    """What to give back and whom to give tickets, in the order of arrival.

    `heard` is called each time that the database has answered.
    """

    worker_id: str
    backs: Sequence[Ticket] = ()
    takes: Sequence[Ticket] = ()
    heard: Callable[[], None] = field(default=lambda: None)

    def run(self, sql: Sql, connection: DriverConnection) -> list[Refusal | None]:
        """Of each of `takes`, why it is refused, or None. Raises TryAgain, and then all is undone."""
        self.heard()
        try:
            with sql.transaction(connection):
                return self._run(sql, connection)
        except _TRY_AGAIN:
            self.heard()
            raise TryAgain("a row is held by others") from None

    def _run(self, sql: Sql, connection: DriverConnection) -> list[Refusal | None]:
        self.heard()
        ended = self._end(sql, connection)
        accounts = {claim.account for one in (*ended, *self.takes) for claim in one.claims}
        balances = self._locked(sql, connection, sorted(accounts))
        touched = {}
        for ticket in ended:
            for claim in ticket.claims:
                back = balances[claim.account].given_back(claim, minute=ticket.minute)
                balances[claim.account] = touched[claim.account] = back
        refusals = []
        granted = []
        for ticket in self.takes:
            refusal, after = decide(ticket, balances)
            refusals.append(refusal)
            balances.update(after)
            if refusal is None:
                granted.append(ticket)
                touched.update(after)
        if touched or granted:
            rows = [_row(ticket, self.worker_id) for ticket in granted]
            sql.write(connection, [_values(account, one) for account, one in touched.items()], rows)
            self.heard()
        return refusals

    def _end(self, sql: Sql, connection: DriverConnection) -> list[Ticket]:
        """Those of `backs` that were there: of others nothing was taken, or it was given back before."""
        if not self.backs:
            return []
        backs = {ticket.id: ticket for ticket in self.backs}
        ended = [backs[name] for name in sql.end(connection, sorted(backs))]
        self.heard()
        return ended

    def _locked(self, sql: Sql, connection: DriverConnection, wanted: Sequence[Account]) -> dict[Account, Balance]:
        if not wanted:
            return {}
        found = {Account(kind, name): _balance(*values) for kind, name, *values in sql.lock(connection, wanted)}
        self.heard()
        missing = [account for account in wanted if account not in found]
        if missing:
            raise BalancesMissing(missing)
        return found


def decide(ticket: Ticket, balances: Mapping[Account, Balance]) -> tuple[Refusal | None, dict[Account, Balance]]:
    """All that a ticket claims, or the first reason why not; and its accounts' balances after that."""
    now = {
        claim.account: balances[claim.account].at(claim.window, ticket.taken_at, ticket.minute)
        for claim in ticket.claims
    }
    for claim in ticket.claims:
        reason = now[claim.account].refuses(claim)
        if reason:
            return Refusal(reason, claim, now[claim.account]), now
    return None, {claim.account: now[claim.account].taken(claim) for claim in ticket.claims}


def claims_said(ticket: Ticket) -> list[list[Any]]:
    """As they stand in the ticket's row, for whoever ends it: [kind, id, hold in 10^-12 USD]."""
    return [[claim.account.kind, claim.account.id, _pico(claim.hold)] for claim in ticket.claims]


def ticket_of(row: Row[Any]) -> Ticket:
    """A ticket as its row tells it: what it holds, not what it asked."""
    claims = tuple(Claim(Account(kind, name), hold=Decimal(hold).scaleb(-_PLACES)) for kind, name, hold in row.claims)
    return Ticket(row.id, row.taken_at, claims, row.call)


def _row(ticket: Ticket, worker_id: str) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "worker": worker_id,
        "taken_at": moment_of(ticket.taken_at),
        "minute": ticket.minute,
        "claims": call_json(claims_said(ticket)),
        "call": call_json(dict(ticket.call)),
    }


def _balance(  # noqa: PLR0913, PLR0917  # a row's columns
    spend: int,
    held: int,
    duration: str | None,
    resets_at: datetime | str | None,
    in_flight: int,
    minute: int,
    requests: int,
    tokens: int,
    total_spend: int,
) -> Balance:
    if isinstance(resets_at, str):  # as SQLite holds it
        resets_at = datetime.fromisoformat(resets_at).replace(tzinfo=UTC)
    window = Window(duration, resets_at)
    return Balance(_usd(spend), _usd(total_spend), _usd(held), window, in_flight, minute, requests, tokens)


def _values(account: Account, balance: Balance) -> dict[str, Any]:
    resets_at = balance.window.resets_at
    return {
        "kind": account.kind,
        "id": account.id,
        "spend": _pico(balance.spend),
        "held": _pico(balance.held),
        "duration": balance.window.duration,
        "resets_at": resets_at and moment_of(resets_at),
        "in_flight": balance.in_flight,
        "minute": balance.minute,
        "requests": balance.requests,
        "tokens": balance.tokens,
    }


def _usd(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-_PLACES)


def _pico(usd: Decimal) -> int:
    return int(usd.scaleb(_PLACES))
