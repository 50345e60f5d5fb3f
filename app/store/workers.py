"""Which workers live. Each says so every few seconds, and ends what was left behind by those that no longer do.

Moments are the database's own, since those of machines differ. A worker that the database was away from buries nobody
until it has heard of it for as long as others are given to be heard again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.errors import InvalidField, StoreUnavailable
from app.core.killed_calls import killed
from app.core.ledger_entries import Posting
from app.core.tickets import Ticket
from app.store.database import Database
from app.store.money_rows import TICKETS, WORKERS
from app.store.ticket_batch import ticket_of

_AGAIN_SECONDS = 1.0
# of a dead worker, in one turn: the next beat must not be late
_TICKETS_AT_ONCE = 200
_DEAD_AT_ONCE = 20
_SOON_SECONDS = 0.05
# made once: each such statement holds itself, until garbage is looked for
_UNKNOWN = select(TICKETS.c.worker).where(~exists().where(WORKERS.c.id == TICKETS.c.worker)).distinct()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often a worker says that it lives, and after how long a silence it is taken to be dead."""

    beat_seconds: float = 5.0
    silent_seconds: float = 20.0


class Books(Protocol):
    """Where the calls of dead workers are booked."""

    def book(self, postings: Sequence[Posting]) -> Any:
        """Book them and end their tickets. Raises StoreUnavailable."""


class Heartbeat:
    """One worker's sign of life, and what it does for those that give none."""

    def __init__(  # noqa: PLR0913  # the collaborators, each by name
        self,
        database: Database,
        worker_id: str,
        *,
        host: str,
        books: Books,
        adopt_spool: Callable[[str], None],
        also: Sequence[Callable[[], None]] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pulse: Pulse = Pulse(),
    ) -> None:
        """`host`: where the worker runs, for whoever reads the table. `now`: of SQLite, which has no clock of its own.

        `adopt_spool` books what a dead worker left on a disk that can be reached; it may raise StoreUnavailable.
        `also` is called at each beat, also while the database is away: leases to renew, tickets to give back.
        """
        self._database = database
        self._id = worker_id
        self._host = host
        self._books = books
        self._adopt_spool = adopt_spool
        self._also = also
        self._now = now
        self._silence = timedelta(seconds=pulse.silent_seconds)
        self._beat_seconds = pulse.beat_seconds
        self._heard_at: datetime | None = None
        self._steady_since: datetime | None = None
        # the dead that are this worker's to bury, with the moment by which others see that it is at it
        self._burying: dict[str, datetime] = {}
        self._spool_unread: set[str] = set()
        self._answers = True

    def beat(self) -> float:
        """Say that this worker lives, and look after the dead. Never raises; seconds until it is due again."""
        for work in self._also:
            work()
        try:
            heard_at = self._say()
            if self._may_bury(heard_at):
                self._find_dead(heard_at)
            unfinished = [name for name in list(self._burying) if not self._bury(name, heard_at)]
        except StoreUnavailable as error:
            if self._answers:
                self._answers = False
                _log.warning("the database does not answer (%s): this worker cannot say that it lives", error.reason)
            return _AGAIN_SECONDS
        self._answers = True
        return _SOON_SECONDS if unfinished else self._beat_seconds

    def leave(self) -> None:
        """This worker ends. What it could not end is left to others, by whom it will be missed. Never raises."""
        gone = delete(WORKERS).where(WORKERS.c.id == self._id, ~exists().where(TICKETS.c.worker == self._id))
        try:
            with self._database.write() as connection:
                connection.execute(gone)
        except StoreUnavailable:
            pass  # as above

    def _say(self) -> datetime:
        """The moment at which it was said."""
        dialect: Any = sqlite if self._database.is_sqlite else postgresql
        moment = self._moment()
        said = dialect.insert(WORKERS).values(id=self._id, heard_at=moment, host=self._host)
        said = said.on_conflict_do_update(index_elements=["id"], set_={"heard_at": moment, "host": self._host})
        with self._database.write() as connection:
            heard_at: datetime = connection.execute(said.returning(WORKERS.c.heard_at)).scalar_one()
        return heard_at

    def _moment(self) -> Any:
        return self._now() if self._database.is_sqlite else func.clock_timestamp()

    def _may_bury(self, heard_at: datetime) -> bool:
        """After a gap in its own beats, or at its start, others may have had the same gap."""
        if self._steady_since is None or self._heard_at is None or heard_at - self._heard_at > self._silence / 2:
            self._steady_since = heard_at
        self._heard_at = heard_at
        return heard_at - self._steady_since >= self._silence

    def _find_dead(self, heard_at: datetime) -> None:
        silent = select(WORKERS.c.id, WORKERS.c.heard_at).where(WORKERS.c.heard_at < heard_at - self._silence)
        with self._database.statement() as connection:
            dead = connection.execute(silent.order_by(WORKERS.c.heard_at).limit(_DEAD_AT_ONCE)).all()
        for row in dead:
            if self._mark(row.id, row.heard_at, heard_at):
                _log.warning("worker %s has not been heard of since %s: what it left is ended", row.id, row.heard_at)
                self._burying[row.id] = heard_at
                self._spool_unread.add(row.id)
        self._enter_unknown(heard_at)

    def _enter_unknown(self, heard_at: datetime) -> None:
        """Workers that died before they said anything, if they took tickets: from now on they are missed."""
        with self._database.statement() as connection:
            names = connection.scalars(_UNKNOWN).all()
        for name in names:
            dialect: Any = sqlite if self._database.is_sqlite else postgresql
            entry = dialect.insert(WORKERS).values(id=name, heard_at=heard_at, host="")
            with self._database.write() as connection:
                connection.execute(entry.on_conflict_do_nothing())

    def _mark(self, name: str, seen: datetime, heard_at: datetime) -> bool:
        """Whether this worker alone sees to a dead one now: nobody, nor itself, was heard of it since it was `seen`."""
        marked = update(WORKERS).where(WORKERS.c.id == name, WORKERS.c.heard_at == seen).values(heard_at=heard_at)
        with self._database.write() as connection:
            return bool(connection.execute(marked).rowcount)

    def _bury(self, name: str, heard_at: datetime) -> bool:
        """Whether all of it is done. Raises StoreUnavailable."""
        if not self._mark(name, self._burying[name], heard_at):
            del self._burying[name]  # it lives after all, or is another's to bury
            return True
        self._burying[name] = heard_at
        if name in self._spool_unread:  # what it had seen the end of is better known from there
            self._adopt_spool(name)
            self._spool_unread.discard(name)
        left = select(TICKETS).where(TICKETS.c.worker == name).order_by(TICKETS.c.id).limit(_TICKETS_AT_ONCE)
        with self._database.statement() as connection:
            tickets = [ticket_of(row) for row in connection.execute(left)]
        if tickets:
            self._end(tickets, heard_at)
            _log.warning("worker %s died with calls in flight: %d are booked as gateway_killed", name, len(tickets))
            return False
        gone = delete(WORKERS).where(WORKERS.c.id == name, WORKERS.c.heard_at == heard_at)
        with self._database.write() as connection:
            connection.execute(gone.where(~exists().where(TICKETS.c.worker == name)))
        del self._burying[name]
        return True

    def _end(self, tickets: Sequence[Ticket], at: datetime) -> None:
        """Raises StoreUnavailable."""
        try:
            self._books.book([killed(ticket, at) for ticket in tickets])
        except InvalidField:  # one that no column can hold: what it holds is given back all the same
            if len(tickets) == 1:
                self._books.book([killed(replace(tickets[0], call={}), at)])
                return
            for ticket in tickets:
                self._end([ticket], at)
