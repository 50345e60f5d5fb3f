"""What the key routes answer: all that the peer does, and what keys have here beside it.

The peer writes moments in two forms: `...Z` where a key is made, `...+00:00` everywhere else.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import PlainSerializer

from app.core.accounts import Budget, KeyType, Limits, UnmeteredCalls, VirtualKey
from app.gateway.key_changes import IssuedKey
from app.web.admin_api.account_forms import Dollars, flat
from app.web.admin_api.wire_model import WireModel

OffsetMoment = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str)]
_ROUTER_SETTINGS = dict.fromkeys(
    "routing_strategy_args routing_strategy routing_groups retry_policy model_group_retry_policy "
    "model_group_affinity_config allowed_fails cooldown_time num_retries timeout max_retries retry_after fallbacks "
    "context_window_fallbacks model_group_alias enable_tag_filtering weights tag_routing_prefix "
    "optional_pre_call_checks".split()
) | {"model_group_alias": {}}


class BudgetTable(WireModel):
    """The budget that a key names, or its soft budget, where the peer's clients look for it."""

    budget_id: str | None
    max_budget: Dollars | None
    soft_budget: Dollars | None
    budget_duration: str | None
    rpm_limit: int | None
    tpm_limit: int | None
    max_parallel_requests: int | None


class KeyFacts(WireModel):
    """What is told of a key wherever it is told of."""

    key_id: str
    key_alias: str | None
    key_name: str
    key_type: KeyType
    team_id: str | None
    user_id: str | None
    budget_id: str | None
    models: list[str]
    operations: list[str]
    resources: list[str]
    regions: list[str]
    addresses: list[str]
    max_budget: Dollars | None
    soft_budget: Dollars | None
    budget_duration: str | None
    rpm_limit: int | None
    tpm_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, Any]
    end_user_required: bool
    unmetered_calls: UnmeteredCalls
    spend: Dollars
    metadata: dict[str, Any]
    tags: list[str] | None
    created_by: str
    updated_by: str
    litellm_budget_table: BudgetTable | None
    # of the peer's clients, which read them; nothing here is behind them
    access_group_ids: list[str] = []
    agent_id: str | None = None
    aliases: dict[str, Any] = {}
    allowed_cache_controls: list[Any] = []
    allowed_routes: list[str] = []
    budget_fallbacks: dict[str, Any] = {}
    budget_limits: list[Any] | None = None
    config: dict[str, Any] = {}
    object_permission: dict[str, Any] | None = None
    organization_id: str | None = None
    permissions: dict[str, Any] = {}
    policies: list[Any] | None = None
    project_id: str | None = None
    router_settings: dict[str, Any] | None = None
    tpd_limit: int | None = None


class MadeKey(KeyFacts):
    """A key that was just made or rotated, with its text and its pair: they are shown once."""

    key: str
    token: str
    token_id: str
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    expires: datetime | None
    created_at: datetime
    updated_at: datetime
    budget_reset_at: datetime | None
    blocked: bool | None
    router_settings: dict[str, Any] | None = _ROUTER_SETTINGS
    allowed_passthrough_routes: list[str] | None = None
    allowed_vector_store_indexes: list[Any] | None = None
    default_estimated_output_tokens: int | None = None
    default_estimated_output_tokens_per_model: dict[str, Any] | None = None
    denied_passthrough_routes: list[str] | None = None
    disable_global_guardrails: bool | None = None
    duration: str | None = None
    enable_prompt_caching: bool | None = None
    end_user_budget_id: str | None = None
    enforced_params: list[str] | None = None
    guardrails: list[str] | None = None
    mcp_rpm_limit: dict[str, Any] | None = None
    model_rpm_limit: dict[str, Any] | None = None
    model_tpm_limit: dict[str, Any] | None = None
    prompts: list[str] | None = None
    rpm_limit_type: str | None = None
    tag_rpm_limit: dict[str, Any] | None = None
    throttle_on_budget_exceeded: bool | None = None
    tpm_limit_type: str | None = None

    @classmethod
    def of(cls, issued: IssuedKey, echoed: Mapping[str, Any]) -> "MadeKey":
        """`echoed`: fields that are answered as they were sent."""
        key = issued.key
        facts = _facts(key, issued.budget) | {
            "key": issued.text,
            "token": key.token,
            "token_id": key.token,
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": issued.secret_access_key,
            "blocked": key.blocked or None,
            "tags": list(key.tags) or None,
        }
        return cls.model_validate(facts | dict(echoed))


class KeyRow(KeyFacts):
    """A key as it is kept."""

    token: str
    total_spend: Dollars
    aws_access_key_id: str | None
    expires: OffsetMoment | None
    created_at: OffsetMoment
    updated_at: OffsetMoment
    settings_updated_at: OffsetMoment | None
    budget_reset_at: OffsetMoment | None
    blocked: bool
    temp_budget_increase: Dollars | None
    temp_budget_expiry: OffsetMoment | None
    rotation_count: int
    last_rotation_at: OffsetMoment | None
    auto_rotate: bool = False
    jwt_key_mappings: list[Any] | None = None
    key_rotation_at: str | None = None
    last_active: str | None = None
    litellm_organization_table: dict[str, Any] | None = None
    litellm_project_table: dict[str, Any] | None = None
    model_spend: dict[str, Any] = {}
    object_permission_id: str | None = None
    rotation_interval: str | None = None
    soft_budget_cooldown: bool = False

    @classmethod
    def of(cls, key: VirtualKey, budget: Budget | None = None) -> "KeyRow":
        return cls.model_validate(_row(key, budget))


class ChangedKey(KeyRow):
    """A key that was changed, and by what it was named."""

    key: str

    @classmethod
    def named(cls, reference: str, key: VirtualKey) -> "ChangedKey":
        return cls.model_validate(_row(key) | {"key": reference})


class KeyDetails(KeyRow):
    """A key, and how it stands: active, expired or revoked."""

    status: str

    @classmethod
    def at(cls, now: datetime, key: VirtualKey, budget: Budget | None = None) -> "KeyDetails":
        status = "revoked" if key.blocked else "expired" if key.expired(now) else "active"
        return cls.model_validate(_row(key, budget) | {"status": status})


def _row(key: VirtualKey, budget: Budget | None = None) -> dict[str, Any]:
    return _facts(key, budget) | {"settings_updated_at": key.stamps.updated_at}


def _facts(key: VirtualKey, budget: Budget | None) -> dict[str, Any]:
    return flat(key) | {
        "key_id": key.id,
        "key_alias": key.alias,
        "aws_access_key_id": key.access_key_id,
        "expires": key.expires_at,
        "litellm_budget_table": _budget_table(key.limits, budget),
    }


def _budget_table(limits: Limits, budget: Budget | None) -> dict[str, Any] | None:
    """Where a key has a soft budget of its own, the peer makes a budget of it, without which its clients see none."""
    if budget:
        return flat(budget.limits) | {"budget_id": budget.id}
    if limits.soft_budget is not None:
        return flat(Limits(soft_budget=limits.soft_budget)) | {"budget_id": None}
    return None
