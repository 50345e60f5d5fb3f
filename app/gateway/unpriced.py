"""Calls that have no price: counted, and told once for each model, so that an operator learns what to add."""

import logging
import threading

# Model names come from callers: past these, calls are counted and no name is told.
_TOLD = 1000
_log = logging.getLogger(__name__)


class UnpricedCalls:
    """Those of one worker. `count`: since it started."""

    def __init__(self) -> None:
        self.count = 0
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def note(self, model: str | None, operation: str | None, region: str | None, entry: str | None = None) -> None:
        """One call that AWS answered and bills, and whose cost is not known. `entry`: of its charge, which may say why.

        For calls whose use AWS did not tell there is nothing to add to the prices: they are not to be noted here.
        """
        name = model or operation or "unknown"
        with self._lock:
            self.count += 1
            if name in self._told or len(self._told) >= _TOLD:
                return
            self._told.add(name)
        _log.warning(
            "no price for %s (%s in %s%s): its calls cost null. Add it to OUTCROP_PRICES, see docs/prices.md.",
            ascii(name[:300]),
            operation,
            region,
            f"; {entry}" if entry else "",
        )
