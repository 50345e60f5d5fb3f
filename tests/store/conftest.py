"""Fixtures of the store's tests: what to put, and a clock that stands still."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from app.core.accounts import Record, Spender
from app.store.database import Database
from app.store.registry import Change, Registry
from tests.store.samples import NOW

Put = Callable[..., None]
Spend = Callable[[Spender, Decimal], None]


@pytest.fixture
def registry(database: Database) -> Registry:
    """On either database, at NOW for ever."""
    return Registry(database, lambda: NOW)


@pytest.fixture
def put(registry: Registry) -> Put:
    """Put records in one change."""

    def put(*records: Record) -> None:
        def work(change: Change) -> None:
            for record in records:
                change.put(record)

        registry.change(work)

    return put


@pytest.fixture
def spend(registry: Registry) -> Spend:
    """Bring along what an account spent elsewhere."""
    return lambda account, usd: registry.change(lambda change: change.carry_spend(account, usd, "master"))
