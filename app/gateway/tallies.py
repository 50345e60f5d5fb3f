"""What one worker counts since it started, and how its books stand: for whoever asks how it does."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from app.core.messages import CallRecord
from app.gateway.in_flight import InFlight
from app.gateway.ports import Journal


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of the ledger's writer: ended calls that wait for the next commit (`queued`), on the disk (`spooled`), or in
    memory and in the log as the disk failed (`kept`); `rejected`: set aside since the start; `oldest`: when the oldest
    that waits on the disk began to; `away_since`: the database, None while it answers.
    """

    queued: int
    spooled: int
    kept: int
    rejected: int
    oldest: datetime | None
    away_since: datetime | None


@dataclass(frozen=True, slots=True)
class Tallies:
    """`refused`: calls that this worker refused, by the error's code, and of these `turned_away` as it held as many as
    it may; `in_flight`: that it holds now; `unpriced`: calls whose model has no price.
    """

    refused: Mapping[str, int]
    unpriced: int
    backlog: Backlog
    in_flight: int = 0
    turned_away: int = 0


class CountingJournal:
    """Tells of ended calls, and counts those that were refused, which have no row in the ledger. The port Journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._refused: Counter[str] = Counter()
        self._lock = Lock()

    def write(self, record: CallRecord) -> None:
        """Tell of an ended call. Never raises."""
        if record.ended == "refused":
            with self._lock:
                self._refused[record.error or "unknown"] += 1
        self._journal.write(record)

    def refused(self) -> Mapping[str, int]:
        """By code."""
        with self._lock:
            return dict(self._refused)


class Tally:
    """Asks all that know of one worker."""

    def __init__(
        self,
        refused: Callable[[], Mapping[str, int]],
        unpriced: Callable[[], int],
        backlog: Callable[[], Backlog],
        in_flight: InFlight,
    ) -> None:
        self._refused = refused
        self._unpriced = unpriced
        self._backlog = backlog
        self._in_flight = in_flight

    def now(self) -> Tallies:
        """Without a query."""
        calls = self._in_flight
        return Tallies(self._refused(), self._unpriced(), self._backlog(), calls.held, calls.turned_away)
