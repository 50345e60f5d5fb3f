"""A customer as a call needs it: with the budget that it names."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from app.core.accounts import Budget, Customer
from app.core.limits import PayingCustomer
from app.core.registry_messages import ChangedName, LookUp
from app.store.records import labelled, record_of
from app.store.rows import BUDGETS, CUSTOMERS, VERSION

# With the version, in one statement: so nothing can change in between.
_LOOK_UP: Select[Any] = (
    select(VERSION.c.version, *labelled(CUSTOMERS, "customer_"), *labelled(BUDGETS, "budget_"))
    .select_from(VERSION)
    .outerjoin(CUSTOMERS, CUSTOMERS.c.id == bindparam("named"))
    .outerjoin(BUDGETS, BUDGETS.c.id == CUSTOMERS.c.budget_id)
    .where(VERSION.c.id == 1)
)


def look_up_customer(connection: Connection, customer_id: str, now: datetime) -> LookUp[PayingCustomer]:
    """One query, which reads nothing of what was spent."""
    row = connection.execute(_LOOK_UP, {"named": customer_id}).mappings().one()
    if row["customer_id"] is None:
        return LookUp(row["version"], None)
    budget = record_of(Budget, row, now, "budget_") if row["budget_id"] is not None else None
    return LookUp(row["version"], PayingCustomer(record_of(Customer, row, now, "customer_"), budget))


def customer_names(connection: Connection) -> list[ChangedName]:
    """Of every customer. One query."""
    return [("customer", customer_id) for customer_id in connection.execute(select(CUSTOMERS.c.id)).scalars()]
