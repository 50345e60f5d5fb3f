"""A ledger that is booked into (app/store/booking.py Books), written by hand: it can be away, frozen, and choosy."""

import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from time import monotonic, sleep

from app.core.errors import InvalidField, StoreUnavailable
from app.core.ledger_entries import Account, Posting

_PATIENCE_SECONDS = 10.0


class FakeBooks:
    """Holds postings by request id. `refused`: ids that no column can hold; `fault`: what nobody foresaw."""

    def __init__(self, name: str | None = "the-database") -> None:
        self.name = name
        self.rows: dict[str, Posting] = {}
        self.batches: list[int] = []
        self.refused: set[str] = set()
        self.away = False
        self.fault: BaseException | None = None
        self.asked = 0
        self._thaw = threading.Event()
        self._thaw.set()

    def identity(self) -> str | None:
        self.asked += 1
        self._answer()
        return self.name

    def book(self, postings: Sequence[Posting]) -> Mapping[Account, Decimal]:
        self.batches.append(len(postings))
        self._answer()
        if self.fault:
            raise self.fault
        if bad := [posting for posting in postings if posting.entry.request_id in self.refused]:
            raise InvalidField(f"A value cannot be stored: {len(bad)}.")
        for posting in postings:
            self.rows.setdefault(posting.entry.request_id, posting)
        spend = sum((posting.entry.charge.cost or Decimal(0) for posting in self.rows.values()), Decimal(0))
        return {account: spend for posting in postings for account, _ in posting.accounts}

    def freeze(self) -> None:
        """From now on nothing is answered, until `thaw`."""
        self._thaw.clear()

    def thaw(self) -> None:
        self._thaw.set()

    def _answer(self) -> None:
        self._thaw.wait(_PATIENCE_SECONDS)
        if self.away:
            raise StoreUnavailable("The database does not answer.", reason="connection refused")


def eventually(condition: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until it holds."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it never came true"
        sleep(0.002)
