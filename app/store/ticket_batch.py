"""Tickets, many in one transaction: balances are locked in the order of their key, the rules are core/tickets.py's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from app.core.ledger_entries import Account, Window
from app.core.tickets import Balance, Claim, Refusal, Ticket
from app.store.money_rows import BALANCES, TICKETS

# PostgreSQL's codes for what goes well when tried again: a lock not had in time, a deadlock
_TRY_AGAIN = ("55P03", "40P01")
_PLACES = 12
_ROWS = BALANCES.c
_LOCK_ON_SQLITE = (
    select(BALANCES)
    .where(tuple_(_ROWS.kind, _ROWS.id).in_(bindparam("accounts", expanding=True)))
    .order_by(_ROWS.kind, _ROWS.id)
)
# A row that others hold: the server says so instead of saying nothing, which would look as if it were away.
_LOCK_ON_POSTGRESQL = text("""
    SET LOCAL lock_timeout = '100ms';
    SELECT b.* FROM balances b
    JOIN unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS wanted(kind, id) USING (kind, id)
    ORDER BY b.kind, b.id FOR UPDATE OF b
""").columns(*_ROWS)
_WRITTEN = "spend held duration resets_at in_flight minute requests tokens".split()
_WRITE_ON_SQLITE = (
    update(BALANCES)
    .where(_ROWS.kind == bindparam("of_kind"), _ROWS.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in _WRITTEN})
)
_WRITE_ON_POSTGRESQL = text("""
    UPDATE balances b SET spend = n.spend, held = n.held, duration = n.duration, resets_at = n.resets_at,
        in_flight = n.in_flight, minute = n.minute, requests = n.requests, tokens = n.tokens
    FROM unnest(
        CAST(:of_kind AS text[]), CAST(:of_id AS text[]), CAST(:spend AS bigint[]), CAST(:held AS bigint[]),
        CAST(:duration AS text[]), CAST(:resets_at AS timestamptz[]), CAST(:in_flight AS bigint[]),
        CAST(:minute AS bigint[]), CAST(:requests AS bigint[]), CAST(:tokens AS bigint[])
    ) AS n(kind, id, spend, held, duration, resets_at, in_flight, minute, requests, tokens)
    WHERE b.kind = n.kind AND b.id = n.id
""")


class TryAgain(Exception):
    """The transaction cannot be made as it stands, and can be in a moment."""


class BalancesMissing(TryAgain):
    """Accounts that nothing is known of yet: add them in a transaction of their own, in which no other is locked."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        super().__init__("balances are missing")
        self.accounts = accounts


@dataclass
class Batch:
    """What to give back and whom to give tickets, in the order of arrival.

    `heard` is called each time that the database has answered.
    """

    worker_id: str
    backs: Sequence[Ticket] = ()
    takes: Sequence[Ticket] = ()
    heard: Callable[[], None] = field(default=lambda: None)

    def run(self, connection: Connection) -> list[Refusal | None]:
        """Of each of `takes`, why it is refused, or None. In a transaction. Raises TryAgain, and then all is undone."""
        try:
            return self._run(connection)
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) in _TRY_AGAIN:
                self.heard()
                raise TryAgain("a row is held by others") from None
            raise

    def _run(self, connection: Connection) -> list[Refusal | None]:
        self.heard()
        ended = self._end(connection)
        balances = self._locked(connection, {claim.account for one in (*ended, *self.takes) for claim in one.claims})
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
        _write(connection, touched)
        self.heard()
        if granted:
            connection.execute(insert(TICKETS), [_row(ticket, self.worker_id) for ticket in granted])
            self.heard()
        return refusals

    def _end(self, connection: Connection) -> list[Ticket]:
        """Those of `backs` that were there: of others nothing was taken, or it was given back before."""
        if not self.backs:
            return []
        backs = {ticket.id: ticket for ticket in self.backs}
        gone = delete(TICKETS).where(TICKETS.c.id.in_(sorted(backs))).returning(TICKETS.c.id)
        ended = [backs[name] for name in connection.scalars(gone)]
        self.heard()
        return ended

    def _locked(self, connection: Connection, accounts: Iterable[Account]) -> dict[Account, Balance]:
        wanted = sorted(accounts)
        if not wanted:
            return {}
        if connection.dialect.name == "postgresql":
            names = {"kinds": [account.kind for account in wanted], "ids": [account.id for account in wanted]}
            rows = connection.execute(_LOCK_ON_POSTGRESQL, names).all()
        else:
            rows = connection.execute(_LOCK_ON_SQLITE, {"accounts": [astuple(account) for account in wanted]}).all()
        self.heard()
        found = {Account(row.kind, row.id): _balance(row) for row in rows}
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


def add_balances(connection: Connection, accounts: Iterable[Account]) -> None:
    """Those that are not there, of accounts that have spent nothing yet. In a transaction of its own."""
    rows = [{"kind": account.kind, "id": account.id, **_NOTHING} for account in sorted(accounts)]
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(BALANCES).on_conflict_do_nothing(), rows)


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
        "taken_at": ticket.taken_at,
        "minute": ticket.minute,
        "claims": claims_said(ticket),
        "call": dict(ticket.call),
    }


def _balance(row: Row[Any]) -> Balance:
    return Balance(
        spend=row.spend,
        total_spend=row.total_spend,
        held=row.held,
        window=Window(row.duration, row.resets_at),
        in_flight=row.in_flight,
        minute=row.minute,
        requests=row.requests,
        tokens=row.tokens,
    )


def _values(balance: Balance) -> dict[str, Any]:
    names = "spend held in_flight minute requests tokens".split()
    window = {"duration": balance.window.duration, "resets_at": balance.window.resets_at}
    return {name: getattr(balance, name) for name in names} | window


_NOTHING = _values(Balance()) | {"total_spend": Decimal(0)}


def _write(connection: Connection, balances: Mapping[Account, Balance]) -> None:
    if not balances:
        return
    rows = [{"of_kind": account.kind, "of_id": account.id, **_values(one)} for account, one in balances.items()]
    if connection.dialect.name != "postgresql":
        connection.execute(_WRITE_ON_SQLITE, rows)
        return
    for row in rows:
        row["spend"], row["held"] = _pico(row["spend"]), _pico(row["held"])
    connection.execute(_WRITE_ON_POSTGRESQL, {name: [row[name] for row in rows] for name in rows[0]})


def _pico(usd: Decimal) -> int:
    return int(usd.scaleb(_PLACES))
