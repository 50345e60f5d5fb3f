"""Budgets that only warn: once an account and window, in the log of the worker that sees it first."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from app.core.budget_windows import window_of
from app.core.ledger_entries import Account, Window
from app.core.limits import Payer, soft_budget_passed

# Each is an account; one that is forgotten is told of once more
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class SoftBudgets:
    """Which were told of."""

    def __init__(self) -> None:
        self._told: OrderedDict[Account, Window] = OrderedDict()
        self._lock = threading.Lock()

    def look_at(self, payers: Iterable[Payer], spends: Mapping[Account, Decimal], now: datetime) -> None:
        """`spends`: what these accounts have spent in their windows, as far as is known."""
        for payer in payers:
            spend = spends.get(payer.account)
            if payer.limits.soft_budget is None or spend is None or not soft_budget_passed(payer.limits, spend):
                continue
            if self._is_new(payer.account, window_of(payer.limits, now)):
                _log.warning(
                    "soft budget: %s has spent %.6f of %.6f US dollars",
                    ascii(payer.name),
                    spend,
                    payer.limits.soft_budget,
                )

    def _is_new(self, account: Account, window: Window) -> bool:
        with self._lock:
            if self._told.get(account) == window:
                return False
            self._told[account] = window
            self._told.move_to_end(account)
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return True
