"""Books ended calls, many at once, while their callers wait for the commit 150 ms at most.

A posting whose `settle` has returned is in the database, or on a disk from where it will be. One thread books; whoever
waits too long, or comes while the database is away, writes to the spool, with all others who do so at that moment.
"""

import atexit
import logging
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from time import monotonic

from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Booked, Posting
from app.store.booking import MOST_AT_ONCE, Booking, Books
from app.store.spool import Spool

_log = logging.getLogger(__name__)
_LATER = Booked(committed=False)
_EXIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long a caller waits for the commit; between probes of a database that is away; between looks for
    files that nobody holds any more."""

    wait: float = 0.15
    probe: float = 1.0
    look: float = 10.0


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """`queued`: for the next commit; `spooled`: on the disk; `kept`: in memory and in the log, as the disk failed;
    `oldest`: when the oldest file of the spool was begun; `rejected`: set aside since the start."""

    queued: int
    spooled: int
    kept: int
    rejected: int
    oldest: datetime | None
    away_since: datetime | None


_PACE = Pace()


def say_line(line: str) -> None:
    """Write it to standard output, whatever the log's format. Never raises."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        pass  # nobody reads it any more


class LedgerWriter:
    """One a process. Its thread starts when it is first needed, which is after any fork."""

    def __init__(  # noqa: PLR0913  # the collaborators, each by name
        self,
        books: Books,
        spool: Spool,
        *,
        identify: Callable[[], str | None],
        disk_is_lost: bool = False,
        tell: Callable[[str], None] = say_line,
        pace: Pace = _PACE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`identify`: asks the database for its own name, raises StoreUnavailable.

        `disk_is_lost`: with the process, so what is left at its end is told. `tell`: writes a line to the log.
        """
        self._booking = Booking(books, identify, spool, tell)
        self._spool = spool
        self._disk_is_lost = disk_is_lost
        self._pace = pace
        self._now = now
        # of calls and of what else there is to do: set by whoever has something, cleared before it is looked for
        self._wake = Event()
        self._queue: deque[_Call] = deque()
        self._under_way: list[_Call] = []
        self._asked: list[Event] = []
        self._answering: list[Event] = []
        self._lock = Lock()
        self._thread: Thread | None = None
        self._round_began: float | None = None
        self._away_since: datetime | None = None
        self._look_at = float("-inf")
        self._has_met = False
        self._closing = False

    def settle(self, posting: Posting) -> Booked:
        """Returns once it is committed, or stands on the disk; port Ledger. Never raises."""
        call = _Call(posting)
        if not self._closing and self._away_since is None and not self._stuck():
            self._queue.append(call)
            self._wake.set()
            self.start()
            call.ended.wait(self._pace.wait)
        # in this order: whoever ends a call that has not left sees to it. Seen to twice, it is booked once.
        call.left = True
        if not call.ended.is_set():
            self._keep([posting])
        return call.booked

    def start(self) -> None:
        """Begin to book, also what was left in the spool. Idempotent."""
        if self._thread:  # whether it lives is not asked of it: under gevent that gives all others a turn
            return
        with self._lock:
            if self._closing or self._thread:
                return
            self._thread = Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        atexit.register(self.close, _EXIT_SECONDS)

    def recover(self, seconds: float) -> bool:
        """Book what workers that have ended left on this machine; whether all of it was, within `seconds`."""
        asked = Event()
        with self._lock:
            self._asked.append(asked)
        self._wake.set()
        self.start()
        return asked.wait(seconds)

    def status(self) -> LedgerStatus:
        """Without a query."""
        return LedgerStatus(
            queued=sum(not call.left for call in tuple(self._queue)),
            spooled=self._spool.records(),
            kept=self._booking.kept,
            rejected=self._booking.rejected,
            oldest=self._spool.oldest(),
            away_since=self._away_since,
        )

    def close(self, seconds: float) -> None:
        """Book what there is, and where that takes too long leave it on the disk, or in the log. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._wake.set()
        atexit.unregister(self.close)
        thread = self._thread
        if thread:
            thread.join(seconds)
        self._give_up_calls()
        if self._disk_is_lost:
            self._booking.tell_what_is_left()
        if not (thread and thread.is_alive()):
            self._spool.release()

    def _stuck(self) -> bool:
        """Whoever is before us waits too long already."""
        began = self._round_began
        return began is not None and monotonic() - began > self._pace.wait

    def _keep(self, postings: list[Posting]) -> None:
        self._booking.keep(postings)
        if self._closing and self._disk_is_lost:
            self._booking.tell_of(postings)
        if self._away_since is None:  # there is something to replay
            self._wake.set()

    def _run(self) -> None:
        try:
            more = False
            while self._rest(more=more):
                more = self._try()
        finally:
            self._thread = None  # by what nobody foresaw: the next call starts another

    def _try(self) -> bool:
        """A round; whether more waits to be booked."""
        self._round_began = monotonic()
        try:
            more = self._round()
        except StoreUnavailable as error:
            self._go_away(error)
            return False
        finally:
            self._round_began = None
        self._come_back()
        return more

    def _rest(self, *, more: bool) -> bool:
        """Until there is something to do; whether to go on."""
        self._wake.clear()
        if self._away_since is not None:
            if not self._closing:
                self._wake.wait(self._pace.probe)
            return not self._closing
        if more or not self._has_met or self._queue or self._asked or self._spool.has_own:
            return True
        if not self._closing:
            self._wake.wait(max(0.0, self._look_at - monotonic()))
        return not self._closing or bool(self._queue)

    def _round(self) -> bool:
        """Book what is queued, and a batch of what waits; whether more of it does. Raises StoreUnavailable."""
        if self._away_since is not None or not self._has_met:
            self._booking.meet()
            self._has_met = True
        self._book_queue()
        if self._asked or self._spool.has_own or monotonic() >= self._look_at:
            with self._lock:
                self._answering += self._asked
                self._asked = []
            self._spool.collect()
            self._look_at = monotonic() + self._pace.look
        more = self._booking.replay()
        if not more:
            for asked in self._answering:
                asked.set()
            self._answering = []
        return more

    def _book_queue(self) -> None:
        calls = self._under_way = self._taken()
        if calls:
            booked = self._booking.book(call.posting for call in calls)
            for call in calls:
                call.end(booked.get(call.posting.entry.request_id, _LATER))
        self._under_way = []

    def _taken(self) -> "list[_Call]":
        """The next of those who still wait."""
        with self._lock:
            taken = [self._queue.popleft() for _ in range(min(MOST_AT_ONCE, len(self._queue)))]
        return [call for call in taken if not call.left]

    def _go_away(self, error: StoreUnavailable) -> None:
        is_new = self._away_since is None
        self._away_since = self._away_since or self._now()
        if is_new:
            _log.warning("calls are kept on disk, as the database does not take them: %s", error.reason or error)
        self._give_up_calls()

    def _give_up_calls(self) -> None:
        """Those that wait for a commit are kept instead; whoever has left already sees to it itself."""
        calls = [call for call in self._under_way if not call.left]
        self._under_way = []
        while self._queue:
            calls += self._taken()
        if calls:
            self._keep([call.posting for call in calls])
        for call in calls:
            call.end(_LATER)

    def _come_back(self) -> None:
        was_away, self._away_since = self._away_since, None
        if was_away is not None:
            _log.info("the database takes calls again: what was kept meanwhile is booked now")


class _Call:
    """A posting that somebody waits for, who may have left."""

    __slots__ = ("booked", "ended", "left", "posting")

    def __init__(self, posting: Posting) -> None:
        self.posting = posting
        self.booked = _LATER
        self.ended = Event()
        self.left = False

    def end(self, booked: Booked) -> None:
        self.booked = booked
        self.ended.set()
