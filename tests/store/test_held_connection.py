"""A connection that is kept between uses is as good as one out of the pool."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from app.store import sqlite
from app.store.database import engine_options, engine_url
from app.store.driver import DRIVER_ERRORS, DriverConnection, HeldConnection, replace_closed
from tests.fake_books import eventually

_END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_PID = "SELECT pg_backend_pid()"


def an_engine(url: str) -> Engine:
    options = engine_options(url) | {"pool_size": 1}
    if url.startswith("sqlite"):
        engine = create_engine(engine_url(url), **options)
        sqlite.prepare(engine)
        return engine
    engine = create_engine(engine_url(url), **options, isolation_level="AUTOCOMMIT")
    replace_closed(engine)
    return engine


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = (
        f"sqlite:///{tmp_path / 'a.db'}"
        if request.param == "sqlite"
        else str(request.getfixturevalue("postgresql_url"))
    )
    engine = an_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[Engine]:
    engine = an_engine(postgresql_url)
    yield engine
    engine.dispose()


def one(connection: DriverConnection, statement: str = "SELECT 1") -> int:
    ((found,),) = connection.rows(statement)
    return int(found)


def test_it_stays_out_of_the_pool_until_it_is_released(engine: Engine) -> None:
    held = HeldConnection(engine)
    with held.use() as first:
        assert one(first) == 1
    with held.use() as second:
        assert one(second) == 1

    assert second is first
    assert engine.pool.checkedout() == 1  # type: ignore[attr-defined]  # of a QueuePool
    held.release()
    held.release()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a QueuePool


def test_after_its_time_it_goes_through_the_pool(engine: Engine) -> None:
    held = HeldConnection(engine, seconds=0.0)
    with held.use() as first:
        pass
    with held.use() as second:
        assert one(second) == 1

    assert second is not first
    held.release()


def test_one_that_a_transaction_was_left_on_is_given_up(engine: Engine) -> None:
    held = HeldConnection(engine)
    with held.use() as first:
        first.run("BEGIN")
    with held.use() as second:
        assert second.driver is not first.driver
        assert second.rests
    held.release()


def test_one_on_which_a_statement_failed_is_kept(engine: Engine) -> None:
    held = HeldConnection(engine)
    with pytest.raises(DRIVER_ERRORS), held.use() as first:
        first.run("SELECT no_such_thing")
    with held.use() as second:
        assert second is first
        assert one(second) == 1
    held.release()


def test_one_that_the_server_closed_is_replaced(on_postgresql: Engine, postgresql_url: str) -> None:
    held = HeldConnection(on_postgresql)
    with held.use() as first:
        before = one(first, _PID)
    other = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.execute(text(_END_ALL))
        gone = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        eventually(lambda: connection.execute(gone, {"pid": before}).scalar_one() == 0)

    with held.use() as second:
        assert one(second, _PID) != before
    held.release()
    other.dispose()


def test_one_that_broke_in_use_is_replaced(on_postgresql: Engine) -> None:
    held = HeldConnection(on_postgresql)
    with pytest.raises(DRIVER_ERRORS), held.use() as first:
        first.run("SELECT pg_terminate_backend(pg_backend_pid())")
    with held.use() as second:
        assert one(second) == 1
    held.release()
