"""/team routes and /v2/team/list."""

from functools import partial
from typing import Any

from app.gateway.member_desk import MemberDesk, MembersAdded, NewMember
from app.gateway.standings import Standings
from app.gateway.team_desk import TeamDesk, TeamQuery, TeamView
from app.web.admin_api.account_forms import gently
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.team_answers import (
    MemberChanged,
    MembersAddedAnswer,
    TeamAnswer,
    TeamInfo,
    TeamListed,
    TeamPage,
    TeamsDeleted,
    TeamUpdated,
    members_added,
    team_answer,
    team_info,
    team_listed,
)
from app.web.admin_api.team_forms import (
    MembersToAdd,
    MemberToChange,
    MemberToRemove,
    NewTeam,
    TeamNamed,
    TeamPageAsked,
    TeamsAsked,
    TeamsNamed,
    TeamUpdate,
)


class TeamViews:
    """What the routes of teams do."""

    def __init__(self, desk: TeamDesk, standings: Standings) -> None:
        self._desk = desk
        self._standings = standings

    def new(self, call: AdminCall[Nothing, NewTeam]) -> TeamAnswer:
        members = [member.new_member() for member in call.body.members_with_roles or ()]
        team_id = call.body.team_id or None
        return team_answer(self._desk.create(call.actor, team_id, call.body.changes(), members))

    def info(self, call: AdminCall[TeamNamed, Nothing]) -> TeamInfo:
        view = self._desk.info(call.actor, call.query.team_id)
        return team_info(view, self._standings.of_team(view.team))

    def update(self, call: AdminCall[Nothing, TeamUpdate]) -> TeamUpdated:
        view = self._desk.update(call.actor, call.body.team_id, call.body.changes())
        return TeamUpdated(team_id=view.team.id, data=team_answer(view))

    def delete(self, call: AdminCall[Nothing, TeamsNamed]) -> TeamsDeleted:
        return TeamsDeleted(deleted_teams=list(self._desk.delete(call.actor, call.body.team_ids)))

    def block(self, call: AdminCall[Nothing, TeamNamed]) -> TeamAnswer:
        return team_answer(self._desk.set_blocked(call.actor, call.body.team_id, blocked=True))

    def unblock(self, call: AdminCall[Nothing, TeamNamed]) -> TeamAnswer:
        return team_answer(self._desk.set_blocked(call.actor, call.body.team_id, blocked=False))

    def list(self, call: AdminCall[TeamsAsked, Nothing]) -> list[TeamListed]:
        return [team_listed(view) for view in gently(self._desk.every(call.actor, call.query.user_id))]

    def page(self, call: AdminCall[TeamPageAsked, Nothing]) -> TeamPage:
        asked = call.query
        query = TeamQuery(asked.team_id, asked.team_alias, asked.user_id, asked.page, asked.page_size)
        found = self._desk.page(call.actor, query)
        return TeamPage(
            teams=[team_answer(view) for view in found.items],
            total=found.total,
            page=asked.page,
            page_size=asked.page_size,
            total_pages=-(-found.total // asked.page_size),
        )

    def available(self, call: AdminCall[Nothing, Nothing]) -> tuple[()]:
        """Teams that anyone may join: there are none here."""
        return ()


class MemberViews:
    """What the routes of members do."""

    def __init__(self, desk: MemberDesk) -> None:
        self._desk = desk

    def add(self, call: AdminCall[Nothing, MembersToAdd]) -> MembersAddedAnswer:
        return members_added(self._desk.add(call.actor, call.body.team_id, call.body.new_members()))

    def remove(self, call: AdminCall[Nothing, MemberToRemove]) -> TeamAnswer:
        body = call.body
        left: MembersAdded = self._desk.remove(call.actor, body.team_id, body.user_id or None, body.user_email or None)
        return team_answer(TeamView(left.team, left.members))

    def change(self, call: AdminCall[Nothing, MemberToChange]) -> MemberChanged:
        body = call.body
        body.refuse_unenforced()
        who = NewMember(body.user_id or None, body.user_email or None)
        member = self._desk.change_role(call.actor, body.team_id, who, body.role)
        return MemberChanged(
            team_id=member.team_id, user_id=member.user_id, user_email=member.user_email, role=member.role
        )


def routes(teams: TeamDesk, members: MemberDesk, standings: Standings) -> list[Route[Any, Any]]:
    """All of them. The desks look whose team it is where a team's admin may do it too."""
    return [*_team_routes(TeamViews(teams, standings)), *_member_routes(MemberViews(members))]


def _team_routes(views: TeamViews) -> list[Route[Any, Any]]:
    post = partial(Route, method="POST", access="administrator", query=Nothing)
    get = partial(Route, method="GET", access="holder", body=Nothing)
    return [
        post(rule="/team/new", summary="Make a team.", body=NewTeam, answer=TeamAnswer, view=views.new),
        get(rule="/team/info", summary="Show a team.", query=TeamNamed, answer=TeamInfo, view=views.info),
        post(rule="/team/update", summary="Change a team.", body=TeamUpdate, answer=TeamUpdated, view=views.update),
        post(
            rule="/team/delete",
            summary="Delete teams with their keys and members.",
            body=TeamsNamed,
            answer=TeamsDeleted,
            view=views.delete,
        ),
        post(rule="/team/block", summary="Block a team's keys.", body=TeamNamed, answer=TeamAnswer, view=views.block),
        post(
            rule="/team/unblock",
            summary="Let a blocked team's keys call.",
            body=TeamNamed,
            answer=TeamAnswer,
            view=views.unblock,
        ),
        get(rule="/team/list", summary="List teams.", query=TeamsAsked, answer=list[TeamListed], view=views.list),
        get(
            rule="/v2/team/list", summary="List teams, by page.", query=TeamPageAsked, answer=TeamPage, view=views.page
        ),
        get(
            rule="/team/available",
            summary="List teams that anyone may join: none.",
            query=Nothing,
            answer=tuple[()],
            view=views.available,
        ),
    ]


def _member_routes(views: MemberViews) -> list[Route[Any, Any]]:
    post = partial(Route, method="POST", access="holder", query=Nothing)
    return [
        post(
            rule="/team/member_add",
            summary="Add members to a team.",
            body=MembersToAdd,
            answer=MembersAddedAnswer,
            view=views.add,
        ),
        post(
            rule="/team/member_update",
            summary="Change a member's role.",
            body=MemberToChange,
            answer=MemberChanged,
            view=views.change,
        ),
        post(
            rule="/team/member_delete",
            summary="Remove a member from a team, with its keys there.",
            body=MemberToRemove,
            answer=TeamAnswer,
            view=views.remove,
        ),
    ]
