"""Tickets in the database: whoever waits at one moment is decided as one batch, in one transaction.

The batches are made beside the callers, so that none waits longer than a database that is away is waited for. A ticket
that its caller no longer waits for, or of which a broken connection left unsaid whether it was given, is given back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic

from app.core.errors import GatewayError, StoreUnavailable
from app.core.tickets import Refusal, Ticket
from app.store import gevent_driver, ticket_batch
from app.store.breaker import Breaker
from app.store.database import Database
from app.store.ticket_batch import BalancesMissing, Batch, TryAgain

# A server that said nothing for this long is away. SQLite is a file here: what it waits for is another process's turn.
_SILENCE_SECONDS = 0.2
_SQLITE_SILENCE_SECONDS = 6.0
# Its connection is waited for longer than callers wait, and then given up, so that a new one can be tried.
_GIVEN_UP_SECONDS = 1.0
# Where this worker itself was held up, what the server said meanwhile still waits to be read.
_LOOK_AGAIN_SECONDS = 0.03
# However much others hold what is asked for: then the caller is told to try again.
_LONGEST_WAIT_SECONDS = 5.0
# Rows that one statement names; what waits beyond them makes the next batch.
_BATCH = 500
_ATTEMPTS = 40


@dataclass(eq=False)
class _Waiting:
    """Whoever asks for a ticket, or gives one back."""

    ticket: Ticket
    gives_back: bool = False
    done: Event = field(default_factory=Event)
    refusal: Refusal | None = None
    error: GatewayError | None = None
    abandoned: bool = False


class TicketStore:
    """The port Tickets, for one worker."""

    def __init__(self, database: Database, worker_id: str, clock: Callable[[], float] = monotonic) -> None:
        """`worker_id` stands in each ticket, so that others can end them if this worker dies. `clock`: seconds."""
        self._database = database
        self._worker_id = worker_id
        self._clock = clock
        self._breaker = Breaker("the database of limits", clock)
        self._silence = _SQLITE_SILENCE_SECONDS if database.is_sqlite else _SILENCE_SECONDS
        self._lock = Lock()
        self._queue: list[_Waiting] = []
        self._working = False
        self._heard_at = clock()
        self._owed: dict[str, Ticket] = {}

    def take(self, ticket: Ticket) -> Refusal | None:
        """All that the ticket's claims ask for, or nothing and why. Raises StoreUnavailable."""
        self._breaker.check()
        waiting = _Waiting(ticket)
        self._enqueue(waiting)
        self._wait(waiting)
        if isinstance(waiting.error, StoreUnavailable):
            raise self._breaker.unavailable(waiting.error.reason)
        if waiting.error:
            raise waiting.error
        return waiting.refusal

    def give_back(self, ticket: Ticket) -> None:
        """As if it had not been asked for. Never raises: where it cannot be done now, it is done by a later batch."""
        if self._breaker.is_open:
            with self._lock:
                self._owed[ticket.id] = ticket
            return
        waiting = _Waiting(ticket, gives_back=True)
        self._enqueue(waiting)
        self._wait(waiting)

    def repay(self) -> None:
        """Give back what could not be given back when it was to be. Never raises, and does not wait for it."""
        with self._lock:
            owes = bool(self._owed)
        try:
            if owes:
                self._breaker.check()
                self._enqueue(None)
        except StoreUnavailable:
            pass  # it is asked for again

    @property
    def owed(self) -> int:
        """How many tickets are still to be given back."""
        return len(self._owed)

    def _enqueue(self, waiting: _Waiting | None) -> None:
        with self._lock:
            if waiting:
                self._queue.append(waiting)
            starts, self._working = not self._working, True
            if starts:
                self._heard_at = self._clock()
        if starts:
            Thread(target=self._work, name="outcrop-tickets", daemon=True).start()

    def _wait(self, waiting: _Waiting) -> None:
        """Until it is decided, or the database said nothing for too long."""
        began = self._clock()
        while not waiting.done.wait(self._silence) and not waiting.done.wait(_LOOK_AGAIN_SECONDS):
            now = self._clock()
            silent = now - max(self._heard_at, began) >= self._silence
            if silent or now - began > _LONGEST_WAIT_SECONDS:
                self._abandon(waiting, away=silent)
                return

    def _abandon(self, waiting: _Waiting, *, away: bool) -> None:
        with self._lock:
            if waiting.done.is_set():
                return
            waiting.abandoned = True
        reason = "silence" if away else "others hold what is asked for"
        waiting.error = self._breaker.unavailable(reason)
        if away:
            self._breaker.failed(reason)

    def _work(self) -> None:
        """Batch after batch, until nobody waits."""
        went_well = True
        try:
            while True:
                with self._lock:
                    batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
                    owed = list(self._owed.values())[:_BATCH]
                    if not batch and not (owed and went_well):
                        self._working = False
                        return
                went_well = self._decide([one for one in batch if one.gives_back or not one.abandoned], owed)
        finally:
            self._working = False

    def _decide(self, batch: list[_Waiting], owed: list[Ticket]) -> bool:
        """Whether it could be decided."""
        takes = [one for one in batch if not one.gives_back]
        backs = [one for one in batch if one.gives_back]
        given_back = [*owed, *(one.ticket for one in backs)]
        failure: GatewayError | None = self._breaker.unavailable("an error, which the log has")
        try:
            refusals = self._run(Batch(self._worker_id, given_back, [one.ticket for one in takes], self._hear))
            failure = None
        except GatewayError as error:
            failure = error
        finally:
            spoilt_by_one = len(batch) > 1 and not isinstance(failure, StoreUnavailable)
            if failure and not spoilt_by_one:
                self._fail(batch, failure)
        if failure:
            alone = [self._decide([one], []) for one in batch] if spoilt_by_one else [False]
            return all(alone)
        self._breaker.succeeded()
        with self._lock:
            for ticket in owed:
                self._owed.pop(ticket.id, None)
        for one, refusal in [*zip(takes, refusals, strict=True), *((one, None) for one in backs)]:
            self._finish(one, refusal)
        return True

    def _run(self, batch: Batch) -> list[Refusal | None]:
        """Raises StoreUnavailable."""
        for _ in range(_ATTEMPTS):
            try:
                with gevent_driver.silence_of(_GIVEN_UP_SECONDS), self._database.admission() as connection:
                    refusals = batch.run(connection)
            except BalancesMissing as missing:
                with gevent_driver.silence_of(_GIVEN_UP_SECONDS), self._database.admission() as connection:
                    ticket_batch.add_balances(connection, missing.accounts)
            except TryAgain:
                continue
            else:
                return refusals
        raise self._breaker.unavailable("others hold what is asked for")

    def _finish(self, one: _Waiting, refusal: Refusal | None) -> None:
        with self._lock:
            one.refusal = refusal
            if one.abandoned and not one.gives_back and refusal is None:
                self._owed[one.ticket.id] = one.ticket
            one.done.set()

    def _fail(self, batch: list[_Waiting], error: GatewayError) -> None:
        """Whether the transaction was committed is not known where its connection broke: all of it is given back."""
        if isinstance(error, StoreUnavailable):
            self._breaker.failed(error.reason)
        with self._lock:
            behind, self._queue = self._queue, []
            for one in (*batch, *(one for one in behind if one.gives_back)):
                self._owed[one.ticket.id] = one.ticket
            for one in (*batch, *behind):
                one.error = error
                one.done.set()

    def _hear(self) -> None:
        self._heard_at = self._clock()
