"""Tickets in the database: whoever asks at one moment is decided in one transaction, in the order of arrival.

A ticket that its caller no longer waits for, or of which a broken connection left unsaid whether it was given, is given
back as soon as the database answers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from sqlalchemy import event

from app.core.errors import GatewayError, StoreUnavailable
from app.core.tickets import Refusal, Ticket
from app.store import gevent_driver, tickets_postgresql, tickets_sqlite
from app.store.batching import SILENCE_SECONDS, Batching
from app.store.breaker import Breaker
from app.store.database import Database
from app.store.driver import DriverConnection
from app.store.ticket_batch import BalancesMissing, Batch, Sql, TryAgain

# SQLite is a file here: what it waits for is another process's turn.
_SQLITE_SILENCE_SECONDS = 6.0
# A connection is waited for longer than callers wait, and then given up, so that a new one can be tried.
_GIVEN_UP_SECONDS = 1.0
# each waits for a lock as long as ticket_batch says
_ATTEMPTS = 40
_OWED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Wish:
    ticket: Ticket
    gives_back: bool = False


class TicketStore:
    """The port Tickets, for one worker."""

    def __init__(
        self,
        database: Database,
        worker_id: str,
        clock: Callable[[], float] = monotonic,
        silence_seconds: float | None = None,
    ) -> None:
        """`worker_id` stands in each ticket, so that others can end them if this worker dies. `clock`: seconds.

        `silence_seconds`: how long the database may say nothing before it is away; None: as long as its kind may.
        """
        self._database = database
        self._sql: Sql = tickets_sqlite if database.is_sqlite else tickets_postgresql
        self._worker_id = worker_id
        self._breaker = Breaker("the database of limits", clock)
        silence = silence_seconds or (_SQLITE_SILENCE_SECONDS if database.is_sqlite else SILENCE_SECONDS)
        self._wishes: Batching[_Wish, Refusal | None] = Batching(self, self._breaker, clock, silence)
        # whoever else is answered: where all connections are in use, that is all that is heard of the database
        event.listen(database.engine, "after_cursor_execute", self._hear)
        self._lock = Lock()
        self._owed: dict[str, Ticket] = {}
        # those of the batch under way that the database may have been asked for
        self._asked: frozenset[str] = frozenset()

    def take(self, ticket: Ticket) -> Refusal | None:
        """All that the ticket's claims ask for, or nothing and why. Raises StoreUnavailable."""
        self._breaker.check()
        return self._wishes.ask(_Wish(ticket))

    def give_back(self, ticket: Ticket) -> None:
        """As if it had not been asked for. Never raises: where it cannot be done now, it is done by a later batch."""
        if self._breaker.is_open:
            self._owe(ticket)
            return
        try:
            self._wishes.ask(_Wish(ticket, gives_back=True))
        except GatewayError:
            pass  # it is owed

    def repay(self) -> None:
        """Give back what could not be given back when it was to be. Never raises, and does not wait for it."""
        with self._lock:
            first = next(iter(self._owed.values()), None)
        if first is None:
            return
        try:
            self._breaker.check()
        except StoreUnavailable:
            return
        self._wishes.post(_Wish(first, gives_back=True))

    @property
    def owed(self) -> int:
        """How many tickets are still to be given back."""
        return len(self._owed)

    @property
    def idle(self) -> bool:
        """Whether no batch is under way."""
        return self._wishes.idle

    def answer(self, questions: Sequence[_Wish]) -> Sequence[Refusal | None]:
        """For Batching, with what is owed. Raises StoreUnavailable."""
        self._asked = frozenset()
        with self._lock:
            owed = list(self._owed.values())[:_OWED_AT_ONCE]
        backs = [*owed, *(wish.ticket for wish in questions if wish.gives_back)]
        takes = [wish.ticket for wish in questions if not wish.gives_back]
        refusals = iter(self._run(Batch(self._worker_id, backs, takes, self._wishes.hear)))
        with self._lock:
            for ticket in owed:
                self._owed.pop(ticket.id, None)
        return [None if wish.gives_back else next(refusals) for wish in questions]

    def unheard(self, question: _Wish, answer: Refusal | None) -> None:
        """For Batching. A refusal took nothing."""
        if answer is None and not question.gives_back:
            self._wishes.post(_Wish(question.ticket, gives_back=True))

    def failed(self, question: _Wish) -> None:
        """For Batching. What may have been taken, or not been given back, is owed: of what was not even asked for,
        an outage of a day would leave a hundred thousand."""
        if question.gives_back or question.ticket.id in self._asked:
            self._owe(question.ticket)

    def _hear(self, *_: object) -> None:
        self._wishes.hear()

    def _owe(self, ticket: Ticket) -> None:
        with self._lock:
            self._owed[ticket.id] = ticket

    def _run(self, batch: Batch) -> list[Refusal | None]:
        """Raises StoreUnavailable."""
        for _ in range(_ATTEMPTS):
            try:
                with self._admission() as connection:
                    self._asked = frozenset(ticket.id for ticket in batch.takes)
                    return batch.run(self._sql, connection)
            except BalancesMissing as missing:
                with self._admission() as connection:
                    self._sql.add_balances(connection, missing.accounts)
            except TryAgain:
                continue
        raise self._breaker.unavailable("others hold what is asked for")

    @contextmanager
    def _admission(self) -> Iterator[DriverConnection]:
        """Raises StoreUnavailable."""
        heard = self._wishes.hear
        with gevent_driver.silence_of(_GIVEN_UP_SECONDS, heard), self._database.admission() as connection:
            yield connection
