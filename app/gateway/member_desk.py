"""Who is in a team. The administrator decides; a team's admin adds and removes its members of role `user`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.accounts import Member, MemberRole, Team, User
from app.core.admin_rights import is_administrator, manages_team, not_administrator
from app.core.callers import Actor, Caller
from app.core.errors import AccessDenied, InvalidField
from app.core.registry_messages import KeyQuery
from app.gateway.account_lookups import every_key, existing_team, same_email, user_by_email
from app.gateway.audited_changes import AuditedRegistry, Minutes


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who is to be in a team: a user by id, or by email, or both."""

    user_id: str | None = None
    user_email: str | None = None
    role: MemberRole = "user"


@dataclass(frozen=True, slots=True)
class MembersAdded:
    """The team with all its members, and whom it was that came."""

    team: Team
    members: tuple[Member, ...]
    users: tuple[User, ...]


class MemberDesk:
    """What can be done with members. Raises NotAdministrator, AccessDenied, InvalidField, NotFound."""

    def __init__(self, registry: AuditedRegistry) -> None:
        self._registry = registry

    def add(self, actor: Actor, team_id: str, members: Sequence[NewMember]) -> MembersAdded:
        """Those that are in the team already are passed over, unless all are: then InvalidField.

        The administrator's may be users who are not known yet, and then become so, as with the peer.
        """
        _require_team(actor.caller, team_id, "/team/member_add")

        def work(minutes: Minutes) -> MembersAdded:
            team = existing_team(minutes.records, team_id)
            users = [user for member in members if (user := placed(minutes, team, member))]
            if not users:
                raise InvalidField(f"User already in team. Member: {_named(members)}", "member")
            return MembersAdded(team, minutes.records.members(team_id), tuple(users))

        return self._registry.change(actor, work)

    def remove(self, actor: Actor, team_id: str, user_id: str | None, user_email: str | None) -> MembersAdded:
        """Take a member out of the team, and its keys in the team with it."""
        _require_team(actor.caller, team_id, "/team/member_delete")

        def work(minutes: Minutes) -> MembersAdded:
            team = existing_team(minutes.records, team_id)
            member = _member(minutes, team, user_id, user_email)
            _require_role(actor.caller, member.role)
            for key in every_key(minutes.records, KeyQuery(minutes.now, team_id=team_id, user_id=member.user_id)):
                minutes.remove(key)
            minutes.remove(member)
            return MembersAdded(team, minutes.records.members(team_id), ())

        return self._registry.change(actor, work)

    def change_role(self, actor: Actor, team_id: str, who: NewMember, role: MemberRole | None) -> Member:
        """Give a member another role; None leaves it. `who.role` says nothing here."""
        _require_team(actor.caller, team_id, "/team/member_update")

        def work(minutes: Minutes) -> Member:
            team = existing_team(minutes.records, team_id)
            before = _member(minutes, team, who.user_id, who.user_email)
            after = replace(before, role=role or before.role)
            _require_role(actor.caller, before.role)
            _require_role(actor.caller, after.role)
            if after != before:
                minutes.put(before, after)
            return after

        return self._registry.change(actor, work)


def placed(minutes: Minutes, team: Team, member: NewMember) -> User | None:
    """Put a user into a team, within a change under way; None where it is in there. Raises what MemberDesk does."""
    caller = minutes.actor.caller
    _require_role(caller, member.role)
    user = _user(minutes, member)
    if user is None:
        if not is_administrator(caller):
            raise AccessDenied(
                f"There is no user {_named((member,))}: the administrator makes users known, by /user/new."
            )
        user = User(id=member.user_id or minutes.new_id(), stamps=minutes.stamps(), email=member.user_email)
        minutes.put(None, user)
    if any(one.user_id == user.id for one in minutes.records.members(team.id)):
        return None
    email = user.email if user.email is not None else member.user_email
    minutes.put(None, Member(team.id, user.id, member.role, email))
    return user


def _user(minutes: Minutes, member: NewMember) -> User | None:
    if member.user_id is not None:
        return minutes.records.user(member.user_id)
    if member.user_email is not None:
        return user_by_email(minutes.records, member.user_email)
    raise InvalidField("Either user_id or user_email must be provided", "member")


def _member(minutes: Minutes, team: Team, user_id: str | None, user_email: str | None) -> Member:
    """Raises InvalidField, in the peer's words."""
    members = minutes.records.members(team.id)
    if user_id is None and user_email is not None:
        user = user_by_email(minutes.records, user_email)
        user_id = user.id if user else None
    for member in members:
        if member.user_id == user_id or (user_id is None and same_email(member.user_email, user_email)):
            return member
    raise InvalidField(f"User not found in team. Team={team.id}, user={user_id or user_email}", "user_id")


def _require_team(caller: Caller, team_id: str, route: str) -> None:
    """Raises NotAdministrator, or AccessDenied for an admin of another team."""
    if manages_team(caller, team_id):
        return
    if caller.admin_of and not caller.reads_only:
        raise AccessDenied(f"Call not allowed. User not proxy admin OR team admin. route={route}, team_id={team_id}")
    raise not_administrator(caller, route)


def _require_role(caller: Caller, role: MemberRole) -> None:
    """Raises AccessDenied: who is an admin of a team is the administrator's affair."""
    if role != "user" and not is_administrator(caller):
        raise AccessDenied("A team's admins are made and unmade by the administrator: this key may name role user.")


def _named(members: Sequence[NewMember]) -> str:
    return ", ".join(f"user_id={member.user_id}, user_email={member.user_email}" for member in members)
