"""A row of the ledger as /spend/logs writes it: the peer's fields, what is ours beside them, and what was spent a day.

`prompt_tokens` is AWS's input count: what was read from a cache, or written to one, stands apart.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ConfigDict

from app.core.ledger_entries import Entry
from app.gateway.reports import DaySpend
from app.web.admin_api.account_forms import Dollars
from app.web.admin_api.fields import Moment
from app.web.admin_api.wire_model import WireModel

# as the peer has it for calls that it passes through
_CALL_TYPE = "allm_passthrough_route"
_INPUTS = ("input", "input_audio", "input_image")
_OUTPUTS = ("output", "output_audio")
_CACHED = ("cache_read", "cache_write_5m", "cache_write_1h")


class SpendRow(WireModel):
    """One call, or one adjustment. Of an unpriced call `spend` is 0 and `unpriced` true."""

    request_id: str
    call_type: str
    api_key: str
    spend: Dollars
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    startTime: Moment  # noqa: N815  # the peer's name
    endTime: Moment  # noqa: N815  # the peer's name
    request_duration_ms: int | None
    completionStartTime: Moment | None  # noqa: N815  # the peer's name
    model: str
    model_id: str
    model_group: str
    custom_llm_provider: str = "bedrock"
    api_base: str = ""
    user: str
    metadata: dict[str, Any]
    cache_hit: str = "False"
    cache_key: str = ""
    request_tags: list[str]
    team_id: str | None
    end_user: str | None
    requester_ip_address: str | None
    messages: dict[str, Any] = {}
    response: dict[str, Any] = {}
    session_id: str | None
    status: str
    unpriced: bool
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    counts: dict[str, int]
    usage_source: str
    usage_method: str
    service: str | None
    operation: str | None
    region: str | None
    ended: str
    http_status: int | None
    error: str | None
    model_priced: str | None
    scope: str | None
    tier: str | None
    price_entry: str | None
    rates: dict[str, Dollars]
    key_id: str | None
    key_alias: str | None
    team_alias: str | None
    key_tags: list[str]
    claimed_tags: list[str]
    end_user_source: str | None
    caller_call_id: str | None
    aws_request_id: str | None
    streamed: bool
    first_byte_ms: float | None
    bytes_in: int
    bytes_out: int
    kind: str

    @classmethod
    def of(cls, entry: Entry) -> "SpendRow":
        return cls.model_validate(_of_the_peer(entry) | _of_ours(entry))


class DayRow(WireModel):
    """What a day cost. Beside these fields it has one for each key, by its token: what that key spent."""

    model_config = ConfigDict(extra="allow")

    startTime: str  # noqa: N815  # the peer's name
    spend: Dollars
    users: dict[str, Dollars]
    models: dict[str, Dollars]

    @classmethod
    def of(cls, day: DaySpend) -> "DayRow":
        named = {"startTime": day.day, "spend": day.spend, "users": day.users, "models": day.models}
        return cls.model_validate({key: float(spend) for key, spend in day.keys.items()} | named)


def _of_the_peer(entry: Entry) -> dict[str, Any]:
    usage, model = entry.usage, entry.model or ""
    return {
        "request_id": entry.request_id,
        "call_type": _CALL_TYPE if entry.kind == "call" else entry.kind,
        "api_key": entry.key_token or "",
        "spend": entry.charge.cost or Decimal(0),
        "total_tokens": usage.total_tokens,
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "startTime": entry.started_at,
        "endTime": entry.ended_at,
        "request_duration_ms": None if entry.duration_ms is None else round(entry.duration_ms),
        "completionStartTime": _first_byte(entry),
        "model": model,
        "model_id": model,
        "model_group": model,
        "user": entry.user_id or "",
        "metadata": _metadata(entry),
        "request_tags": list(dict.fromkeys((*entry.key_tags, *entry.attribution.tags))),
        "team_id": entry.team_id,
        "end_user": entry.attribution.end_user,
        "requester_ip_address": entry.address,
        "session_id": entry.attribution.session_id,
        "status": entry.status,
    }


def _of_ours(entry: Entry) -> dict[str, Any]:
    usage, charge = entry.usage, entry.charge
    same = (
        "kind service operation region ended http_status error key_id key_alias team_alias aws_request_id streamed "
        "first_byte_ms bytes_in bytes_out"
    ).split()
    return {name: getattr(entry, name) for name in same} | {
        "unpriced": charge.cost is None,
        "cache_read_input_tokens": usage.counts.get("cache_read", 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "counts": dict(usage.counts),
        "usage_source": usage.source,
        "usage_method": usage.method,
        "model_priced": charge.model,
        "scope": charge.scope,
        "tier": charge.tier,
        "price_entry": charge.entry,
        "rates": dict(charge.rates),
        "key_tags": list(entry.key_tags),
        "claimed_tags": list(entry.attribution.tags),
        "end_user_source": entry.attribution.source,
        "caller_call_id": entry.attribution.call_id,
    }


def _first_byte(entry: Entry) -> datetime | None:
    if entry.first_byte_ms is None:
        return None
    return entry.started_at + timedelta(milliseconds=entry.first_byte_ms)


def _metadata(entry: Entry) -> dict[str, Any]:
    """What the peer's clients look for there. What a caller sent along stands under a name of its own."""
    usage = entry.usage
    found: dict[str, Any] = {
        "user_api_key": entry.key_token,
        "user_api_key_alias": entry.key_alias,
        "user_api_key_team_id": entry.team_id,
        "user_api_key_team_alias": entry.team_alias,
        "user_api_key_user_id": entry.user_id,
        "user_api_key_end_user_id": entry.attribution.end_user,
        "requester_ip_address": entry.address,
        "litellm_call_id": entry.request_id,
        "spend_logs_metadata": dict(entry.attribution.metadata) or None,
        "usage_object": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "cache_read_input_tokens": usage.counts.get("cache_read", 0),
            "cache_creation_input_tokens": usage.cache_write_tokens,
        },
        "cost_breakdown": _breakdown(entry),
        "error_information": None,
    }
    if entry.status == "failure":
        status = "" if entry.http_status is None else str(entry.http_status)
        found["error_information"] = {
            "error_code": status,
            "error_class": entry.error,
            "llm_provider": "bedrock",
        }
    if entry.usage.by_model:
        found["usage_by_model"] = {model: dict(counts) for model, counts in entry.usage.by_model.items()}
    if entry.note:
        found["note"] = dict(entry.note)
    return found


def _breakdown(entry: Entry) -> dict[str, Any] | None:
    """None where it was not priced. What several models cost is not split by kind."""
    if entry.charge.cost is None:
        return None
    total = float(entry.charge.cost)
    if entry.usage.by_model or not entry.charge.rates:
        return {"total_cost": total}
    return {
        "input_cost": _part(entry, _INPUTS),
        "output_cost": _part(entry, _OUTPUTS),
        "cache_cost": _part(entry, _CACHED),
        "total_cost": total,
    }


def _part(entry: Entry, kinds: tuple[str, ...]) -> float:
    rates: Mapping[str, Decimal] = entry.charge.rates
    return float(sum((entry.usage.counts.get(kind, 0) * rates.get(kind, Decimal(0)) for kind in kinds), Decimal(0)))
