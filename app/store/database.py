"""The database's engine: SQLite beside the gateway by default, PostgreSQL through psycopg2 by DATABASE_URL."""

from time import monotonic

from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

# At most 3 connections a worker: the smallest hosted plans allow 20 in all.
_POOL_SIZE = 2
_POOL_OVERFLOW = 1
_POOL_WAIT_SECONDS = 3
_CONNECT_SECONDS = 3
_STATEMENT_MS = 10_000
_ANSWER_SECONDS = 1.0


class Database:
    """The engine, and whether it answers."""

    def __init__(self, url: str) -> None:
        """`url`: sqlite:///path or postgresql+psycopg2://..."""
        self.engine = _engine(url)
        self._asked_at = float("-inf")
        self._answered = False

    def answers(self) -> bool:
        """Whether a query comes back, at most a second ago: probes and the curious ask without limit."""
        if monotonic() - self._asked_at > _ANSWER_SECONDS:
            self._asked_at = monotonic()
            self._answered = self._ask()
        return self._answered

    def describe(self) -> str:
        """Where the database is, without its password, which may also stand in the query."""
        url = self.engine.url
        shown = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        return shown.render_as_string()

    def _ask(self) -> bool:
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        return create_engine(url, connect_args={"timeout": _CONNECT_SECONDS})
    return create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=300,
        pool_use_lifo=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": f"-c statement_timeout={_STATEMENT_MS}"},
    )
