"""The tables of money and use: what accounts have, what they hold, the ledger, and its totals by day.

They stand apart from those of settings (rows.py), so that bookings and changes of settings wait for each other's locks
only where a change is one of money. Where rows of several of these tables are locked, it is in the order below, and
within one table in the order of its primary key.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import Connection, Index, Integer, Table, event, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.rows import Row


def _index_of_owned(name: str) -> Index:
    """Over the ledger's lines that are of somebody: what most lines do not have costs them nothing."""
    owned = text(f"{name} IS NOT NULL")
    return Index(f"ix_ledger_{name}_started_at", name, "started_at", sqlite_where=owned, postgresql_where=owned)


class TicketRow(Row):
    """A call under way that holds something; core/tickets.py. `claims`: [[kind, id, hold in 10^-12 USD], ...]."""

    __tablename__ = "tickets"
    id: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(index=True)
    taken_at: Mapped[datetime]
    minute: Mapped[int]
    claims: Mapped[list[Any]]
    call: Mapped[dict[str, Any]]


class BalanceRow(Row):
    """What an account spent, holds, and did in its last minute; core/tickets.py Balance has the rules."""

    __tablename__ = "balances"
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    spend: Mapped[Decimal]
    total_spend: Mapped[Decimal]
    held: Mapped[Decimal]
    duration: Mapped[str | None]
    resets_at: Mapped[datetime | None]
    in_flight: Mapped[int]
    minute: Mapped[int]
    requests: Mapped[int]
    tokens: Mapped[int]


class LedgerRow(Row):
    """One call, adjustment or carried sum; core/ledger_entries.py Entry has the fields' meaning.

    `day`: of started_at, UTC, as 2026-11-25. Token columns are as Usage counts them; `cost` is NULL where unpriced.
    """

    __tablename__ = "ledger"
    request_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    day: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime]
    status: Mapped[str]
    http_status: Mapped[int | None]
    error: Mapped[str | None]
    ended: Mapped[str]
    key_id: Mapped[str | None]
    key_token: Mapped[str | None]
    key_alias: Mapped[str | None]
    team_id: Mapped[str | None]
    team_alias: Mapped[str | None]
    user_id: Mapped[str | None]
    end_user: Mapped[str | None]
    end_user_source: Mapped[str | None]
    counted_end_user: Mapped[str | None]
    session_id: Mapped[str | None]
    caller_call_id: Mapped[str | None]
    key_tags: Mapped[list[str]]
    claimed_tags: Mapped[list[str]]
    spend_metadata: Mapped[dict[str, Any]]
    service: Mapped[str | None]
    operation: Mapped[str | None]
    model: Mapped[str | None]
    region: Mapped[str | None]
    model_priced: Mapped[str | None]
    scope: Mapped[str | None]
    tier: Mapped[str | None]
    counts: Mapped[dict[str, Any]]
    counts_by_model: Mapped[dict[str, Any]]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cache_read_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    total_tokens: Mapped[int]
    usage_source: Mapped[str]
    usage_method: Mapped[str]
    cost: Mapped[Decimal | None]
    rates: Mapped[dict[str, Any]]
    price_entry: Mapped[str | None]
    duration_ms: Mapped[float | None]
    first_byte_ms: Mapped[float | None]
    streamed: Mapped[bool]
    bytes_in: Mapped[int]
    bytes_out: Mapped[int]
    address: Mapped[str | None]
    aws_request_id: Mapped[str | None]
    note: Mapped[dict[str, Any]]
    __table_args__ = tuple(_index_of_owned(name) for name in ("key_id", "team_id", "user_id", "counted_end_user"))


class DailyTotalRow(Row):
    """A day's sums of one thing; kind: all (id ""), key, team, user, end_user, model, tag, claimed_tag.

    A model is counted as it was asked for. `unpriced`: calls without a cost; `under_...`: calls by their duration, each
    call in the first that it is under.
    """

    __tablename__ = "daily_totals"
    day: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    failures: Mapped[int]
    unpriced: Mapped[int]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cache_read_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    cost: Mapped[Decimal]
    duration_ms: Mapped[float]
    under_100ms: Mapped[int]
    under_300ms: Mapped[int]
    under_1s: Mapped[int]
    under_3s: Mapped[int]
    under_10s: Mapped[int]
    under_30s: Mapped[int]
    under_100s: Mapped[int]
    longer: Mapped[int]


class WorkerRow(Row):
    """A worker process that takes tickets. One that was not heard of for long is dead, and its tickets are ended."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    heard_at: Mapped[datetime]
    host: Mapped[str]


class IdentityRow(Row):
    """The database's own name: what waits on a disk to be booked is booked into the database that it was for."""

    __tablename__ = "identity"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str]


TICKETS = cast(Table, TicketRow.__table__)
BALANCES = cast(Table, BalanceRow.__table__)
LEDGER = cast(Table, LedgerRow.__table__)
DAILY_TOTALS = cast(Table, DailyTotalRow.__table__)
WORKERS = cast(Table, WorkerRow.__table__)
IDENTITY = cast(Table, IdentityRow.__table__)


@event.listens_for(IDENTITY, "after_create")
def _name_it(table: Table, connection: Connection, **_: Any) -> None:
    connection.execute(table.insert().values(id=1, name=str(uuid4())))
