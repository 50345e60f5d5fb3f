"""The database's engine: SQLite beside the gateway by default, PostgreSQL through psycopg2 by DATABASE_URL.

Each way to use it has one connection, which is given back at the end: `statement` for one query, `snapshot` for several
that must see the same moment, `change` for what writes settings, `admission` for what lets calls in, `booking` for what
books them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Lock
from time import monotonic
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import StoreUnavailable
from app.store import gevent_driver, sqlite
from app.store.column_types import dump_json
from app.store.driver import DriverConnection, HeldConnection, driver_connection, replace_closed
from app.store.failures import unavailable_where_it_is

# At most 3 connections a worker: the smallest hosted plans allow 20 in all. One of them is the ledger writer's alone.
_POOL_SIZE = 2
_BOOKING_POOL_SIZE = 1
_POOL_WAIT_SECONDS = 3
_CONNECT_SECONDS = 3
_STATEMENT_MS = 10_000
_ANSWER_SECONDS = 1.0
_TURN_SECONDS = 10
# callers wait for such a query before their call is let in
_STATEMENT_SILENCE_SECONDS = 3
# One statement books, with one plan for whatever it is given; its tables are large, and their keys are known.
_BOOKING_SESSION = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
# A server that vanished without a word is noticed after 11 s of silence, instead of after the system's two hours.
_KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 11_000}
# Any number that no other program uses on this database: "outcrop" in ASCII.
_MIGRATION_LOCK = 0x6F7574_63726F70


def engine_options(url: str) -> dict[str, Any]:
    """What create_engine needs beside the URL; SQLALCHEMY_ENGINE_OPTIONS for Flask-SQLAlchemy."""
    options: dict[str, Any] = {
        "pool_size": _POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": _POOL_WAIT_SECONDS,
        "pool_use_lifo": True,
        "json_serializer": dump_json,
        "hide_parameters": True,  # an error's text must not repeat what a caller sent
    }
    if url.startswith("sqlite"):
        return options | {"connect_args": {"check_same_thread": False}}
    session = f"-c statement_timeout={_STATEMENT_MS}"
    connect = {"connect_timeout": _CONNECT_SECONDS, "options": session, **_KEEPALIVES}
    return options | {"pool_recycle": 300, "use_native_hstore": False, "connect_args": connect}


def _booking_options(url: str) -> dict[str, Any]:
    """The same for the connection that books."""
    options = engine_options(url) | {"pool_size": _BOOKING_POOL_SIZE}
    if url.startswith("sqlite"):
        return options
    connect = dict(options["connect_args"])
    connect["options"] += f" {_BOOKING_SESSION}"
    # from the start: to change it costs as much as the statement does
    return options | {"connect_args": connect, "isolation_level": "AUTOCOMMIT"}


def engine_url(url: str) -> URL:
    """`url` with SQLite's file named in full: Flask-SQLAlchemy would look for it elsewhere."""
    parsed = make_url(url)
    return parsed.set(database=str(Path(str(parsed.database)).absolute())) if url.startswith("sqlite") else parsed


