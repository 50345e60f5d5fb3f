"""What restricts a key or an account in the peer and would restrict nothing here, and what to use instead.

Taken silently, it would be a restriction that vanished: so it is refused by its name, unless it is empty. So is the
name of a field that restricts here, misspelt.
"""

from collections.abc import Container, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
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
# too short to be alike, and what a hurried hand writes
_MEANT = {
    "budget": "max_budget",
    "budget_limit": "max_budget",
    "monthly_budget": "max_budget",
    "parallel_requests": "max_parallel_requests",
    "rpm": "rpm_limit",
    "tpm": "tpm_limit",
}
_BINDING = (
    "addresses blocked budget_duration duration end_user_required key_type max_budget max_parallel_requests models "
    "operations regions resources rpm_limit team_id tpm_limit unmetered_calls user_id"
).split()
# `model` and `modles` are misspelt; `mode` and `user_role` are other fields
_ALIKE = 0.82
# each takes a fraction of a millisecond, and 1 MiB has a hundred thousand
_MOST_COMPARED = 100
_LONGEST_COMPARED = 30
_NOTHING: Mapping[str, str] = {}


def refuse_unenforced(
    given: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    fields: Container[str],
    also: Mapping[str, str] = _NOTHING,
) -> None:
    """`given`: what a request has beside its `fields`; `also`: further names that are refused, and what to use instead.

    Raises InvalidField.
    """
    instead = {**_INSTEAD, **also}
    for name in refused(given or {}, frozenset(instead)):
        raise _unenforced(name, instead[name])
    for name in refused(metadata or {}, _IN_METADATA):
        raise _unenforced(f"metadata.{name}", instead[name])
    _refuse_misspelt(dict(islice((given or {}).items(), _MOST_COMPARED)), fields)


def _refuse_misspelt(given: Mapping[str, Any], fields: Container[str]) -> None:
    meant = [name for name in _BINDING if name in fields]
    for name in refused(given, frozenset(given) - _INSTEAD.keys()):
        found = _meant(name.lower(), meant) if len(name) <= _LONGEST_COMPARED else None
        if found:
            raise InvalidField(f"There is no field {name!r}, and it would restrict nothing: write {found!r}.", name)


def _meant(name: str, fields: Sequence[str]) -> str | None:
    known = _MEANT.get(name)
    return known if known in fields else next(iter(get_close_matches(name, fields, 1, _ALIKE)), None)


def _unenforced(field: str, instead: str) -> InvalidField:
    return InvalidField(
        f"{field} would restrict what may be called, and this gateway does not enforce it: leave it out. "
        f"Instead: {instead}.",
        field,
    )
