"""Warnings of soft budgets: one line in the log for each account and window, of each worker that sees it passed."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from threading import Lock

from app.core.budget_windows import window_of
from app.core.ledger_entries import Account, Window
from app.core.limits import Payer, soft_budget_passed

# Beyond them the oldest are forgotten, and would be warned of once more.
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class SoftBudgets:
    """Whom the log was told of."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told: dict[tuple[Account, Window, Decimal | None], None] = {}

    def look(self, payers: tuple[Payer, ...], spends: Mapping[Account, Decimal], now: datetime) -> None:
        """A call was booked. `spends`: what its accounts, or some of them, have spent in their windows now, in USD."""
        for payer in payers:
            spend = spends.get(payer.account)
            if spend is not None and soft_budget_passed(payer.limits, spend) and self._is_new(payer, now):
                # spends come with the column's twelve places
                said = [f"{amount.normalize():f}" for amount in (spend, payer.limits.soft_budget or Decimal(0))]
                _log.warning("%s has passed its soft budget: %s of %s USD are spent", payer.name, *said)

    def _is_new(self, payer: Payer, now: datetime) -> bool:
        what = (payer.account, window_of(payer.limits, now), payer.limits.soft_budget)
        with self._lock:
            if what in self._told:
                return False
            self._told[what] = None
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
        return True
