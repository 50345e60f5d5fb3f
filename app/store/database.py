"""The database's engine: SQLite beside the gateway by default, PostgreSQL through psycopg2 by DATABASE_URL."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

# At most 3 connections a worker: the smallest hosted plans allow 20 in all.
_POOL_SIZE = 2
_POOL_OVERFLOW = 1
_POOL_WAIT_SECONDS = 3
_CONNECT_SECONDS = 3
_STATEMENT_MS = 10_000


class Database:
    """The engine, and whether it answers."""

    def __init__(self, url: str) -> None:
        """`url`: sqlite:///path or postgresql+psycopg2://..."""
        self.engine = _engine(url)

    def answers(self) -> bool:
        """Whether a query comes back."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def describe(self) -> str:
        """Where the database is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        path = make_url(url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
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
