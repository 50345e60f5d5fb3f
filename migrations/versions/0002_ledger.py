"""Balances, tickets, ledger, daily totals, workers, identity; what keys ask of their calls."""

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
    op.execute(sa.text("INSERT INTO identity (id, name) VALUES (1, :name)").bindparams(name=str(uuid4())))


def downgrade() -> None:
    for name in ("unmetered_calls", "end_user_required"):
        op.drop_column("virtual_keys", name)
    for name in ("identity", "workers", "daily_totals", "ledger", "balances", "tickets"):
        op.drop_table(name)


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
