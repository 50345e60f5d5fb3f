"""The one end of one call: booked, then told, exactly once, however many parties believe to have seen it."""

from collections.abc import Callable

from app.core.errors import CallerError, ClientLeft, CredentialsMissing, GatewayError, StoreUnavailable, WorkerFull
from app.core.messages import CallRecord, Ending
from app.gateway.ports import Client, Journal, Ledger


class Settlement:
    """Opened when a call arrives; `settle` or `refuse` ends it."""

    def __init__(
        self, record: CallRecord, client: Client, ledger: Ledger, journal: Journal, clock: Callable[[], float]
    ) -> None:
        """`clock` is monotonic, in seconds, the one that `record.arrived` was read from."""
        self.record = record
        self.client = client
        self._ledger = ledger
        self._journal = journal
        self._clock = clock

    def elapsed_ms(self) -> float:
        """Milliseconds since the call arrived."""
        return round((self._clock() - self.record.arrived) * 1000, 2)

    def settle(self, ending: Ending) -> None:
        """End a call that reached AWS. The first ending counts."""
        if self._close(ending):
            self._ledger.settle(self.record)
            self._journal.write(self.record)

    def refuse(self, error: GatewayError) -> None:
        """End a call that has no reply from AWS: refused here, or failed on the way there."""
        self.record.error = self.record.error or error.code
        ending: Ending = "failed"
        if isinstance(error, ClientLeft):
            ending = "client_left"
        elif isinstance(error, CallerError | CredentialsMissing | StoreUnavailable | WorkerFull):
            ending = "refused"
        if self.record.sent:
            self.settle(ending)
        elif self._close(ending):
            self._journal.write(self.record)

    def _close(self, ending: Ending) -> bool:
        if self.record.ended is not None:
            return False
        self.record.ended = ending
        self.record.duration_ms = self.elapsed_ms()
        self.client.unwatch()
        return True
