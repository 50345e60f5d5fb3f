"""What is asked of /user routes."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from app.core.accounts import MemberRole, UserRole
from app.core.errors import InvalidField
from app.core.key_orders import KeyOrder
from app.core.registry_messages import AccountQuery
from app.gateway.user_desk import NewUser
from app.web.admin_api.account_forms import LIMITS, LISTS, Form, LimitFields, ListFields, SpendField
from app.web.admin_api.fields import Metadata, Name, Text, Unset
from app.web.admin_api.wire_model import WireModel

_FIELDS = LIMITS | LISTS | {"spend", "user_email", "user_alias", "user_role", "metadata"}
_ROLES: frozenset[UserRole] = frozenset(("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"))
_MOST_AT_ONCE = 500


class Placement(Form):
    """A team that a new user is put into."""

    team_id: Name
    user_role: Literal["admin", "user"] = "user"


class _UserFields(LimitFields, ListFields, SpendField):
    meanings: ClassVar[Mapping[str, str]] = {"user_email": "email", "user_alias": "alias", "user_role": "role"}
    unenforced: ClassVar[Mapping[str, str]] = {
        "blocked": "block the user's keys",
        "budget_id": "set max_budget and the other limits on the user",
    }
    user_email: Text | None = None
    user_alias: Text | None = None
    user_role: Text | None = None
    metadata: Metadata | None = None

    def changes(self) -> dict[str, Any]:
        """For UserDesk. Raises InvalidField."""
        if self.user_role and self.user_role not in _ROLES:
            raise InvalidField(
                f"user_role: {self.user_role[:100]!r} is none of {', '.join(sorted(_ROLES))}.", "user_role"
            )
        return self.given(_FIELDS)


class UserToMake(_UserFields):
    """A user to be made, with a first key unless `auto_create_key` is false: `duration` and `key_alias` are its."""

    user_id: Text | None = None
    teams: Annotated[list[Name | Placement], Field(fail_fast=True, max_length=_MOST_AT_ONCE)] | None = None
    team_id: Text | None = None
    auto_create_key: bool = True
    key_alias: Text | None = None
    duration: Text | None = None

    def new_user(self) -> NewUser:
        """Raises InvalidField."""
        teams: dict[str, MemberRole] = {self.team_id: "user"} if self.team_id else {}
        for team in self.teams or ():
            if isinstance(team, Placement):
                team.refuse_unenforced()
                teams[team.team_id] = team.user_role
            else:
                teams.setdefault(team, "user")
        key = KeyOrder(alias=self.key_alias or None, duration=self.duration or None, team_id=self.team_id or None)
        return NewUser(self.user_id or None, self.changes(), teams, key if self.auto_create_key else None)


class UserUpdate(_UserFields):
    """A user to be changed, named by id or else by email: what is not named stays. A null max_budget clears it."""

    nulls_clear: ClassVar[frozenset[str]] = frozenset(("max_budget",))
    user_id: Text | None = None
    unset: Unset | None = None

    @model_validator(mode="after")
    def _is_named(self) -> "UserUpdate":
        if not self.user_id and not self.user_email:
            raise ValueError("Either user id or user email must be provided")
        return self


class UserAsked(WireModel):
    """One user; without an id, the caller's own."""

    user_id: Text | None = None


class UsersNamed(WireModel):
    """Some users."""

    user_ids: Annotated[list[Name], Field(fail_fast=True, min_length=1, max_length=_MOST_AT_ONCE)]


class UsersAsked(WireModel):
    """Which users, and which page of them. `user_ids` are parted by commas; `user_email` is a part of the address."""

    role: Text | None = None
    user_ids: Annotated[str, Field(max_length=100_000)] | None = None
    user_email: Text | None = None
    team: Text | None = None
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 25

    def query(self) -> AccountQuery:
        ids = frozenset(one.strip() for one in self.user_ids.split(",")) if self.user_ids else None
        return AccountQuery(
            ids=ids,
            search=self.user_email,
            team_id=self.team,
            role=self.role,
            page=self.page,
            size=self.page_size,
        )
