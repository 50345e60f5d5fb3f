"""What stands in the tables of money, for tests to look at."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select

from app.core.ledger_entries import Account, Window
from app.core.tickets import Balance
from app.store.database import Database
from app.store.money_rows import BALANCES, DAILY_TOTALS, LEDGER, TICKETS

# the column of a line that says whose it is, by the kind of balance and of daily total
PAYERS = {"key": "key_id", "team": "team_id", "user": "user_id", "customer": "counted_end_user"}
ZERO = Decimal(0)


def balances(database: Database) -> dict[Account, Balance]:
    with database.statement() as connection:
        rows = connection.execute(select(BALANCES)).all()
    return {
        Account(row.kind, row.id): Balance(
            row.spend,
            row.total_spend,
            row.held,
            Window(row.duration, row.resets_at),
            row.in_flight,
            row.minute,
            row.requests,
            row.tokens,
        )
        for row in rows
    }


def lines(database: Database) -> list[Mapping[str, Any]]:
    with database.statement() as connection:
        return [dict(row) for row in connection.execute(select(LEDGER).order_by(LEDGER.c.request_id)).mappings()]


def totals(database: Database) -> dict[tuple[str, str], Mapping[str, Any]]:
    """By kind and id; of tests on one day."""
    with database.statement() as connection:
        rows = connection.execute(select(DAILY_TOTALS)).mappings().all()
    return {(row["kind"], row["id"]): dict(row) for row in rows}


def tickets(database: Database) -> list[str]:
    with database.statement() as connection:
        return list(connection.execute(select(TICKETS.c.id).order_by(TICKETS.c.id)).scalars())


def put_ticket(database: Database, ticket_id: str, at: Any, *claims: tuple[Account, Decimal]) -> None:
    """As it stands while its call is under way; what it holds stands in its accounts' balances."""
    said = [[account.kind, account.id, int(hold.scaleb(12))] for account, hold in claims]
    row = {"id": ticket_id, "worker": "w", "taken_at": at, "minute": 0, "claims": said, "call": {}}
    blank = {"spend": ZERO, "total_spend": ZERO, "minute": 0, "requests": 0, "tokens": 0, "in_flight": 1}
    held = [{"kind": account.kind, "id": account.id, "held": hold, **blank} for account, hold in claims]
    with database.change() as connection:
        connection.execute(insert(TICKETS), row)
        connection.execute(insert(BALANCES), held)


def sums(database: Database) -> dict[tuple[str, str], Decimal]:
    """What the lines of each payer cost, and of all ("all", "")."""
    found: dict[tuple[str, str], Decimal] = {}
    with database.statement() as connection:
        for kind, column in PAYERS.items():
            statement = select(LEDGER.c[column], func.sum(LEDGER.c.cost)).group_by(LEDGER.c[column])
            for name, cost in connection.execute(statement):
                if name is not None and cost:
                    found[kind, name] = cost
        whole = connection.execute(select(func.sum(LEDGER.c.cost))).scalar()
    return found | {("all", ""): whole or ZERO}
