"""Balances, tickets, ledger, daily totals, workers, identity; what keys ask of their calls.

What accounts spent moves out of their settings. What they had stands in a `carried` line of the ledger each, so that
the lines' sum is what an account spent; its budget's window begins anew with its first call.
"""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# As app/store/column_types.py has them now. A migration is history: it does not follow when those change.
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger()  # also money, in 10^-12 US dollars
JSON = sa.JSON()
# tables, the kinds of account they keep, and how a line of the ledger says whose it is
ACCOUNTS = (
    ("virtual_keys", "key", "key_id, key_token, key_alias", "id, token, alias"),
    ("teams", "team", "team_id, team_alias", "id, alias"),
    ("users", "user", "user_id", "id"),
    ("customers", "customer", "end_user, counted_end_user", "id, id"),
)


def upgrade() -> None:
    op.create_table("tickets", _key("id"), _must("worker"), _must("taken_at", MOMENT), _must("minute", NUMBER),
                    _must("claims", JSON), _must("call", JSON))  # fmt: skip
    op.create_index("ix_tickets_worker", "tickets", ["worker"])
    op.create_table("balances", _key("kind"), _key("id"), *_all(_must, NUMBER, "spend total_spend held"),
                    _may("duration"), _may("resets_at", MOMENT),
                    *_all(_must, NUMBER, "in_flight minute requests tokens"))  # fmt: skip
    op.create_table("ledger", *_ledger())
    op.create_index("ix_ledger_started_at", "ledger", ["started_at"])
    for name in ("key_id", "team_id", "user_id", "counted_end_user"):
        op.create_index(f"ix_ledger_{name}_started_at", "ledger", [name, "started_at"])
    op.create_table("daily_totals", _key("day"), _key("kind"), _key("id"), *_totals())
    op.create_table("workers", _key("id"), _must("heard_at", MOMENT), _must("host"))
    op.create_table("identity", sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False), _must("name"))
    op.add_column("virtual_keys", _must("end_user_required", sa.Boolean(), server_default=sa.false()))
    op.add_column("virtual_keys", _must("unmetered_calls", server_default="refuse"))
    for account in ACCOUNTS:
        _move_spend_out(*account)
    _count_carried()
    op.execute(sa.text("INSERT INTO identity (id, name) VALUES (1, :name)").bindparams(name=str(uuid4())))


def downgrade() -> None:
    for table, kind, *_ in ACCOUNTS:
        _move_spend_back(table, kind)
    op.add_column("budgets", _may("budget_reset_at", MOMENT))
    for name in ("unmetered_calls", "end_user_required"):
        op.drop_column("virtual_keys", name)
    for name in ("identity", "workers", "daily_totals", "ledger", "balances", "tickets"):
        op.drop_table(name)


def _move_spend_out(table: str, kind: str, columns: str, values: str) -> None:
    op.execute(
        "INSERT INTO balances (kind, id, spend, total_spend, held, in_flight, minute, requests, tokens)"  # noqa: S608  # names from above
        f" SELECT '{kind}', id, spend, total_spend, 0, 0, 0, 0, 0 FROM {table}"
    )
    now = datetime.now(UTC)
    carried = sa.text(
        "INSERT INTO ledger (request_id, kind, day, status, ended, usage_source, usage_method,"  # noqa: S608  # names from above
        " started_at, ended_at,"
        " cost, key_tags, claimed_tags, spend_metadata, counts, counts_by_model, rates, note, input_tokens,"
        " output_tokens, cache_read_tokens, cache_write_tokens, total_tokens, bytes_in, bytes_out, streamed,"
        f" {columns})"
        f" SELECT 'carried-{kind}-' || id, 'carried', :day, 'success', 'complete', 'unknown', '', :now, :now,"
        f" total_spend, '[]', '[]', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', 0, 0, 0, 0, 0, 0, 0, false, {values}"
        f" FROM {table} WHERE total_spend <> 0"
    )
    moments = sa.bindparam("now", now, MOMENT), sa.bindparam("day", now.date().isoformat(), sa.Text())
    op.execute(carried.bindparams(*moments))
    for column in ("spend", "total_spend", "budget_reset_at"):
        op.drop_column(table, column)


def _count_carried() -> None:
    names = "calls failures unpriced input_tokens output_tokens cache_read_tokens cache_write_tokens under_100ms"
    zeros = f"{names} under_300ms under_1s under_3s under_10s under_30s under_100s longer duration_ms".split()
    for kind, of in (("all", "''"), ("key", "key_id"), ("team", "team_id"), ("user", "user_id"),
                     ("end_user", "counted_end_user")):  # fmt: skip
        op.execute(
            f"INSERT INTO daily_totals (day, kind, id, cost, {', '.join(zeros)})"  # noqa: S608  # names from above
            f" SELECT day, '{kind}', {of}, sum(cost), {', '.join('0' * len(zeros))} FROM ledger"
            f" WHERE {of} IS NOT NULL GROUP BY 1, 2, 3"
        )
    op.drop_column("budgets", "budget_reset_at")


def _move_spend_back(table: str, kind: str) -> None:
    for name in ("spend", "total_spend"):
        op.add_column(table, _must(name, NUMBER, server_default="0"))
        op.execute(
            f"UPDATE {table} SET {name} = coalesce((SELECT b.{name} FROM balances b"  # noqa: S608  # names from above
            f" WHERE b.kind = '{kind}' AND b.id = {table}.id), 0)"
        )
        if op.get_context().dialect.name != "sqlite":  # which cannot take a default back
            op.alter_column(table, name, server_default=None)
    op.add_column(table, _may("budget_reset_at", MOMENT))


def _must(name: str, kind: sa.types.TypeEngine = WORDS, server_default: object = None) -> sa.Column:
    return sa.Column(name, kind, nullable=False, server_default=server_default)


def _may(name: str, kind: sa.types.TypeEngine = WORDS) -> sa.Column:
    return sa.Column(name, kind, nullable=True)


def _key(name: str) -> sa.Column:
    return sa.Column(name, WORDS, primary_key=True)


def _all(make, kind: sa.types.TypeEngine, names: str) -> list[sa.Column]:  # one of the two above
    return [make(name, kind) for name in names.split()]


def _ledger() -> list[sa.Column]:
    return [
        _key("request_id"),
        *_all(_must, WORDS, "kind day status ended usage_source usage_method"),
        *_all(_must, MOMENT, "started_at ended_at"),
        *_all(_may, WORDS, "error key_id key_token key_alias team_id team_alias user_id end_user end_user_source"),
        *_all(_may, WORDS, "counted_end_user session_id caller_call_id service operation model region model_priced"),
        *_all(_may, WORDS, "scope tier price_entry address aws_request_id"),
        *_all(_must, JSON, "key_tags claimed_tags spend_metadata counts counts_by_model rates note"),
        *_all(_must, NUMBER, "input_tokens output_tokens cache_read_tokens cache_write_tokens total_tokens"),
        *_all(_must, NUMBER, "bytes_in bytes_out"),
        *_all(_may, NUMBER, "http_status cost"),
        *_all(_may, sa.Float(), "duration_ms first_byte_ms"),
        _must("streamed", sa.Boolean()),
    ]


def _totals() -> list[sa.Column]:
    return [
        *_all(_must, NUMBER, "calls failures unpriced input_tokens output_tokens cache_read_tokens cache_write_tokens"),
        *_all(_must, NUMBER, "cost under_100ms under_300ms under_1s under_3s under_10s under_30s under_100s longer"),
        _must("duration_ms", sa.Float()),
    ]
