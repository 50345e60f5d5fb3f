"""What SQLite needs to be told: a write-ahead log, foreign keys, and transactions that begin when we say so."""

from contextlib import AbstractContextManager
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as SqliteConnection
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, event

from app.store.driver import DriverConnection

# The execution option that says how a transaction begins: a reader's snapshot by default, "" for none at all.
BEGIN = "outcrop_begin"
READ = "BEGIN"
# Takes the write lock at once. A reader that goes on to write fails where another wrote meanwhile, without waiting.
WRITE = "BEGIN IMMEDIATE"
_WAIT_SECONDS = 5.0
# Most transactions of others take half a millisecond; who waits for a long one asks less often.
_SOON_SECONDS, _POLL_SECONDS = 0.0005, 0.002
# SQLite answers without anybody else's having had a turn: between statements they have one, as often as this.
_TURN_SECONDS = 0.01
# not 0: gevent would go on with who is ready, and look for nobody who became so
_PAUSE_SECONDS = 0.00001
_TURN = "outcrop_gave_turn_at"


def writing(connection: DriverConnection) -> AbstractContextManager[None]:
    """A transaction that has the write lock from its begin."""

    def begin() -> None:
        _patiently(connection.driver, WRITE)
        connection.info[_TURN] = monotonic()

    return connection.transaction(begin)


def give_others_a_turn(info: dict[Any, Any]) -> None:
    """A change of ten thousand keys would else stop every other call of the worker until it is made.

    `info`: of the connection.
    """
    now = monotonic()
    if now - info.get(_TURN, 0.0) > _TURN_SECONDS:
        sleep(_PAUSE_SECONDS)
        info[_TURN] = monotonic()


def prepare(engine: Engine) -> None:
    """Attach to a new engine."""
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    event.listen(engine, "before_cursor_execute", _executing)


def _connected(connection: SqliteConnection, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come late, and not before a SELECT
    connection.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000:.0f}")
    if connection.execute("PRAGMA journal_mode").fetchone() == ("delete",):
        _patiently(connection, "PRAGMA journal_mode = WAL")
    # a power cut may lose the last changes, never the file
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begun(connection: Connection) -> None:
    statement = connection.get_execution_options().get(BEGIN, READ)
    driver: Any = connection.connection.driver_connection
    if statement == WRITE:
        _patiently(driver, statement)
        # a short change gives nobody a turn: all other writers wait for it
        connection.info[_TURN] = monotonic()
    elif statement:
        driver.execute(statement)


def _executing(connection: Connection, *_: object) -> None:
    give_others_a_turn(connection.info)


def _patiently(connection: Any, statement: str) -> None:
    """Wait for the lock by sleeping here: SQLite's own wait would stop every other call of the worker.

    Raises OperationalError after as long as SQLite would wait.
    """
    deadline, pause = monotonic() + _WAIT_SECONDS, _SOON_SECONDS
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute(statement)
            except OperationalError as error:
                if error.sqlite_errorcode & 0xFF != SQLITE_BUSY or monotonic() > deadline:
                    raise
                sleep(pause)
                pause = min(2 * pause, _POLL_SECONDS)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000:.0f}")
