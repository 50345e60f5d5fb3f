"""What is asked of /team routes and /v2/team/list."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from app.gateway.member_desk import NewMember
from app.web.admin_api.account_forms import (
    LIMITS,
    LISTS,
    Form,
    LimitFields,
    ListFields,
    SpendField,
)
from app.web.admin_api.fields import Metadata, Name, Tags, Text, Unset
from app.web.admin_api.wire_model import WireModel

_FIELDS = LIMITS | LISTS | {"team_alias", "blocked", "metadata", "spend", "tags"}
_MOST_AT_ONCE = 500
_OF_MEMBERS = {
    "allowed_models": "list models on the member's key",
    "budget_duration": "set budget_duration on the member's key",
    "rpm_limit": "set rpm_limit on the member's key",
    "tpm_limit": "set tpm_limit on the member's key",
}


class MemberNamed(Form):
    """A user by id or by email."""

    user_id: Text | None = None
    user_email: Text | None = None

    @model_validator(mode="after")
    def _is_named(self) -> "MemberNamed":
        if not self.user_id and not self.user_email:
            raise ValueError("Either user id or user email must be provided")
        return self


class MemberForm(MemberNamed):
    """A user and its role in the team."""

    role: Literal["admin", "user"] = "user"

    def new_member(self) -> NewMember:
        self.refuse_unenforced()
        return NewMember(self.user_id or None, self.user_email or None, self.role)


class _TeamFields(LimitFields, ListFields, SpendField):
    meanings: ClassVar[Mapping[str, str]] = {"team_alias": "alias"}
    unenforced: ClassVar[Mapping[str, str]] = {
        "budget_id": "set max_budget and the other limits on the team",
        "default_team_member_models": "list models on the team, or on its keys",
        "team_member_budget": "set max_budget on the team, or on its keys",
        "team_member_budget_duration": "set budget_duration on the team, or on its keys",
        "team_member_key_duration": "give keys a duration",
        "team_member_permissions": "members may do what their role says: admin or user",
        "team_member_rpm_limit": "set rpm_limit on the team, or on its keys",
        "team_member_tpm_limit": "set tpm_limit on the team, or on its keys",
    }
    team_alias: Text | None = None
    blocked: bool | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None

    def changes(self) -> dict[str, Any]:
        """For TeamDesk. Raises InvalidField."""
        return self.given(_FIELDS)


class NewTeam(_TeamFields):
    """A team to be made."""

    team_id: Text | None = None
    members_with_roles: Annotated[list[MemberForm], Field(fail_fast=True, max_length=_MOST_AT_ONCE)] | None = None


class TeamUpdate(_TeamFields):
    """A team to be changed: what is not named stays. Null clears limits and the alias, as with the peer."""

    nulls_clear: ClassVar[frozenset[str]] = LIMITS | {"team_alias"}
    team_id: Name
    unset: Unset | None = None


class TeamNamed(WireModel):
    """One team."""

    team_id: Name


class TeamsNamed(WireModel):
    """Some teams."""

    team_ids: Annotated[list[Name], Field(fail_fast=True, min_length=1, max_length=_MOST_AT_ONCE)]


class TeamsAsked(WireModel):
    """Which teams are listed."""

    user_id: Name | None = None


class TeamPageAsked(WireModel):
    """Which teams, and which page of them."""

    user_id: Name | None = None
    team_id: Name | None = None
    team_alias: Text | None = None
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 10


class MembersToAdd(Form):
    """One member, or several."""

    unenforced: ClassVar[Mapping[str, str]] = _OF_MEMBERS
    team_id: Name
    member: MemberForm | Annotated[list[MemberForm], Field(fail_fast=True, min_length=1, max_length=_MOST_AT_ONCE)]

    def new_members(self) -> list[NewMember]:
        """Raises InvalidField."""
        self.refuse_unenforced()
        members = self.member if isinstance(self.member, list) else [self.member]
        return [member.new_member() for member in members]


class MemberToRemove(MemberNamed):
    """One member of a team."""

    team_id: Name


class MemberToChange(MemberToRemove):
    """One member of a team, and its role from now on."""

    unenforced: ClassVar[Mapping[str, str]] = _OF_MEMBERS
    role: Literal["admin", "user"] | None = None
