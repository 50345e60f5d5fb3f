"""One payer's lines are found by an index, though the indexes hold only lines that are of somebody."""

import pytest
from sqlalchemy import select, text

from app.store.database import Database
from app.store.money_rows import LEDGER


@pytest.mark.parametrize("name", ["key_id", "team_id", "user_id", "counted_end_user"])
def test_one_payers_lines_are_found_by_index(database: Database, name: str) -> None:
    asked = select(LEDGER.c.request_id).where(LEDGER.c[name] == "x").order_by(LEDGER.c.started_at.desc()).limit(10)
    statement = str(asked.compile(compile_kwargs={"literal_binds": True}))
    with database.snapshot() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is quicker read than looked up
        plan = connection.execute(text(("EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN ") + statement)).all()

    assert f"ix_ledger_{name}_started_at" in str(plan)
