"""A server that ends sessions, at whatever moment: nobody else is without a connection for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DisconnectionError

from app.core.errors import StoreUnavailable
from app.store.database import Database
from tests.fake_books import eventually

WAYS: dict[str, Callable[[Database], AbstractContextManager[object]]] = {
    "statement": Database.statement,
    "snapshot": Database.snapshot,
    "change": Database.change,
    "admission": Database.admission,
    "booking": Database.booking,
}
_END_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    opened = Database.at(postgresql_url)
    yield opened
    opened.close()


@pytest.fixture
def end_sessions(postgresql_url: str) -> Iterator[Callable[[], None]]:
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda: connection.execute(text(_END_ALL)).close()
    engine.dispose()


def answers(database: Database) -> bool:
    """A session may have ended, and nobody have heard so yet: then it is the next that does."""
    try:
        with database.statement() as connection:
            return bool(connection.execute(text("SELECT 1")).scalar_one())
    except StoreUnavailable:
        return False


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_ends_before_its_connection_is_given_back_leaves_its_place_to_others(
    way: str, database: Database, end_sessions: Callable[[], None]
) -> None:
    for _ in range(3):
        try:
            with WAYS[way](database):
                end_sessions()
        except StoreUnavailable:
            pass  # a transaction has to be ended, and cannot be

    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a pool with places
    eventually(lambda: answers(database))


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_closes_every_connection_is_away(way: str, database: Database) -> None:
    def closed(*_: object) -> None:
        raise DisconnectionError

    for engine in (database.engine, database._booking_engine):
        event.listen(engine, "checkout", closed)

    with pytest.raises(StoreUnavailable), WAYS[way](database):
        pass
