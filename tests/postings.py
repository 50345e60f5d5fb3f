"""Postings for tests, by number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.core.ledger_entries import Account, Charge, Entry, Posting, Window
from app.core.usage import Usage

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
MONTH = Window("1mo", datetime(2026, 12, 1, tzinfo=UTC))
CENT = Decimal("0.01")


def posting(request_id: str, cost: Decimal | None = CENT, **entry: Any) -> Posting:
    """A call of the key "key-1" in team "team-1"."""
    values: dict[str, Any] = {
        "started_at": NOW - timedelta(seconds=1),
        "ended_at": NOW,
        "key_id": "key-1",
        "team_id": "team-1",
        "model": "amazon.nova-lite-v1:0",
        "usage": Usage("reported", {"input": 10, "output": 20}, "converse"),
        "charge": Charge(cost, "amazon.nova-lite-v1:0", "in-region"),
    } | entry
    accounts = ((Account("key", "key-1"), MONTH), (Account("team", "team-1"), Window()))
    return Posting(Entry(request_id, **values), accounts)
