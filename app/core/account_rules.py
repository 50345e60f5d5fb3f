"""What keys, teams, users, customers and budgets may be given: rules that the desks share.

Each raises InvalidField, which names the field, the value, and what to write instead.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

from app.core import durations
from app.core.accounts import Limits, Rights
from app.core.address_ranges import parse_range
from app.core.budget_windows import window_of
from app.core.errors import InvalidField
from app.core.model_names import GEO_PREFIXES, looks_like_arn

# entries of `operations` that name nothing here, in the order given
UnknownEntries = Callable[[Sequence[str]], Sequence[str]]
_AMOUNTS = ("max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_SPACES = re.compile(r"[\x00-\x20\x7f]")
_MODEL_BUDGET_AMOUNTS = ("budget_limit", "max_budget")
_MODEL_BUDGET_SPANS = ("time_period", "budget_duration")
_MOST_USD = 9_000_000


def checked_limits(limits: Limits, now: datetime) -> Limits:
    """`limits` as they may be stored: consistent, and with the end of the budget's window. Raises InvalidField."""
    for name in _AMOUNTS:
        not_negative(name, getattr(limits, name))
    if limits.soft_budget is not None and limits.max_budget is not None and limits.soft_budget > limits.max_budget:
        raise InvalidField(
            f"soft_budget warns before max_budget is spent, so it cannot be above it. Received: soft_budget "
            f"{float(limits.soft_budget)}, max_budget {float(limits.max_budget)}",
            "soft_budget",
        )
    for model, budget in limits.model_max_budget.items():
        _check_model_budget(model, budget, now)
    if limits.budget_duration is None:
        return replace(limits, budget_reset_at=None)
    end_of(now, limits.budget_duration, "budget_duration")  # how a duration is written
    return replace(limits, budget_reset_at=window_of(limits, now).resets_at)


def not_negative(name: str, value: Decimal | int | None) -> None:
    """Raises InvalidField, in the peer's words."""
    if value is not None and value < 0:
        shown = float(value) if isinstance(value, Decimal) else value
        raise InvalidField(f"{name} cannot be negative. Received: {shown}", name)


def end_of(moment: datetime, duration: str, field: str) -> datetime:
    """`moment` plus a duration that was given in `field`. Raises InvalidField."""
    try:
        return durations.after(moment, duration)
    except ValueError as error:
        raise InvalidField(f"{field}: {error}", field) from None


def checked_rights(rights: Rights, unknown_operations: UnknownEntries) -> Rights:
    """`rights` as they may be stored: of entries that can mean something, each once. Raises InvalidField."""
    for entry in rights.models:
        _check_model(entry)
    for entry in rights.resources:
        if _SPACES.search(entry):
            raise _wrong("resources", entry, "Write ids or ARNs, with * for any letters, or s3:// prefixes.")
        if entry[:5].lower() == "s3://" and not (entry.startswith("s3://") and "*" not in entry[:-1]):
            raise _wrong("resources", entry, "Write s3:// in lower case, and * at the end only.")
    for entry in rights.regions:
        if not (_REGION.fullmatch(entry) or entry in GEO_PREFIXES):
            raise _wrong("regions", entry, f"Write names such as us-east-1, or one of {', '.join(GEO_PREFIXES)}.")
    for entry in rights.addresses:
        _check_address(entry)
    for entry in unknown_operations(rights.operations):
        raise _wrong(
            "operations",
            entry,
            "Write names such as Converse or bedrock-agent-runtime:Retrieve, services, inference, agents, read or all.",
        )
    return Rights(
        models=_once(rights.models),
        operations=_once(rights.operations),
        resources=_once(rights.resources),
        regions=_once(rights.regions),
        addresses=_once(rights.addresses),
    )


def _check_model(entry: str) -> None:
    if _SPACES.search(entry):
        raise _wrong("models", entry, "Model ids have no spaces.")
    if "/" in entry and not looks_like_arn(entry):
        raise _wrong(
            "models", entry, "Write the id as Bedrock has it, such as anthropic.*, or an ARN; nothing else has a slash."
        )


def _check_address(entry: str) -> None:
    advice = "Write addresses or ranges such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32."
    # an address with a zone means something on one machine alone
    if "%" in entry:
        raise _wrong("addresses", entry, advice)
    try:
        parse_range(entry)
        return
    except ValueError:
        pass  # told below
    try:
        advice = f"The range it is in begins elsewhere: write {ip_network(entry, strict=False)}."
    except ValueError:
        pass  # it is in no range
    raise _wrong("addresses", entry, advice)


def _check_model_budget(model: str, budget: Any, now: datetime) -> None:
    """{"budget_limit": 10, "time_period": "1d"}, or with the peer's other names for the two."""
    field = "model_max_budget"
    if not isinstance(budget, Mapping):
        raise _wrong(field, model, 'Write {"<model>": {"budget_limit": 10, "time_period": "1d"}}.')
    amounts = [budget[name] for name in _MODEL_BUDGET_AMOUNTS if budget.get(name) is not None]
    spans = [budget[name] for name in _MODEL_BUDGET_SPANS if budget.get(name) is not None]
    for amount in amounts:
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= _MOST_USD:
            raise _wrong(field, model, f"Its budget_limit is a number from 0 to {_MOST_USD}.")
    for span in spans:
        if not isinstance(span, str):
            raise _wrong(field, model, "Its time_period is a duration such as 1d.")
        end_of(now, span, field)
    if not amounts:
        raise _wrong(field, model, "It has no budget_limit.")


def _wrong(field: str, entry: str, advice: str) -> InvalidField:
    return InvalidField(f"{field}: {entry[:100]!r} cannot be used. {advice}", field)


def _once(entries: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entries))
