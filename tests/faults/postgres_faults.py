"""What can befall a PostgreSQL while gateways use it, each for as long as a `with` lasts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Self

from sqlalchemy import Engine, create_engine, make_url, text

from app.store.database import Database
from app.store.schema import Schema
from tests.databases import private_postgres
from tests.faults.postgres_wire import Mode, PostgresWire

_ROLE = "gateway"
_AGAIN_SECONDS = 0.1
# class 53: "could not extend file ...: No space left on device"
_DISK_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON ledger EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT ON tickets EXECUTE FUNCTION full_disk()
"""
_ROOM_AGAIN = "DROP FUNCTION full_disk CASCADE"


class FaultyPostgres:
    """A server with a database, which gateways reach over a wire as a role that is no superuser.

    `url`: theirs; `own_url`: the test's, past the wire.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server = private_postgres(keeps_commits=True)

    def __enter__(self) -> Self:
        admin = make_url(self._stack.enter_context(self._server)).set(drivername="postgresql+psycopg2")
        self.own_url = admin.render_as_string(hide_password=False)
        database = Database.at(self.own_url)
        Schema(database).create()
        database.close()
        self._run(
            f"CREATE ROLE {_ROLE} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {_ROLE};"
            f"GRANT ALL ON SCHEMA public TO {_ROLE}"
        )
        self.wire = self._stack.enter_context(PostgresWire(self.own_url))
        self.url = make_url(self.wire.url).set(username=_ROLE).render_as_string(hide_password=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._server.stop()
        try:
            yield
        finally:
            self._server.start()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """And started anew at the end: it recovers by its log."""
        self._server.kill()
        try:
            yield
        finally:
            self._server.start()

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """Away for the moment that this takes."""
        with self.stopped():
            pass
        yield

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._server.freeze()
        try:
            yield
        finally:
            self._server.thaw()

    def silent(self) -> AbstractContextManager[None]:
        """Packets vanish, both ways."""
        return self._wire("silent")

    def deaf(self) -> AbstractContextManager[None]:
        """What is asked of it is done, and nobody hears so."""
        return self._wire("answers lost")

    def cut_off(self) -> AbstractContextManager[None]:
        return self._wire("cut")

    @contextmanager
    def slow(self) -> Iterator[None]:
        """200 to 500 ms for each statement."""
        self.wire.request_delay = (0.2, 0.5)
        try:
            yield
        finally:
            self.wire.request_delay = (0.0, 0.0)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Every place for connections is taken."""
        self._run(f"ALTER ROLE {_ROLE} CONNECTION LIMIT 0")
        self._end_sessions()
        try:
            yield
        finally:
            self._run(f"ALTER ROLE {_ROLE} CONNECTION LIMIT -1")

    @contextmanager
    def ending_sessions(self) -> Iterator[None]:
        """Again and again."""
        done = threading.Event()

        def end_sessions() -> None:
            while not done.wait(_AGAIN_SECONDS):
                self._end_sessions()

        ending = threading.Thread(target=end_sessions)
        ending.start()
        try:
            yield
        finally:
            done.set()
            ending.join()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As the standby is that takes over too late."""
        self._run(f"ALTER ROLE {_ROLE} SET default_transaction_read_only = on")
        self._end_sessions()
        try:
            yield
        finally:
            self._run(f"ALTER ROLE {_ROLE} RESET default_transaction_read_only")
            self._end_sessions()

    @contextmanager
    def out_of_disk(self) -> Iterator[None]:
        """It reads, and takes nothing new."""
        self._run(_DISK_FULL)
        try:
            yield
        finally:
            self._run(_ROOM_AGAIN)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else has the ledger, as whoever changes its columns."""
        with self._engine() as engine, engine.connect() as connection:
            connection.execute(text("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE"))
            yield  # the lock goes with the connection

    def _end_sessions(self) -> None:
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'")

    @contextmanager
    def _wire(self, mode: Mode) -> Iterator[None]:
        self.wire.become(mode)
        try:
            yield
        finally:
            self.wire.become("open")

    def _run(self, statements: str) -> None:
        with self._engine() as engine, engine.connect() as connection:
            connection.execute(text(statements))

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = create_engine(self.own_url, isolation_level="AUTOCOMMIT")
        try:
            yield engine
        finally:
            engine.dispose()


Fault = Callable[[FaultyPostgres], AbstractContextManager[None]]
