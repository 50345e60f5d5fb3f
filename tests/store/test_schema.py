"""The tables: the migrations and the models agree, and a start can tell whether the database has them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Engine, inspect, text

from app import create_app
from app.settings import Settings
from app.store.database import Database
from app.store.registry import Registry
from app.store.rows import db
from app.store.schema import MIGRATIONS, Schema, State, revisions
from tests.gateway_process import MASTER_KEY, REPOSITORY
from tests.store.samples import ALL, KEY, NOW


def _app(url: str, root: Path) -> Flask:
    return create_app(Settings.from_environment({"LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": url}, root))


def _described(engine: Engine) -> dict[str, Any]:
    seen = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (repr(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            },
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted((str(i["name"]), str(i["column_names"]), i["unique"]) for i in seen.get_indexes(table)),
            "references": [
                (key["constrained_columns"], key["referred_table"], key["options"])
                for key in seen.get_foreign_keys(table)
            ],
        }
        for table in seen.get_table_names()
    }


def test_the_migrations_make_what_the_models_say(empty_database_url: str, tmp_path: Path) -> None:
    with _app(empty_database_url, tmp_path).app_context():
        flask_migrate.upgrade()

    database = Database.at(empty_database_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, db.metadata) == []
    migrated = _described(database.engine)
    with database.change() as connection:
        for table in migrated:
            connection.execute(text(f"DROP TABLE {table} CASCADE" if not database.is_sqlite else f"DROP TABLE {table}"))
    Schema(database).create()
    assert _described(database.engine) == migrated, "create() makes the same, down to collations and indexes"
    database.close()


def test_a_migrated_database_works(empty_database_url: str, tmp_path: Path) -> None:
    with _app(empty_database_url, tmp_path).app_context():
        flask_migrate.upgrade()
    database = Database.at(empty_database_url)
    registry = Registry(database, lambda: NOW)

    registry.change(lambda change: list(map(change.put, ALL)))
    assert registry.read(lambda records: records.key("key-1")) == KEY
    assert registry.changes_since(0).version == 1
    database.close()


def test_an_upgrade_keeps_what_is_there_and_a_downgrade_takes_all(empty_database_url: str, tmp_path: Path) -> None:
    database = Database.at(empty_database_url)
    with _app(empty_database_url, tmp_path).app_context():
        flask_migrate.upgrade()
        Registry(database, lambda: NOW).change(lambda change: change.put(KEY))
        flask_migrate.upgrade()
        assert Registry(database, lambda: NOW).by_token(KEY.token).grant
        flask_migrate.downgrade(revision="base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()


def test_the_migrations_are_one_line_of_numbers() -> None:
    scripts = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())[::-1]

    assert [script.revision for script in scripts] == revisions()
    assert [script.down_revision for script in scripts] == [None, *revisions()[:-1]]
    assert revisions() == [f"{number:04}" for number in range(1, len(revisions()) + 1)]


@pytest.mark.parametrize(
    ("stamp", "state"), [(None, State.BEHIND), (revisions()[-1], State.CURRENT), ("9999", State.AHEAD)]
)
def test_the_state_is_what_the_stamp_says(database: Database, stamp: str | None, state: State) -> None:
    with database.change() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if stamp:
            connection.execute(text("INSERT INTO alembic_version VALUES (:stamp)"), {"stamp": stamp})

    assert Schema(database).state() is state


def test_an_empty_database_is_behind(empty_database_url: str) -> None:
    database = Database.at(empty_database_url)

    assert Schema(database).state() is State.BEHIND
    database.close()


def test_to_ask_takes_no_alembic(sqlite_url: str) -> None:
    program = """
import sys
from app import create_app
app = create_app()
print(app.extensions["schema"].state(), "alembic" in sys.modules, "flask_migrate" in sys.modules)
"""
    environment = {"LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": sqlite_url}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["State.CURRENT", "False", "False"], done.stderr


def test_an_application_needs_no_database_that_answers(tmp_path: Path) -> None:
    assert _app("postgresql://nobody@127.0.0.1:1/nothing", tmp_path).extensions["migrate"]
