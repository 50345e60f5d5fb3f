"""What a start does about the tables."""

import logging
import sys
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text

from app.core.errors import StoreUnavailable
from app.store.database import Database
from app.store.schema import Schema, State
from app.store.schema_upgrade import COMMAND, SchemaUpgrade, UpgradeFailed
from tests.gateway_process import MASTER_KEY

FAILS = (sys.executable, "-c", "import sys; sys.exit('first line\\nno space left')")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER_KEY)


def test_an_empty_database_gets_its_tables(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.chdir(tmp_path)  # whatever folder the gateway was started in
    database = Database.at(empty_database_url)

    with caplog.at_level(logging.INFO):
        SchemaUpgrade(Schema(database), COMMAND).run()

    assert Schema(database).state() is State.CURRENT
    assert "database schema: to 0001" in caplog.text
    database.close()


def test_nothing_runs_where_the_tables_are_there(database: Database) -> None:
    SchemaUpgrade(Schema(database), FAILS).run()


def test_an_upgrade_that_fails_says_why(tmp_path: Path) -> None:
    database = Database.at(f"sqlite:///{tmp_path / 'empty.db'}")

    with pytest.raises(UpgradeFailed, match=r"^no space left$"):
        SchemaUpgrade(Schema(database), FAILS).run()
    database.close()


def test_a_database_that_is_away_is_not_waited_for() -> None:
    database = Database.at("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")

    with pytest.raises(StoreUnavailable):
        SchemaUpgrade(Schema(database), FAILS).run()


def test_tables_of_a_newer_version_are_left_alone_with_a_warning(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.change() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    SchemaUpgrade(Schema(database), FAILS).run()
    assert "those of a newer version" in caplog.text


def test_a_database_that_comes_late_is_brought_up_to_date_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "later" / "outcrop.db"
    database = Database.at(f"sqlite:///{path}")
    waiting = Thread(target=SchemaUpgrade(Schema(database), COMMAND).run_when_it_answers)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    waiting.start()
    path.parent.mkdir()
    waiting.join(60)

    assert Schema(database).state() is State.CURRENT
    database.close()


def test_a_late_upgrade_that_fails_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = Database.at(f"sqlite:///{tmp_path / 'empty.db'}")

    SchemaUpgrade(Schema(database), FAILS).run_when_it_answers()
    assert "could not be brought up to date: no space left" in caplog.text
    database.close()
