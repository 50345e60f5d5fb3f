"""Rows of the ledger as core has them: app/core/ledger_entries.py Entry."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.core.ledger_entries import Charge, Entry
from app.core.usage import Attribution, Usage

_AS_THEY_ARE = (
    "request_id started_at ended_at kind status http_status error ended key_id key_token key_alias team_id team_alias "
    "user_id counted_end_user service operation model region duration_ms first_byte_ms streamed bytes_in bytes_out "
    "address aws_request_id note"
).split()


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """The entry that a row was made of, but for the tags that daily totals were counted under."""
    return Entry(
        **{name: row[name] for name in _AS_THEY_ARE},
        key_tags=tuple(row["key_tags"]),
        attribution=Attribution(
            end_user=row["end_user"],
            source=row["end_user_source"],
            session_id=row["session_id"],
            tags=tuple(row["claimed_tags"]),
            metadata=row["spend_metadata"],
            call_id=row["caller_call_id"],
        ),
        usage=Usage(
            source=row["usage_source"],
            counts=row["counts"],
            method=row["usage_method"],
            by_model=row["counts_by_model"],
        ),
        charge=Charge(
            cost=row["cost"],
            model=row["model_priced"],
            scope=row["scope"],
            tier=row["tier"],
            rates={kind: Decimal(str(rate)) for kind, rate in row["rates"].items()},
            entry=row["price_entry"],
        ),
    )
