"""Whether the database has this version's tables, and what brings them: asked with one query and without Alembic."""

from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, inspect, select

from app.store import money_rows  # noqa: F401  # its tables belong to db.metadata
from app.store.database import Database
from app.store.rows import db

MIGRATIONS = Path(__file__).resolve().parent.parent.parent / "migrations"
# Alembic's own table: https://alembic.sqlalchemy.org/en/latest/api/runtime.html (version_table)
_STAMP = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class State(Enum):
    """How the database's tables compare with the code's."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"


def revisions() -> list[str]:
    """The migrations of this code, the oldest first: each file's name begins with its number."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class Migrations:
    """What Flask-Migrate and migrations/env.py look for in app.extensions["migrate"].

    Flask-Migrate brings Alembic, 10 MB and a quarter of a second that no worker needs: it is imported when a command of
    its own asks.
    """

    directory = str(MIGRATIONS)

    def __init__(self, database: Database) -> None:
        self.database = database
        self.db = db
        # SQLite changes a column by copying the table
        self.configure_args = {"render_as_batch": True, "compare_type": True}

    @property
    def migrate(self) -> Any:
        """Flask-Migrate's own extension object."""
        return import_module("flask_migrate").Migrate(db=db, directory=self.directory)

    def commands(self) -> Any:
        """Flask-Migrate's command group: upgrade, current, history, ..."""
        return import_module("flask_migrate.cli").db


class Schema:
    """The tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> State:
        """Raises StoreUnavailable."""
        known = revisions()
        stamped = self._stamped()
        if stamped == known[-1]:
            return State.CURRENT
        return State.BEHIND if stamped is None or stamped in known else State.AHEAD

    def create(self) -> None:
        """All tables in an empty database, as the migrations would leave them. For tests: a start takes the migrations.

        Raises StoreUnavailable.
        """
        with self._database.migration() as connection:
            db.metadata.create_all(connection)
            _STAMP.create(connection)
            connection.execute(_STAMP.insert().values(version_num=revisions()[-1]))

    def _stamped(self) -> str | None:
        with self._database.snapshot() as connection:
            if not inspect(connection).has_table(_STAMP.name):
                return None
            return connection.execute(select(_STAMP.c.version_num)).scalar()
