"""What /team routes and /v2/team/list answer."""

from typing import Any, Literal

from pydantic import Field

from app.core.accounts import Member
from app.gateway.member_desk import MembersAdded
from app.gateway.standings import Standing
from app.gateway.team_desk import TeamView
from app.web.admin_api.account_forms import Dollars, LimitAnswer, ListAnswer, flat, gently
from app.web.admin_api.fields import Moment
from app.web.admin_api.key_answers import KeyRow
from app.web.admin_api.remaining import Remaining
from app.web.admin_api.wire_model import WireModel


class MemberAnswer(WireModel):
    """A member, as the peer writes one."""

    user_id: str
    user_email: str | None
    role: Literal["admin", "user"]


class TeamAnswer(LimitAnswer, ListAnswer):
    """A team, with the fields that the peer's have; those without meaning here are null or empty."""

    team_alias: str | None
    team_id: str
    organization_id: None = None
    admins: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    members_with_roles: list[MemberAnswer]
    team_member_permissions: None = None
    metadata: dict[str, Any]
    tags: list[str]
    tpd_limit: None = None
    budget_limits: None = None
    blocked: bool
    router_settings: None = None
    access_group_ids: tuple[str, ...] = ()
    default_team_member_models: None = None
    spend: Dollars
    total_spend: Dollars
    model_id: None = None
    model_spend: dict[str, Any] = Field(default_factory=dict)
    policies: tuple[str, ...] = ()
    allow_team_guardrail_config: bool = False
    litellm_model_table: None = None
    object_permission: None = None
    object_permission_id: None = None
    created_at: Moment
    created_by: str
    updated_at: Moment
    updated_by: str


class TeamListed(TeamAnswer):
    """A team with its keys. Members have no budgets of their own in a team, so no memberships are listed."""

    keys: list[KeyRow]
    team_memberships: tuple[str, ...] = ()


class TeamNow(TeamAnswer):
    """A team, and what it has left."""

    remaining: Remaining


class TeamInfo(WireModel):
    """One team with its keys."""

    team_id: str
    team_info: TeamNow
    keys: list[KeyRow]
    team_memberships: tuple[str, ...] = ()


class TeamsDeleted(WireModel):
    """The ids of the teams that are gone."""

    deleted_teams: list[str]


class TeamUpdated(WireModel):
    """The team as it is now."""

    team_id: str
    data: TeamAnswer


class TeamPage(WireModel):
    """A page of teams."""

    teams: list[TeamAnswer]
    total: int
    page: int
    page_size: int
    total_pages: int


class UserAdded(WireModel):
    """Who came into the team."""

    user_id: str
    user_email: str | None
    user_role: str


class MembersAddedAnswer(TeamAnswer):
    """The team with its new members."""

    updated_users: list[UserAdded]
    updated_team_memberships: tuple[str, ...] = ()


class MemberChanged(WireModel):
    """The member as it is now."""

    team_id: str
    user_id: str
    user_email: str | None
    role: Literal["admin", "user"]
    max_budget_in_team: None = None


def team_answer(view: TeamView) -> TeamAnswer:
    return TeamAnswer.model_validate(_fields(view))


def team_listed(view: TeamView) -> TeamListed:
    return TeamListed.model_validate(_fields(view) | {"keys": [KeyRow.of(key) for key in gently(view.keys)]})


def team_info(view: TeamView, standing: Standing) -> TeamInfo:
    keys = [KeyRow.of(key) for key in gently(view.keys)]
    team = TeamNow.model_validate(_fields(view) | {"remaining": Remaining.of(standing)})
    return TeamInfo(team_id=view.team.id, team_info=team, keys=keys)


def members_added(added: MembersAdded) -> MembersAddedAnswer:
    users = [UserAdded(user_id=user.id, user_email=user.email, user_role=user.role) for user in added.users]
    told = _fields(TeamView(added.team, added.members))
    return MembersAddedAnswer.model_validate(told | {"updated_users": users})


def _fields(view: TeamView) -> dict[str, Any]:
    members = [_member(member) for member in view.members]
    told = {"team_id": view.team.id, "team_alias": view.team.alias, "members_with_roles": members}
    return flat(view.team) | told


def _member(member: Member) -> MemberAnswer:
    return MemberAnswer(user_id=member.user_id, user_email=member.user_email, role=member.role)
