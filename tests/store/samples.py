"""Records of every kind with a value in every field but what was spent, and the moments and stamps they carry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.core.accounts import (
    AuditEntry,
    Budget,
    Customer,
    KeySecret,
    Limits,
    Member,
    Record,
    Rights,
    Stamps,
    Team,
    User,
    VirtualKey,
)

NOW = datetime(2026, 11, 22, 10, 16, 43, 407123, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
STAMPS = Stamps(NOW, "master", LATER, "ops, \N{SNOWMAN} & <b>'\"--")
RIGHTS = Rights(
    models=("anthropic.*", "us.amazon.nova-lite-v1:0"),
    operations=("inference", "bedrock-agent:GetAgent"),
    resources=("arn:aws:bedrock:*:*:guardrail/*",),
    regions=("eu-west-1", "eu"),
    addresses=("10.0.0.0/8", "2001:db8::/32"),
)
LIMITS = Limits(
    max_budget=Decimal("12.345678901234"),
    soft_budget=Decimal("0.000000000001"),
    budget_duration="30d",
    budget_reset_at=datetime(2026, 12, 1, tzinfo=UTC),
    rpm_limit=60,
    tpm_limit=2**40,
    max_parallel_requests=0,
    model_max_budget={"anthropic.claude": {"budget_limit": 1.5, "time_period": "1d"}},
)
KEY = VirtualKey(
    id="key-1",
    token="a" * 64,
    key_name="sk-...Ab12",
    stamps=STAMPS,
    alias="batch jobs",
    access_key_id="AKIAOUTCROP000000001",
    team_id="team-1",
    user_id="user-1",
    budget_id="budget-1",
    key_type="llm_api",
    rights=RIGHTS,
    limits=LIMITS,
    expires_at=LATER,
    blocked=True,
    metadata={"owner": {"name": "\N{GREEK SMALL LETTER ALPHA}\0", "depth": [1, 2.5, None, True]}},
    tags=("prod", "eu"),
    temp_budget_increase=Decimal("5"),
    temp_budget_expiry=LATER,
    rotation_count=3,
    last_rotation_at=NOW,
    delegated=True,
    end_user_required=True,
    unmetered_calls="allow",
)
SECRET = KeySecret("b" * 64, "key-1", "AKIAOUTCROP000000002", LATER)
TEAM = Team(
    id="team-1",
    stamps=STAMPS,
    alias="Search",
    rights=RIGHTS,
    limits=LIMITS,
    blocked=True,
    metadata={"a": 1},
    tags=("x",),
)
MEMBER = Member("team-1", "user-1", "admin", "ada@example.org")
USER = User(
    id="user-1",
    stamps=STAMPS,
    email="ada@example.org",
    alias="Ada",
    role="proxy_admin_viewer",
    rights=RIGHTS,
    limits=LIMITS,
    metadata={"b": []},
)
CUSTOMER = Customer(
    id="customer-1",
    stamps=STAMPS,
    alias="ACME",
    team_id="team-1",
    budget_id="budget-1",
    limits=LIMITS,
    blocked=True,
    metadata={"c": "d"},
)
BUDGET = Budget("budget-1", STAMPS, LIMITS)
ENTRY = AuditEntry(
    id="entry-1",
    at=NOW,
    by="master",
    by_token="c" * 64,
    address="2001:db8::1",
    action="updated",
    kind="key",
    object_id="key-1",
    before={"max_budget": None},
    after={"max_budget": 1.5, "models": ["a"]},
)
ALL: tuple[Record, ...] = (KEY, SECRET, TEAM, MEMBER, USER, CUSTOMER, BUDGET)


def plain_key(number: int, **values: Any) -> VirtualKey:
    """A key with next to nothing in it, made `number` seconds after NOW."""
    moment = NOW + timedelta(seconds=number)
    stamps = Stamps(moment, "master", moment, "master")
    return VirtualKey(f"key-{number:03}", f"{number:064x}", f"sk-...{number:04}", **{"stamps": stamps, **values})


def plain_team(number: int, **values: Any) -> Team:
    """The same for a team."""
    moment = NOW + timedelta(seconds=number)
    return Team(f"team-{number:03}", Stamps(moment, "master", moment, "master"), **values)


def plain_user(number: int, **values: Any) -> User:
    """The same for a user."""
    moment = NOW + timedelta(seconds=number)
    return User(f"user-{number:03}", Stamps(moment, "master", moment, "master"), **values)


def plain_customer(number: int, **values: Any) -> Customer:
    """The same for a customer."""
    moment = NOW + timedelta(seconds=number)
    return Customer(f"customer-{number:03}", Stamps(moment, "master", moment, "master"), **values)


def entry(number: int, **values: Any) -> AuditEntry:
    """An entry of the audit log, made `number` seconds after NOW."""
    return replace(ENTRY, id=f"entry-{number:03}", at=NOW + timedelta(seconds=number), **values)