class Database:
    """The engine, the ways to use it, and whether it answers. All raise StoreUnavailable where it does not."""

    def __init__(self, engine: Engine) -> None:
        """`engine`: made with engine_url and engine_options."""
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._booking_engine = create_engine(engine.url, **_booking_options(engine.dialect.name))
        for one in (engine, self._booking_engine):
            (sqlite.prepare if self.is_sqlite else replace_closed)(one)
        self._booking_line = HeldConnection(self._booking_engine)
        if self.is_sqlite:
            self._statements = engine.execution_options(**{sqlite.BEGIN: ""})
            self._snapshots = engine
            self._changes = engine.execution_options(**{sqlite.BEGIN: sqlite.WRITE})
        else:
            self._statements = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._changes = engine.execution_options(isolation_level="READ COMMITTED")
        # Who waits for a turn holds no connection. One change or reading at a time leaves one for `statement` and
        # `admission`, by which callers are let in and revocations are learnt.
        self._desk = _Desk()
        self._admitting, self._booking = Lock(), Lock()
        self._asking = Lock()
        self._asked_at = float("-inf")
        self._answered = False

    @classmethod
    def at(cls, url: str) -> "Database":
        """With an engine of its own."""
        return cls(create_engine(engine_url(url), **engine_options(url)))

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For a single query that reads, outside any transaction."""
        with (
            unavailable_where_it_is(),
            gevent_driver.silence_of(_STATEMENT_SILENCE_SECONDS),
            self._statements.connect() as connection,
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """For a single statement that writes. SQLite waits for its lock in its own way there, and all calls with it."""
        if not self.is_sqlite:
            with self.statement() as connection:
                yield connection
            return
        with unavailable_where_it_is(), self._changes.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """For queries that all see one moment."""
        with self._desk.turn(changing=False), unavailable_where_it_is(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """For what writes: committed at the end, rolled back by an exception."""
        with self._desk.turn(changing=True), unavailable_where_it_is(), self._changes.begin() as connection:
            yield connection

    @contextmanager
    def admission(self) -> Iterator[DriverConnection]:
        """For tickets, of which nothing may take long: without waiting for those who `change`. Raises DRIVER_ERRORS."""
        with _turn(self._admitting), unavailable_where_it_is(), driver_connection(self.engine) as connection:
            yield connection

    @contextmanager
    def booking(self) -> Iterator[DriverConnection]:
        """For the ledger's writer, on the connection that is its alone. Raises DRIVER_ERRORS too."""
        with _turn(self._booking), unavailable_where_it_is(), self._booking_line.use() as connection:
            yield connection

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        """For changes of the schema: one process at a time, however many there are, waits for the others as it must."""
        with unavailable_where_it_is(), self._changes.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            yield connection

    def answers(self) -> bool:
        """Whether a query comes back, at most a second ago: probes and the curious ask without limit."""
        with self._asking:  # whoever comes meanwhile wants this answer, not the one before it
            if monotonic() - self._asked_at > _ANSWER_SECONDS:
                self._answered = self._ask()
                self._asked_at = monotonic()
            return self._answered

    def describe(self) -> str:
        """Where the database is, without its password, which may also stand in the query."""
        url = self.engine.url
        shown = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        return shown.render_as_string()

    def close(self) -> None:
        """Close the connections that are not in use."""
        if self._booking.acquire(blocking=False):
            self._booking_line.release()
            self._booking.release()
        self.engine.dispose()
        self._booking_engine.dispose()

    def _ask(self) -> bool:
        try:
            with self._statements.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


class _Desk:
    """Whose turn it is to read or change settings: one at a time, and who changes before all who read.

    Anybody with a key may read, and no crowd of them may keep an administrator from blocking a key.
    """

    def __init__(self) -> None:
        self._free = Condition()
        self._busy = False
        self._changes_waiting = 0

    @contextmanager
    def turn(self, *, changing: bool) -> Iterator[None]:
        """Raises StoreUnavailable."""
        with self._free:
            self._changes_waiting += changing
            try:
                ready = self._free.wait_for(lambda: self._may(changing=changing), _TURN_SECONDS)
            finally:
                self._changes_waiting -= changing
            if not ready:
                self._free.notify_all()
                raise _no_turn()
            self._busy = True
        try:
            yield
        finally:
            with self._free:
                self._busy = False
                self._free.notify_all()

    def _may(self, *, changing: bool) -> bool:
        return not self._busy and (changing or not self._changes_waiting)


@contextmanager
def _turn(lock: Lock) -> Iterator[None]:
    """Raises StoreUnavailable."""
    if not lock.acquire(timeout=_TURN_SECONDS):
        raise _no_turn()
    try:
        yield
    finally:
        lock.release()


def _no_turn() -> StoreUnavailable:
    return StoreUnavailable("Other requests have not come to an end. Try again in a few seconds.", retry_after=5)
