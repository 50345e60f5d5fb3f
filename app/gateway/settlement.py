"""The one end of one call: booked, then told, exactly once, however many parties believe to have seen it.

It is told also where booking it fails in a way that nobody foresaw: a call that nobody is told of holds its place among
those that a worker may have (in_flight.py) for as long as the worker lives.
"""

from collections.abc import Callable
from typing import Protocol

from app.core.errors import (
    CallerError,
    ClientLeft,
    ClientLeftEarly,
    CredentialsMissing,
    GatewayError,
    StoreUnavailable,
    UpstreamUnreachable,
    WorkerFull,
)
from app.core.messages import CallRecord, Ending
from app.gateway.bookkeeping import Tab
from app.gateway.ports import Client, Journal

_REFUSALS = (CallerError, CredentialsMissing, StoreUnavailable, WorkerFull)


class Books(Protocol):
    """Where calls are booked: bookkeeping.py."""

    def close(self, tab: Tab, record: CallRecord, *, reached_aws: bool) -> None: ...
    def void(self, tab: Tab) -> None: ...


class Settlement:
    """Opened when a call arrives; `settle` or `refuse` ends it. `tab`: its money, once it may start."""

    def __init__(
        self,
        record: CallRecord,
        client: Client,
        books: Books,
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        """`clock` is monotonic, in seconds, the one that `record.arrived` was read from."""
        self.record = record
        self.client = client
        self.tab: Tab | None = None
        self._books = books
        self._journal = journal
        self._clock = clock

    def elapsed_ms(self) -> float:
        """Milliseconds since the call arrived."""
        return round((self._clock() - self.record.arrived) * 1000, 2)

    def settle(self, ending: Ending) -> None:
        """End a call that reached AWS. The first ending counts."""
        if self._close(ending):
            try:
                self._book(reached_aws=True)
            finally:
                self._journal.write(self.record)

    def refuse(self, error: GatewayError) -> None:
        """End a call that has no reply from AWS: refused here, or failed on the way there."""
        self.record.error = self.record.error or error.code
        ending: Ending = "failed"
        if isinstance(error, ClientLeft):
            ending = "client_left"
        elif isinstance(error, _REFUSALS):
            ending = "refused"
        if not self._close(ending):
            return
        try:
            if self.record.sent and ending != "refused" and not isinstance(error, ClientLeftEarly):
                self._book(reached_aws=not isinstance(error, UpstreamUnreachable))
            elif self.tab:
                self._books.void(self.tab)
        finally:
            self._journal.write(self.record)

    def _book(self, *, reached_aws: bool) -> None:
        if self.tab:
            self._books.close(self.tab, self.record, reached_aws=reached_aws)

    def _close(self, ending: Ending) -> bool:
        if self.record.ended is not None:
            return False
        self.record.ended = ending
        self.record.duration_ms = self.elapsed_ms()
        self.client.unwatch()
        return True
