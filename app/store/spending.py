"""What accounts spent, read beside their settings: balances are the only place of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, literal, select, type_coerce

from app.core.ledger_entries import AccountKind
from app.store.column_types import Dollars
from app.store.money_rows import BALANCES
from app.store.rows import CUSTOMERS, KEYS, TEAMS, USERS

_KINDS: Mapping[Table, AccountKind] = {KEYS: "key", TEAMS: "team", USERS: "user", CUSTOMERS: "customer"}
_NOTHING = literal(Decimal(0), Dollars())


def with_spend(table: Table, now: datetime) -> Select[Any]:
    """All columns of a table of settings, with `spend` and `total_spend` where it is one of accounts."""
    kind = _KINDS.get(table)
    if kind is None:
        return select(table)
    its_balance = and_(BALANCES.c.kind == kind, BALANCES.c.id == table.c.id)
    total = type_coerce(func.coalesce(BALANCES.c.total_spend, _NOTHING), Dollars())
    return select(table, spend_at(now).label("spend"), total.label("total_spend")).outerjoin_from(
        table, BALANCES, its_balance
    )


def spend_at(now: datetime) -> ColumnElement[Any]:
    """In the budget's window: 0 once that is over."""
    over = BALANCES.c.resets_at <= now
    return type_coerce(case((over, _NOTHING), else_=func.coalesce(BALANCES.c.spend, _NOTHING)), Dollars())
