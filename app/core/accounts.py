"""What the administrator keeps: keys, teams, users, customers, budgets, and what each of them allows.

A key's lists can only narrow its team's and its user's: a call must pass every layer's, at every call (core/policy.py).
Money is US dollars as Decimal; moments are aware and UTC; ids and names are the caller's own text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

# What a key is for, in the words of the peer: Bedrock alone, admin routes alone, or reading those.
KeyType = Literal["default", "llm_api", "management", "read_only"]
# What becomes of calls that a budget cannot be held against, because AWS does not tell what they use.
UnmeteredCalls = Literal["refuse", "allow"]
# A user's role on the admin routes. The viewers' see what the others see and change nothing.
UserRole = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]
MemberRole = Literal["admin", "user"]


@dataclass(frozen=True, slots=True)
class Rights:
    """What one layer lets pass. An empty list passes everything, except `operations`, where it means the default.

    models: ids, globs, ARNs; operations: names, `service:Name`, services, or classes of effects; resources: globs over
    ids and ARNs, and `s3://` prefixes; regions: names, and the prefixes of inference profiles; addresses: CIDR.
    """

    models: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent and how fast. None: without limit. Budgets are US dollars within `budget_duration`."""

    max_budget: Decimal | None = None
    soft_budget: Decimal | None = None
    budget_duration: str | None = None
    budget_reset_at: datetime | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_parallel_requests: int | None = None
    model_max_budget: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Who made a thing and who changed it last: the alias of the key that did, or `master`."""

    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A key of the gateway. Its text is shown once and never stored; `token` is its SHA-256, in hex.

    `id` stays when the key is rotated, `token` and `access_key_id` (of the pair issued with it) do not.
    `spend` is of the current budget window, `total_spend` of all time, both US dollars. `delegated`: its text was
    handed to somebody who is neither an administrator nor its user: on the admin routes it never speaks for its user.
    `end_user_required`: its calls must name an end user; `unmetered_calls`: what becomes of those that a budget cannot
    be held against.
    """

    id: str
    token: str
    key_name: str
    stamps: Stamps
    alias: str | None = None
    access_key_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    budget_id: str | None = None
    key_type: KeyType = "default"
    rights: Rights = Rights()
    limits: Limits = Limits()
    expires_at: datetime | None = None
    blocked: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    spend: Decimal = Decimal(0)
    total_spend: Decimal = Decimal(0)
    temp_budget_increase: Decimal | None = None
    temp_budget_expiry: datetime | None = None
    rotation_count: int = 0
    last_rotation_at: datetime | None = None
    delegated: bool = False
    end_user_required: bool = False
    unmetered_calls: UnmeteredCalls = "refuse"

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class KeySecret:
    """One text by which a key is presented: the current one, or during a rotation's grace an earlier one."""

    token: str
    key_id: str
    access_key_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """Keys that are managed, and limited, together."""

    id: str
    stamps: Stamps
    alias: str | None = None
    rights: Rights = Rights()
    limits: Limits = Limits()
    blocked: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    spend: Decimal = Decimal(0)
    total_spend: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in a team. Admins manage the team's keys and its members of role `user`."""

    team_id: str
    user_id: str
    role: MemberRole = "user"
    user_email: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person who holds keys."""

    id: str
    stamps: Stamps
    email: str | None = None
    alias: str | None = None
    role: UserRole = "internal_user"
    rights: Rights = Rights()
    limits: Limits = Limits()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    spend: Decimal = Decimal(0)
    total_spend: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Customer:
    """An end user, whom a caller names beside its own key. Without a team, every team may name it."""

    id: str
    stamps: Stamps
    alias: str | None = None
    team_id: str | None = None
    budget_id: str | None = None
    limits: Limits = Limits()
    blocked: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    spend: Decimal = Decimal(0)
    total_spend: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits that keys and customers share by naming the budget."""

    id: str
    stamps: Stamps
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, when, from where. `before` and `after` hold no secret; None: there was, or is, nothing.

    action: created, updated, deleted, blocked, unblocked, rotated; kind: key, team, user, customer, budget, member.
    `by` is as in Stamps, `by_token` the SHA-256 of the key that did it, `address` where it came from.
    """

    id: str
    at: datetime
    by: str
    by_token: str | None
    address: str | None
    action: str
    kind: str
    object_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


Spender = VirtualKey | Team | User | Customer
Record = VirtualKey | KeySecret | Team | Member | User | Customer | Budget


@dataclass(frozen=True, slots=True, eq=False)  # by identity: what follows from one is worked out once
class KeyGrant:
    """A key with all that binds it, as it was read at one moment.

    `secret_expires_at`: when the text that was presented ends, if before the key; `admin_of`: teams whose admin the
    key's user is. `team` is None both without a team and where the team is gone: `key.team_id` tells. `budget`: the
    one that the key names.
    """

    key: VirtualKey
    team: Team | None = None
    user: User | None = None
    admin_of: frozenset[str] = frozenset()
    secret_expires_at: datetime | None = None
    budget: Budget | None = None
