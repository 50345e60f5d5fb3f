"""What the drivers raise, in core's words: a database that cannot be used is one thing, our own mistakes another."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError, InvalidRequestError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import GatewayError, InvalidField, StoreUnavailable
from app.store.driver import DRIVER_ERRORS

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 5
_LONGEST_REASON = 300
# SQLite files every mistake in a statement under OperationalError too, with this code
_SQLITE_MISTAKE = sqlite3.SQLITE_ERROR
_SQLITE_NO_DATABASE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError, sqlite3.InterfaceError)
# PostgreSQL's codes: a table or a column is not there, the server lets nobody write (a standby)
_NO_SCHEMA, _READ_ONLY = ("42P01", "42703"), "25006"
# SQLAlchemy's words, which has no class for it: as often as it tries, the server had closed the connection
_CLOSED_AGAIN = "This connection is closed"
_NO_SCHEMA_SQLITE = ("no such table", "no such column", "has no column named")


@contextmanager
def unavailable_where_it_is() -> Iterator[None]:
    """Raises StoreUnavailable, or InvalidField for a value that no column can hold; all else as it comes."""
    try:
        yield
    except PoolTimeout:
        raise _unavailable("All of the gateway's connections to its database are in use.") from None
    except InvalidRequestError as error:
        if str(error) != _CLOSED_AGAIN:
            raise
        raise _unavailable("The gateway's database does not answer.", "it closes every connection") from None
    except StatementError as error:  # a DBAPIError is one too
        cause = error.orig
        if isinstance(cause, GatewayError):
            raise cause from None
        if isinstance(cause, ValueError) and not isinstance(error, DBAPIError):
            raise InvalidField(f"A value cannot be stored: {cause}.") from None
        broken = isinstance(error, DBAPIError) and error.connection_invalidated
        if unavailable := _told(cause, broken=broken):
            raise unavailable from None
        raise
    except DRIVER_ERRORS as error:  # from driver.py and sqlite.py
        if unavailable := _told(error):
            raise unavailable from None
        raise


def _told(cause: BaseException | None, *, broken: bool = False) -> StoreUnavailable | None:
    """None: a mistake of ours, or a value that no column holds. `broken`: the connection, by it."""
    if _has_no_schema(cause):
        _log.error("the database has not this version's tables: run flask --app wsgi db upgrade")
        return _unavailable("The gateway's database has not been brought up to date.")
    if isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
        return _unavailable("The gateway's database is busy.")
    if broken or _is_away(cause):
        return _unavailable("The gateway's database does not answer.", _reason(cause))
    return None


def _unavailable(what: str, reason: str = "") -> StoreUnavailable:
    return StoreUnavailable(f"{what} Try again in a few seconds.", retry_after=_RETRY_SECONDS, reason=reason)


def _reason(cause: BaseException | None) -> str:
    """What the driver said, in one line: libpq tells of each address that it tried, and then gives advice, indented."""
    lines = [" ".join(line.split()) for line in str(cause or "").splitlines() if line and not line[0].isspace()]
    return "; ".join(lines)[:_LONGEST_REASON]


def _has_no_schema(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.OperationalError):
        return any(words in str(cause) for words in _NO_SCHEMA_SQLITE)
    return getattr(cause, "pgcode", None) in _NO_SCHEMA


def _is_away(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.OperationalError):
        return cause.sqlite_errorcode != _SQLITE_MISTAKE
    if isinstance(cause, sqlite3.DatabaseError):
        return cause.sqlite_errorcode & 0xFF in _SQLITE_NO_DATABASE
    return isinstance(cause, _AWAY) or getattr(cause, "pgcode", None) == _READ_ONLY
