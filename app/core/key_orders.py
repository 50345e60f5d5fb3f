"""What is asked of a key, and the key that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from app.core.account_rules import UnknownEntries, checked_limits, checked_rights, end_of, not_negative
from app.core.accounts import KeyType, Limits, Rights, UnmeteredCalls, VirtualKey
from app.core.errors import InvalidField

T = TypeVar("T", VirtualKey, Rights, Limits)
# What `unset` may name, besides the fields of Rights and Limits: what a key can be without
_UNSETTABLE = frozenset(
    "alias team_id user_id budget_id expires_at metadata tags temp_budget_increase temp_budget_expiry".split()
)


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What is asked of a key, new or not, by the fields of VirtualKey, Rights and Limits; None: nothing is said of it.

    `text`: the key's own, where it is not to be made; `duration`: from now until it expires; `unset`: fields that end
    up as a new key has them. Money is US dollars.
    """

    text: str | None = field(default=None, repr=False)
    alias: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    budget_id: str | None = None
    key_type: KeyType | None = None
    models: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    max_budget: Decimal | None = None
    soft_budget: Decimal | None = None
    budget_duration: str | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_parallel_requests: int | None = None
    model_max_budget: Mapping[str, Any] | None = None
    duration: str | None = None
    blocked: bool | None = None
    end_user_required: bool | None = None
    unmetered_calls: UnmeteredCalls | None = None
    metadata: Mapping[str, Any] | None = None
    tags: tuple[str, ...] | None = None
    spend: Decimal | None = None
    temp_budget_increase: Decimal | None = None
    temp_budget_expiry: datetime | None = None
    unset: frozenset[str] = frozenset()


def carried_out(order: KeyOrder, key: VirtualKey, now: datetime, unknown_operations: UnknownEntries) -> VirtualKey:
    """The key with what was asked of it; its text is another's affair. Raises InvalidField."""
    blank = VirtualKey(key.id, key.token, key.key_name, key.stamps)
    rights = _with(order, _without(order, key.rights, blank.rights))
    limits = _with(order, _without(order, key.limits, blank.limits))
    changed = _with(order, _without(order, key, blank))
    not_negative("spend", changed.spend)
    not_negative("temp_budget_increase", changed.temp_budget_increase)
    if (changed.temp_budget_increase is None) != (changed.temp_budget_expiry is None):
        raise InvalidField(
            "temp_budget_increase and temp_budget_expiry belong together: give both, or unset both.",
            "temp_budget_expiry",
        )
    return replace(
        changed,
        rights=checked_rights(rights, unknown_operations),
        limits=checked_limits(limits, now),
        expires_at=end_of(now, order.duration, "duration") if order.duration else changed.expires_at,
    )


def _without(order: KeyOrder, record: T, blank: T) -> T:
    unset = {one.name for one in fields(record)} & order.unset
    if isinstance(record, VirtualKey):
        unset &= _UNSETTABLE
    return replace(record, **{name: getattr(blank, name) for name in unset})


def _with(order: KeyOrder, record: T) -> T:
    asked = {one.name: getattr(order, one.name, None) for one in fields(record)}
    return replace(record, **{name: value for name, value in asked.items() if value is not None})
