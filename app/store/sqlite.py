"""What SQLite needs to be told: a write-ahead log, foreign keys, and transactions that begin when we say so."""

from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as SqliteConnection
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, event

# The execution option that says how a transaction begins: a reader's snapshot by default, "" for none at all.
BEGIN = "outcrop_begin"
READ = "BEGIN"
# Takes the write lock at once. A reader that goes on to write fails where another wrote meanwhile, without waiting.
WRITE = "BEGIN IMMEDIATE"
_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.005
# SQLite answers without anybody else's having had a turn: between statements they have one, as often as this.
_TURN_SECONDS = 0.01
# not 0: gevent would go on with who is ready, and look for nobody who became so
_PAUSE_SECONDS = 0.00001


def prepare(engine: Engine) -> None:
    """Attach to a new engine."""
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    event.listen(engine, "before_cursor_execute", _give_others_a_turn)


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
        connection.info["gave_turn_at"] = monotonic()
    elif statement:
        driver.execute(statement)


def _give_others_a_turn(connection: Connection, *_: Any) -> None:
    """A change of ten thousand keys would else stop every other call of the worker until it is made."""
    now = monotonic()
    if now - connection.info.get("gave_turn_at", 0.0) > _TURN_SECONDS:
        sleep(_PAUSE_SECONDS)
        connection.info["gave_turn_at"] = monotonic()


def _patiently(connection: Any, statement: str) -> None:
    """Wait for the lock by sleeping here: SQLite's own wait would stop every other call of the worker.

    Raises OperationalError after as long as SQLite would wait.
    """
    deadline = monotonic() + _WAIT_SECONDS
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute(statement)
            except OperationalError as error:
                if error.sqlite_errorcode & 0xFF != SQLITE_BUSY or monotonic() > deadline:
                    raise
                sleep(_POLL_SECONDS)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000:.0f}")
