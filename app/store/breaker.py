"""Whether it is worth asking something that was away: after a failure nobody waits for it until a probe came back."""

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic

from app.core.errors import StoreUnavailable

PROBE_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 1
_log = logging.getLogger(__name__)


class Breaker:
    """Opened by a failure, closed by a success. While it is open, one call a second is let through to find out."""

    def __init__(self, what: str, clock: Callable[[], float] = monotonic) -> None:
        """`what` is protected, in words for the log and for callers; `clock` counts seconds."""
        self._what = what
        self._clock = clock
        self._lock = Lock()
        self._probed_at: float | None = None

    def check(self) -> None:
        """Whether to ask now. Raises StoreUnavailable at once where it is not."""
        with self._lock:
            if self._probed_at is None:
                return
            if self._clock() - self._probed_at < PROBE_SECONDS:
                raise self.unavailable()
            self._probed_at = self._clock()

    def succeeded(self) -> None:
        with self._lock:
            was_open, self._probed_at = self._probed_at is not None, None
        if was_open:
            _log.info("%s answers again", self._what)

    def failed(self, reason: str) -> None:
        """`reason`: without secrets, for the log."""
        with self._lock:
            was_open, self._probed_at = self._probed_at is not None, self._clock()
        if not was_open:
            _log.warning("%s does not answer (%s): it is asked again once a second", self._what, reason or "silence")

    @property
    def is_open(self) -> bool:
        return self._probed_at is not None

    def unavailable(self, reason: str = "") -> StoreUnavailable:
        """The error to raise."""
        return StoreUnavailable(
            f"{self._what[:1].upper()}{self._what[1:]} does not answer: try again.",
            retry_after=_RETRY_AFTER_SECONDS,
            reason=reason,
        )
