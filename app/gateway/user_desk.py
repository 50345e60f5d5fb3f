"""Users: people who hold keys. The administrator makes and changes them; deleting one ends all that was theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.core.account_changes import AccountChanges
from app.core.accounts import MemberRole, Team, User, VirtualKey
from app.core.admin_rights import is_administrator, require_administrator
from app.core.callers import Actor
from app.core.errors import AccessDenied, AlreadyThere, InvalidField, NotFound
from app.core.key_orders import KeyOrder
from app.core.registry_messages import AccountQuery, KeyQuery, Page
from app.gateway.account_lookups import every_key, existing_team, user_by_email, users_with_email
from app.gateway.audited_changes import AuditedRegistry, Minutes
from app.gateway.key_changes import IssuedKey, KeyChanges
from app.gateway.member_desk import NewMember, placed
from app.gateway.ports import Records
from app.gateway.team_desk import user_teams


@dataclass(frozen=True, slots=True)
class UserView:
    """A user with the ids of its teams, and with how many keys, or with the keys and teams where one was asked for."""

    user: User
    team_ids: tuple[str, ...]
    key_count: int = 0
    keys: tuple[VirtualKey, ...] = ()
    teams: tuple[Team, ...] = ()


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is made known; without an id one is made. `given`: fields as AccountChanges takes them.

    `teams`: in which teams, in what role; `key`: the order of the key that the user gets at once.
    """

    id: str | None
    given: Mapping[str, Any]
    teams: Mapping[str, MemberRole] = field(default_factory=dict)
    key: KeyOrder | None = None


class UserDesk:
    """What can be done with users. Raises NotAdministrator, AccessDenied, InvalidField, NotFound."""

    def __init__(self, registry: AuditedRegistry, changes: AccountChanges, keys: KeyChanges) -> None:
        self._registry = registry
        self._changes = changes
        self._keys = keys

    def create(self, actor: Actor, new: NewUser) -> tuple[UserView, IssuedKey | None]:
        """A new user, in its teams, and its key: all of it or nothing."""
        require_administrator(actor.caller, "/user/new")

        def work(minutes: Minutes) -> tuple[UserView, IssuedKey | None]:
            user = User(id=new.id or minutes.new_id(), stamps=minutes.stamps())
            if minutes.records.user(user.id):
                raise AlreadyThere(f"User with id {user.id} already exists", "user_id")
            user = self._changes.applied(user, new.given, minutes.now)
            user = replace(user, total_spend=user.spend)
            _require_own_email(minutes.records, user)
            minutes.put(None, user)
            for team_id, role in new.teams.items():
                team = existing_team(minutes.records, team_id, "teams")
                placed(minutes, team, NewMember(user.id, role=role))
            issued = self._keys.issue(minutes, replace(new.key, user_id=user.id)) if new.key else None
            return _row(minutes.records, user, minutes.now), issued

        return self._registry.change(actor, work)

    def info(self, actor: Actor, user_id: str | None) -> UserView:
        """A user with its keys and teams; without an id, the caller's own. For the administrator and viewers alone."""
        if not is_administrator(actor.caller, reads=True):
            raise AccessDenied(
                "This key may not see users: it sees itself, by /key/info. The administrator sees users."
            )
        wanted = user_id or actor.caller.user_id
        if wanted is None:
            raise InvalidField("user_id is required: the master key is no user's.", "user_id")

        def work(records: Records) -> UserView:
            user = _existing(records, wanted)
            keys = every_key(records, KeyQuery(self._registry.now(), user_id=user.id))
            teams = user_teams(records, user.id)
            return UserView(user, tuple(team.id for team in teams), len(keys), keys, teams)

        return self._registry.read(work)

    def update(self, actor: Actor, user_id: str | None, email: str | None, given: Mapping[str, Any]) -> UserView:
        """Change what `given` names of the user with this id, or without an id with this email."""
        require_administrator(actor.caller, "/user/update")

        def work(minutes: Minutes) -> UserView:
            before = _named(minutes.records, user_id, email)
            changed = self._changes.applied(before, given, minutes.now)
            after = replace(changed, stamps=minutes.stamps(before.stamps))
            _require_own_email(minutes.records, after)
            minutes.put(before, after)
            if after.email != before.email:
                for member in minutes.records.memberships(after.id):
                    minutes.put(member, replace(member, user_email=after.email))
            return _row(minutes.records, after, minutes.now)

        return self._registry.change(actor, work)

    def delete(self, actor: Actor, user_ids: Sequence[str]) -> int:
        """All of them with their keys and memberships, or none where one is not there. How many there were."""
        require_administrator(actor.caller, "/user/delete")
        wanted = tuple(dict.fromkeys(user_ids))

        def work(minutes: Minutes) -> int:
            users = [_existing(minutes.records, user_id, "user_ids") for user_id in wanted]
            for user in users:
                for key in every_key(minutes.records, KeyQuery(minutes.now, user_id=user.id)):
                    minutes.remove(key)
                for member in minutes.records.memberships(user.id):
                    minutes.remove(member)
                minutes.remove(user)
            return len(users)

        return self._registry.change(actor, work)

    def page(self, actor: Actor, query: AccountQuery) -> Page[UserView]:
        """A page of users, newest first."""
        require_administrator(actor.caller, "/user/list", reads=True)

        def work(records: Records) -> Page[UserView]:
            found = records.users(query)
            now = self._registry.now()
            return Page(tuple(_row(records, user, now) for user in found.items), found.total)

        return self._registry.read(work)


def _row(records: Records, user: User, now: datetime) -> UserView:
    teams = tuple(member.team_id for member in records.memberships(user.id))
    return UserView(user, teams, records.keys(KeyQuery(now, user_id=user.id, size=1)).total)


def _named(records: Records, user_id: str | None, email: str | None) -> User:
    """Raises NotFound."""
    if user_id is not None:
        return _existing(records, user_id)
    user = user_by_email(records, email or "")
    if user is None:
        raise NotFound(f"User not found, passed user_email={email}", "user_email")
    return user


def _existing(records: Records, user_id: str, param: str = "user_id") -> User:
    """Raises NotFound, in the peer's words."""
    user = records.user(user_id)
    if user is None:
        raise NotFound(f"User not found, passed user_id={user_id}", param)
    return user


def _require_own_email(records: Records, user: User) -> None:
    """Members are added by email: one address must mean one user. Raises AlreadyThere, in the peer's words."""
    if user.email and any(other.id != user.id for other in users_with_email(records, user.email)):
        raise AlreadyThere(f"User with email {user.email} already exists", "user_email")
