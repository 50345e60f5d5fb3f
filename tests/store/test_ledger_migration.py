"""What accounts spent before there was a ledger, on its way into it and back."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import flask_migrate
from sqlalchemy import Connection, MetaData, Table, insert, select

from app import create_app
from app.core.tickets import Balance
from app.settings import Settings
from app.store.database import Database
from app.store.registry import Registry
from tests.gateway_process import MASTER_KEY
from tests.store.ledger_views import balances, lines, sums, totals
from tests.store.samples import NOW

TABLES = {"virtual_keys": "key", "teams": "team", "users": "user", "customers": "customer"}


def _rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    reflected = Table(table, MetaData(), autoload_with=connection)
    return [dict(row) for row in connection.execute(select(reflected).order_by(reflected.c.id)).mappings()]


def _put(connection: Connection, table: str, name: str, **values: Any) -> None:
    """A row of the first version's table, with next to nothing in it."""
    reflected = Table(table, MetaData(), autoload_with=connection)
    blank: dict[str, Any] = {}
    for column in reflected.columns:
        if not column.nullable:
            kind = column.type.python_type if str(column.type) != "JSON" else dict
            blank[column.name] = {int: 0, str: "x", bool: False, dict: {}}.get(kind, NOW)
    connection.execute(insert(reflected), {**blank, "id": name, **values})


def test_what_was_spent_moves_into_balances_and_lines_and_back(empty_database_url: str, tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": empty_database_url}, tmp_path
    )
    database = Database.at(empty_database_url)
    with create_app(settings).app_context():
        flask_migrate.upgrade(revision="0001")
        with database.change() as connection:
            for table in TABLES:
                _put(
                    connection,
                    table,
                    "it's one",
                    spend=5,
                    total_spend=2**53 + 1,
                    budget_duration="1d",
                    budget_reset_at=NOW,
                )
                _put(connection, table, "two", spend=7, total_spend=7)
                _put(connection, table, "idle", spend=0, total_spend=0)
            _put(connection, "budgets", "b", budget_duration="1d", budget_reset_at=NOW)
        with database.change() as connection:
            before = {table: _rows(connection, table) for table in (*TABLES, "budgets")}
        flask_migrate.upgrade()
        _check(database)
        flask_migrate.downgrade(revision="0001")
        with database.change() as connection:
            after = {table: _rows(connection, table) for table in (*TABLES, "budgets")}
        for table, rows in before.items():
            assert after[table] == [{**row, "budget_reset_at": None} for row in rows], table
        flask_migrate.upgrade()
        _check(database)
    database.close()


def _check(database: Database) -> None:
    one, two = Decimal(2**53 + 1).scaleb(-12), Decimal(7).scaleb(-12)
    found: dict[tuple[str, str], Balance] = {
        (account.kind, account.id): balance for account, balance in balances(database).items()
    }
    assert len(found) == 12
    for kind in TABLES.values():
        assert (found[kind, "it's one"].spend, found[kind, "it's one"].total_spend) == (Decimal(5).scaleb(-12), one)
        assert (sums(database)[kind, "it's one"], sums(database)[kind, "two"]) == (one, two)
    assert {line["kind"] for line in lines(database)} == {"carried"}
    assert json.dumps([line["counts"] for line in lines(database)]) == json.dumps([{}] * 8)
    assert totals(database)["all", ""]["cost"] == sums(database)["all", ""] == 4 * (one + two)
    assert (totals(database)["key", "two"]["cost"], totals(database)["key", "two"]["calls"]) == (two, 0)
    team = Registry(database, lambda: NOW).read(lambda records: records.team("two"))
    assert team
    assert (team.spend, team.total_spend) == (two, two)
