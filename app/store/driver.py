"""Connections spoken to in the driver's own words, for the few statements that calls wait for.

They are written by hand: what SQLAlchemy does around each of them costs as much as the database does. Both drivers
commit each statement by itself here, unless it stands in a `transaction`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from select import POLLIN
from time import monotonic
from typing import Any

import psycopg2
from gevent.monkey import get_original
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Engine, PoolProxiedConnection, PoolResetState, event
from sqlalchemy.exc import DisconnectionError

# what statements raise here
DRIVER_ERRORS = (psycopg2.Error, sqlite3.Error)
Values = Sequence[Any] | Mapping[str, Any]
Rows = Sequence[tuple[Any, ...]]
# gevent's own would let others go on, only to look
_poll = get_original("select", "poll")
# under the pool's own bound on how old a connection may become (database.py)
_HELD_SECONDS = 60.0


class DriverConnection:
    """A connection out of an engine's pool. Not for two threads at once; raises DRIVER_ERRORS."""

    def __init__(self, pooled: PoolProxiedConnection) -> None:
        """`info`: what is remembered with the connection, as long as that lives."""
        self.info = pooled.info
        self.driver: Any = pooled.dbapi_connection
        self._cursor = pooled.cursor()

    def run(self, statement: str, values: Values = ()) -> None:
        """A statement whose rows are not asked for."""
        self._cursor.execute(statement, values)

    def run_each(self, statement: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]]) -> None:
        """Once with each row; of SQLite, as psycopg2 would go to the server and back for each."""
        self._cursor.executemany(statement, rows)

    def rows(self, statement: str, values: Values = ()) -> Rows:
        """What a statement returns, or the last of several."""
        self._cursor.execute(statement, values)
        return self._cursor.fetchall()

    @contextmanager
    def transaction(self, begin: Callable[[], None] | None = None) -> Iterator[None]:
        """Committed at the end, rolled back by an exception."""
        if begin:
            begin()
        else:
            self.run("BEGIN")
        try:
            yield
            self.run("COMMIT")
        except Exception:
            if not self.broken and not self.rests:
                self.run("ROLLBACK")
            raise

    @property
    def broken(self) -> bool:
        """Whether the server has gone, or was given up."""
        return bool(getattr(self.driver, "closed", False))

    @property
    def rests(self) -> bool:
        """Whether nothing is under way on it, so that others can have it."""
        if isinstance(self.driver, sqlite3.Connection):
            return not self.driver.in_transaction
        return not self.driver.closed and self.driver.info.transaction_status == TRANSACTION_STATUS_IDLE


@contextmanager
def driver_connection(engine: Engine) -> Iterator[DriverConnection]:
    """One of the engine's, for as long as the block takes. Raises SQLAlchemyError where there is none to be had."""
    pooled = engine.raw_connection()
    rests = False
    try:
        connection = DriverConnection(pooled)
        commits_itself = getattr(connection.driver, "autocommit", True)
        if not commits_itself:
            connection.driver.autocommit = True
        try:
            yield connection
        finally:
            if connection.rests and not commits_itself:
                connection.driver.autocommit = False
            rests = connection.rests
    finally:
        if not rests:
            pooled.invalidate()
        pooled.close()


class HeldConnection:
    """One of an engine's that stays out of the pool between uses: in and out costs a quarter of a lone row's booking.

    Not for two threads at once.
    """

    def __init__(self, engine: Engine, seconds: float = _HELD_SECONDS) -> None:
        """`seconds`: how long; then the pool looks after it."""
        self._engine = engine
        self._seconds = seconds
        self._pooled: PoolProxiedConnection | None = None
        self._connection: DriverConnection | None = None
        self._server_spoke: Callable[[], bool] = _never
        self._since = 0.0

    @contextmanager
    def use(self) -> Iterator[DriverConnection]:
        """Raises SQLAlchemyError where there is none to be had."""
        connection = self._connection
        if connection is None or self._is_over():
            connection = self._take()
        try:
            yield connection
        finally:
            if not connection.rests:
                self.release()

    def release(self) -> None:
        """Give it back, or where it cannot be used again, up. Idempotent."""
        pooled, connection, closed = self._pooled, self._connection, self._server_spoke
        self._pooled = self._connection = None
        if pooled is None:
            return
        if connection is None or not connection.rests or closed():
            pooled.invalidate()
        pooled.close()

    def _take(self) -> DriverConnection:
        self.release()
        self._pooled = pooled = self._engine.raw_connection()
        self._connection = connection = DriverConnection(pooled)
        self._server_spoke = _listener(pooled.dbapi_connection)
        self._since = monotonic()
        return connection

    def _is_over(self) -> bool:
        return monotonic() - self._since > self._seconds or self._server_spoke()


def replace_closed(engine: Engine) -> None:
    """Connections of PostgreSQL that the server has closed meanwhile are replaced before they are used.

    It says so on the connection, where else nothing comes unasked; a server that vanished without a word is noticed by
    the system, which asks for signs of life (database.py). A query to find out would cost as much as the one to come.
    """
    event.listen(engine, "checkout", _look)
    event.listen(engine, "reset", _set_back)


def _look(driver: Any, *_: object) -> None:
    if _listener(driver)():
        raise DisconnectionError("the server has closed the connection")


def _listener(driver: Any) -> Callable[[], bool]:
    """Says whether the server has said something unasked, which is that it closes the connection."""
    if isinstance(driver, sqlite3.Connection):
        return _never
    poll = _poll()
    poll.register(driver.fileno(), POLLIN)
    return lambda: bool(poll.poll(0))


def _never() -> bool:
    return False


def _set_back(driver: Any, record: Any, state: PoolResetState) -> None:
    """What the connection was set to for one use. SQLAlchemy would do so a moment later, and where the server has gone
    meanwhile forget to give its place in the pool to others."""
    if record is None:
        return
    try:
        if not state.transaction_was_reset:
            driver.rollback()
        while record.finalize_callback:
            record.finalize_callback.pop()(driver)
    except psycopg2.Error as error:
        record.invalidate(error)
