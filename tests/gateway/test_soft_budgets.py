"""A soft budget warns, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.core.accounts import Limits
from app.core.ledger_entries import Account
from app.core.limits import Payer
from app.gateway.soft_budgets import SoftBudgets

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = Payer(Account("key", "k1"), Limits(soft_budget=Decimal(5), budget_duration="1d"), 'key "ci"')


def test_each_account_is_warned_of_once_a_window(caplog: pytest.LogCaptureFixture) -> None:
    warnings = SoftBudgets()
    for spend, when in [("4.9", NOW), ("5.000000000000", NOW), ("6", NOW), ("1", NOW + timedelta(days=1))]:
        warnings.look((KEY,), {KEY.account: Decimal(spend)}, when)
    assert [record.getMessage() for record in caplog.records] == [
        'key "ci" has passed its soft budget: 5 of 5 USD are spent'
    ]

    warnings.look((KEY,), {KEY.account: Decimal(7)}, NOW + timedelta(days=1))
    assert len(caplog.records) == 2


def test_an_account_of_which_nothing_is_known_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    SoftBudgets().look((KEY,), {Account("team", "t1"): Decimal(99)}, NOW)

    assert caplog.records == []
