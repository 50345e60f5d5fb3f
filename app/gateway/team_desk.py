"""Teams: made, changed, blocked and deleted by the administrator, and seen by their admins too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.core.account_changes import AccountChanges
from app.core.accounts import Member, Team, VirtualKey
from app.core.admin_rights import is_administrator, manages_team, not_administrator, require_administrator
from app.core.callers import Actor, Caller
from app.core.errors import AccessDenied, InvalidField
from app.core.registry_messages import AccountQuery, KeyQuery, Page
from app.gateway.account_lookups import every_key, every_team, existing_team
from app.gateway.audited_changes import AuditedRegistry, Minutes
from app.gateway.member_desk import NewMember, placed
from app.gateway.ports import Records


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team with who is in it, and its keys where they were asked for."""

    team: Team
    members: tuple[Member, ...]
    keys: tuple[VirtualKey, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamQuery:
    """Which teams, newest first; None: whatever. `alias` is a part of it, `user_id` one of its members."""

    team_id: str | None = None
    alias: str | None = None
    user_id: str | None = None
    page: int = 1
    size: int = 10


class TeamDesk:
    """What can be done with teams. Raises NotAdministrator, AccessDenied, InvalidField, NotFound."""

    def __init__(self, registry: AuditedRegistry, changes: AccountChanges) -> None:
        self._registry = registry
        self._changes = changes

    def create(
        self, actor: Actor, team_id: str | None, given: Mapping[str, Any], members: Sequence[NewMember] = ()
    ) -> TeamView:
        """A new team; without an id it gets one. `given`: fields as AccountChanges takes them."""
        require_administrator(actor.caller, "/team/new")

        def work(minutes: Minutes) -> TeamView:
            new = Team(id=team_id or minutes.new_id(), stamps=minutes.stamps())
            if minutes.records.team(new.id):
                raise InvalidField(
                    f"Team id = {new.id} already exists. Please use a different team id.",
                    "team_id",
                )
            team = self._changes.applied(new, given, minutes.now)
            team = replace(team, total_spend=team.spend)
            minutes.put(None, team)
            for member in members:
                placed(minutes, team, member)
            return TeamView(team, minutes.records.members(team.id))

        return self._registry.change(actor, work)

    def info(self, actor: Actor, team_id: str) -> TeamView:
        """A team with its members and keys, for the administrator and the team's own admins."""
        if not manages_team(actor.caller, team_id, reads=True):
            raise AccessDenied(f"This key may not see team {team_id}: the team's admins and the administrator may.")
        return self._registry.read(lambda records: self._view(records, existing_team(records, team_id)))

    def update(self, actor: Actor, team_id: str, given: Mapping[str, Any]) -> TeamView:
        """Change what `given` names. Its keys are bound by it at their next call."""
        require_administrator(actor.caller, "/team/update")

        def work(minutes: Minutes) -> TeamView:
            before = existing_team(minutes.records, team_id)
            changed = self._changes.applied(before, given, minutes.now)
            after = replace(changed, stamps=minutes.stamps(before.stamps))
            minutes.put(before, after)
            return TeamView(after, minutes.records.members(team_id))

        return self._registry.change(actor, work)

    def set_blocked(self, actor: Actor, team_id: str, *, blocked: bool) -> TeamView:
        """While a team is blocked, none of its keys may call."""
        word = "block" if blocked else "unblock"
        require_administrator(actor.caller, f"/team/{word}")

        def work(minutes: Minutes) -> TeamView:
            before = existing_team(minutes.records, team_id)
            after = replace(before, blocked=blocked, stamps=minutes.stamps(before.stamps))
            minutes.put(before, after, f"{word}ed")
            return TeamView(after, minutes.records.members(team_id))

        return self._registry.change(actor, work)

    def delete(self, actor: Actor, team_ids: Sequence[str]) -> tuple[str, ...]:
        """All of them with their keys and members, or none where one is not there. The ids, each once."""
        require_administrator(actor.caller, "/team/delete")
        wanted = tuple(dict.fromkeys(team_ids))

        def work(minutes: Minutes) -> tuple[str, ...]:
            teams = [existing_team(minutes.records, team_id, "team_ids") for team_id in wanted]
            for team in teams:
                for key in every_key(minutes.records, KeyQuery(minutes.now, team_id=team.id)):
                    minutes.remove(key)
                for member in minutes.records.members(team.id):
                    minutes.remove(member)
                minutes.remove(team)
            return wanted

        return self._registry.change(actor, work)

    def every(self, actor: Actor, user_id: str | None = None) -> tuple[TeamView, ...]:
        """All teams that the caller manages, with members and keys; of these, those that a user is in."""

        def work(records: Records) -> tuple[TeamView, ...]:
            ids = _visible(records, actor.caller, TeamQuery(user_id=user_id))
            teams = every_team(records, AccountQuery(ids=ids))
            keys: dict[str | None, list[VirtualKey]] = {}
            # one question for the keys of all teams
            shown = frozenset(team.id for team in teams)
            for key in every_key(records, KeyQuery(self._registry.now(), visible=(None, shown))):
                keys.setdefault(key.team_id, []).append(key)
            return tuple(TeamView(team, records.members(team.id), tuple(keys.get(team.id, ()))) for team in teams)

        return self._registry.read(work)

    def page(self, actor: Actor, query: TeamQuery) -> Page[TeamView]:
        """A page of the teams that the caller manages, with their members."""

        def work(records: Records) -> Page[TeamView]:
            ids = _visible(records, actor.caller, query)
            found = records.teams(AccountQuery(ids=ids, search=query.alias, page=query.page, size=query.size))
            return Page(tuple(TeamView(team, records.members(team.id)) for team in found.items), found.total)

        return self._registry.read(work)

    def _view(self, records: Records, team: Team) -> TeamView:
        keys = every_key(records, KeyQuery(self._registry.now(), team_id=team.id))
        return TeamView(team, records.members(team.id), keys)


def user_teams(records: Records, user_id: str) -> tuple[Team, ...]:
    """The teams that a user is a member of."""
    ids = frozenset(member.team_id for member in records.memberships(user_id))
    return every_team(records, AccountQuery(ids=ids)) if ids else ()


def _visible(records: Records, caller: Caller, query: TeamQuery) -> frozenset[str] | None:
    """The ids of the teams that may be shown, None: all. Raises NotAdministrator."""
    chosen: list[frozenset[str]] = []
    if not is_administrator(caller, reads=True):
        if not caller.admin_of:
            raise not_administrator(caller, "/team/list")
        chosen.append(caller.admin_of)
    if query.user_id is not None:
        chosen.append(frozenset(member.team_id for member in records.memberships(query.user_id)))
    if query.team_id is not None:
        chosen.append(frozenset((query.team_id,)))
    return frozenset.intersection(*chosen) if chosen else None
