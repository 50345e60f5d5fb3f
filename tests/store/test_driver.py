"""Connections in the driver's own words: nobody gets one on which something is under way, or that has gone."""

from collections.abc import Callable
from typing import NoReturn

import pytest
from sqlalchemy import insert, select

from app.core.errors import StoreUnavailable
from app.store.database import Database
from app.store.driver import DRIVER_ERRORS
from app.store.ledger_lines import COLUMNS
from app.store.money_rows import LEDGER, WORKERS
from tests.postings import NOW

ADD = "INSERT INTO workers (id, heard_at, host) VALUES ('w', '2026-11-25 12:00:00.000000', '')"


class Interrupted(BaseException):
    """As a greenlet is that is killed."""


def raise_after(work: Callable[[], object], error: type[BaseException]) -> NoReturn:
    work()
    raise error


def workers(database: Database) -> list[str]:
    with database.statement() as connection:
        return list(connection.scalars(select(WORKERS.c.id)))


def test_a_statement_is_committed_by_itself_and_a_transaction_as_one(database: Database) -> None:
    with database.admission() as connection:
        connection.run(ADD)
        with connection.transaction():
            connection.run("DELETE FROM workers")
            connection.run(ADD.replace("'w'", "'x'"))

    assert workers(database) == ["x"]


@pytest.mark.parametrize("error", [KeyError, Interrupted])
def test_what_is_raised_in_a_transaction_undoes_it(database: Database, error: type[BaseException]) -> None:
    with pytest.raises(error), database.admission() as connection, connection.transaction():
        raise_after(lambda: connection.run(ADD), error)

    assert workers(database) == []
    with database.admission() as connection:
        assert connection.rests


def test_a_connection_with_something_under_way_is_thrown_away(database: Database) -> None:
    with database.admission() as connection:
        first = connection.driver
        connection.run("BEGIN")
        connection.run(ADD)
    with database.admission() as connection:
        assert connection.driver is not first

    assert workers(database) == []


def test_whoever_has_a_connection_next_has_it_as_sqlalchemy_made_it(database: Database) -> None:
    with database.admission() as connection:
        connection.run(ADD)
    with pytest.raises(KeyError), database.change() as change:
        raise_after(lambda: change.execute(insert(WORKERS), {"id": "y", "heard_at": NOW, "host": ""}), KeyError)

    assert workers(database) == ["w"]


def test_a_mistake_of_ours_is_not_taken_for_a_database_that_is_away(database: Database) -> None:
    for wrong in ("SELEC 1", "SELECT nonsense(1)"):
        with pytest.raises(DRIVER_ERRORS), database.booking() as connection:
            connection.run(wrong)


def test_a_table_that_is_not_there_is_a_database_that_cannot_be_used(empty_database_url: str) -> None:
    database = Database.at(empty_database_url)
    with pytest.raises(StoreUnavailable, match="not been brought up to date"), database.booking() as connection:
        connection.run(ADD)
    database.close()


def test_a_line_has_a_value_for_each_column_of_the_ledger() -> None:
    assert sorted(COLUMNS) == sorted(LEDGER.c.keys())
