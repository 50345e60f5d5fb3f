"""Entries as the ledger's columns hold them, so that no entry can be one that a database refuses.

What an entry says comes from callers and from AWS: text without what no column takes, numbers within 64 bits.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from app.core.ledger_entries import Charge, Entry
from app.core.usage import Usage
from app.store.column_types import Json, call_json
from app.store.money_rows import LEDGER

# what no row of the ledger is found by stays as long as it is; PostgreSQL's indexes take 2,700 bytes
_LONGEST_NAME = 512
# of one call, so that no sum of a day or of a budget's window leaves its column
_MOST_COUNTED = 10**12
_LARGEST = 2**63 - 1
_PICO = Decimal("1e-12")
_PLACES = 12
_LARGEST_USD = Decimal(_LARGEST) * _PICO
_DAY_LETTERS, _MOMENT_LETTERS = len("2026-11-25"), len("2026-11-25 12:00:00.123456")
_EMPTY_OBJECT, _EMPTY_LIST = "{}", "[]"
_JSON_COLUMNS = [column.name for column in LEDGER.c if isinstance(column.type, Json)]
Line = dict[str, Any]


class LinesAreThere(Exception):
    """Of the lines to be booked, one or more."""


def line_of(entry: Entry) -> Line:
    """Its columns: moments and JSON as text, money in 10^-12 USD; None where there is nothing."""
    started_at = moment_of(entry.started_at)
    return {
        "request_id": entry.request_id,
        "kind": entry.kind,
        "day": started_at[:_DAY_LETTERS],
        "started_at": started_at,
        "ended_at": moment_of(entry.ended_at),
        **_whose(entry),
        **_call(entry),
        **_used(entry.usage),
        **_charged(entry.charge),
        "note": _object(_note(entry)),
    }


def _whose(entry: Entry) -> Line:
    attribution = entry.attribution
    return {
        "key_id": name_of(entry.key_id),
        "key_token": _text(entry.key_token),
        "key_alias": _text(entry.key_alias),
        "team_id": name_of(entry.team_id),
        "team_alias": _text(entry.team_alias),
        "user_id": name_of(entry.user_id),
        "end_user": _text(attribution.end_user),
        "end_user_source": _text(attribution.source),
        "counted_end_user": name_of(entry.counted_end_user),
        "session_id": _text(attribution.session_id),
        "caller_call_id": _text(attribution.call_id),
        "key_tags": _list(entry.key_tags),
        "claimed_tags": _list(attribution.tags),
        "spend_metadata": _object(attribution.metadata),
    }


def _call(entry: Entry) -> Line:
    return {
        "status": entry.status,
        "http_status": entry.http_status,
        "error": _text(entry.error),
        "ended": entry.ended,
        "service": _text(entry.service),
        "operation": _text(entry.operation),
        "model": _text(entry.model),
        "region": _text(entry.region),
        "duration_ms": entry.duration_ms,
        "first_byte_ms": entry.first_byte_ms,
        "streamed": entry.streamed,
        "bytes_in": count_of(entry.bytes_in),
        "bytes_out": count_of(entry.bytes_out),
        "address": _text(entry.address),
        "aws_request_id": _text(entry.aws_request_id),
    }


def _used(usage: Usage) -> Line:
    return {
        "counts": _object(usage.counts),
        "counts_by_model": _object(usage.by_model),
        "input_tokens": count_of(usage.input_tokens),
        "output_tokens": count_of(usage.output_tokens),
        "cache_read_tokens": count_of(usage.counts.get("cache_read", 0)),
        "cache_write_tokens": count_of(usage.cache_write_tokens),
        "total_tokens": count_of(usage.total_tokens),
        "usage_source": usage.source,
        "usage_method": _text(usage.method),
    }


def _charged(charge: Charge) -> Line:
    return {
        "model_priced": _text(charge.model),
        "scope": charge.scope,
        "tier": _text(charge.tier),
        "cost": pico_of(charge.cost),
        "rates": _object({kind: format(rate, "f") for kind, rate in charge.rates.items()}),
        "price_entry": _text(charge.entry),
    }


def row_of_entry(entry: Entry) -> Mapping[str, Any]:
    """The same as SQLAlchemy's columns take it: what only few are written of."""
    line = line_of(entry)
    parsed = {name: json.loads(line[name]) for name in _JSON_COLUMNS}
    cost = None if line["cost"] is None else Decimal(line["cost"]).scaleb(-_PLACES)
    return {**line, **parsed, "cost": cost, "started_at": entry.started_at, "ended_at": entry.ended_at}


def moment_of(moment: datetime) -> str:
    """In UTC without saying so, as SQLite's columns hold it: 2026-11-25 12:00:00.123456."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.isoformat(" ", "microseconds")[:_MOMENT_LETTERS]


def day_of(moment: datetime) -> str:
    """The UTC day, as 2026-11-25."""
    return moment_of(moment)[:_DAY_LETTERS]


def name_of(name: str | None) -> str | None:
    """Whatever rows are found by."""
    return None if name is None else str(_text(name))[:_LONGEST_NAME]


def pico_of(dollars: Decimal | None) -> int | None:
    """As column_types.Dollars has it, except that what no column holds is the most that one does."""
    if dollars is None or dollars.is_nan():
        return None
    within = max(-_LARGEST_USD, min(dollars, _LARGEST_USD))
    return int(within.quantize(_PICO, ROUND_HALF_EVEN).scaleb(_PLACES))


def capped(amount: int) -> int:
    """A sum of money of the batch's, at most what a column holds."""
    return min(amount, _LARGEST)


def rounded(dollars: Decimal) -> Decimal:
    """As it will stand in a column, so that sums of what was rounded are sums of what stands there."""
    return Decimal(pico_of(dollars) or 0).scaleb(-_PLACES)


def count_of(number: int) -> int:
    """Within what sums can bear."""
    return number if 0 <= number <= _MOST_COUNTED else max(0, min(number, _MOST_COUNTED))


def _note(entry: Entry) -> Mapping[str, Any]:
    if entry.ended != "gateway_killed" or entry.counted_tags == entry.attribution.tags:
        return entry.note
    # the entry that takes this one's place takes it out of the totals in which it was counted
    return {**entry.note, "counted_tags": list(entry.counted_tags)}


def _text(value: str | None) -> str | None:
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _list(values: Iterable[str]) -> str:
    return _json(list(values)) if values else _EMPTY_LIST


def _object(values: Mapping[str, Any]) -> str:
    return _json(dict(values)) if values else _EMPTY_OBJECT


def _json(value: Any) -> str:
    try:
        written = call_json(value)
    except (TypeError, ValueError, RecursionError):  # of no kind that JSON knows, or NaN
        return call_json({"unwritable": str(type(value).__name__)}) if isinstance(value, dict) else _EMPTY_LIST
    if "\\u0000" in written or "\\ud" in written:
        return call_json(_cleaned(value))
    return written


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(name)): _cleaned(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    return value


# in the order in which they stand in a line
COLUMNS = tuple(line_of(Entry("", datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))))
