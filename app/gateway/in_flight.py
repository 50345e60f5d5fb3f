"""How many calls one worker holds, and may hold."""

from app.core.errors import WorkerFull
from app.core.messages import CallRecord
from app.gateway.ports import Journal

_RETRY_AFTER_SECONDS = 1


class InFlight:
    """The calls that have arrived and of which nobody was told yet. The port Journal: a call that is told has ended."""

    def __init__(self, journal: Journal, most: int) -> None:
        """`most`: OUTCROP_MAX_IN_FLIGHT."""
        self._journal = journal
        self._most = most
        self.held = 0
        self.turned_away = 0

    def arrive(self) -> None:
        """A call has arrived, whatever becomes of it."""
        self.held += 1

    def check(self) -> None:
        """Whether there is room for the call that arrived last. Raises WorkerFull."""
        if self.held > self._most:
            self.turned_away += 1
            raise WorkerFull(
                "This worker holds as many calls as OUTCROP_MAX_IN_FLIGHT allows: try again.",
                retry_after=_RETRY_AFTER_SECONDS,
            )

    def write(self, record: CallRecord) -> None:
        """A call has ended."""
        self.held -= 1
        self._journal.write(record)
