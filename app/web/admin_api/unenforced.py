"""What restricts a key or an account in the peer and would restrict nothing here, and what to use instead.

Taken silently, it would be a restriction that vanished: so it is refused by its name, unless it is empty.
"""

from collections.abc import Mapping
from typing import Any

from app.core.errors import InvalidField
from app.web.admin_api.fields import refused

_INSTEAD = {
    "access_group_ids": "list models",
    "agent_id": "use a team",
    "allowed_cache_controls": "nothing is cached here",
    "allowed_passthrough_routes": "list operations",
    "allowed_routes": "list operations, or choose a key_type",
    "allowed_vector_store_indexes": "list resources",
    "auto_rotate": "call /key/regenerate when it is time",
    "budget_limits": "set max_budget and budget_duration",
    "denied_passthrough_routes": "list in operations what may be called",
    "end_user_budget_id": "give budgets to customers by /customer/new",
    "enforced_params": "check them where they are made",
    "guardrails": "name a Bedrock guardrail in the calls",
    "max_budget_in_team": "set max_budget on the member's key",
    "mcp_rpm_limit": "set rpm_limit",
    "model_aliases": "list models, and call them by their ids",
    "model_rpm_limit": "set rpm_limit, or issue a key for each model",
    "model_tpm_limit": "set tpm_limit, or issue a key for each model",
    "object_permission": "list resources",
    "organization_id": "use a team",
    "organizations": "use teams",
    "policies": "list models, operations and resources",
    "project_id": "use a team",
    "prompts": "list resources",
    "rotation_interval": "call /key/regenerate when it is time",
    "rpm_limit_type": "rpm_limit is always a limit, and reserves nothing",
    "tag_rpm_limit": "set rpm_limit, or issue a key for each tag",
    "throttle_on_budget_exceeded": "a key whose budget is spent stops; use soft_budget to be warned",
    "tpd_limit": "set tpm_limit, or max_budget with budget_duration 1d",
    "tpm_limit_type": "tpm_limit is always a limit, and reserves nothing",
}
# those that the peer also reads out of metadata
_IN_METADATA = frozenset(
    "allowed_passthrough_routes enforced_params guardrails mcp_rpm_limit model_rpm_limit model_tpm_limit "
    "tag_rpm_limit".split()
)
_NOTHING: Mapping[str, str] = {}


def refuse_unenforced(
    given: Mapping[str, Any] | None, metadata: Mapping[str, Any] | None, also: Mapping[str, str] = _NOTHING
) -> None:
    """`given`: the fields that a request has beside those it may have; `also`: further such names, and what instead.

    Raises InvalidField.
    """
    instead = {**_INSTEAD, **also}
    for name in refused(given or {}, frozenset(instead)):
        raise _unenforced(name, instead[name])
    for name in refused(metadata or {}, _IN_METADATA):
        raise _unenforced(f"metadata.{name}", instead[name])


def _unenforced(field: str, instead: str) -> InvalidField:
    return InvalidField(
        f"{field} would restrict what may be called, and this gateway does not enforce it: leave it out. "
        f"Instead: {instead}.",
        field,
    )
