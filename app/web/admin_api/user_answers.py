"""What /user routes answer."""

from typing import Any

from pydantic import Field

from app.gateway.key_changes import IssuedKey
from app.gateway.standings import Standing
from app.gateway.team_desk import TeamView
from app.gateway.user_desk import UserView
from app.web.admin_api.account_forms import Dollars, LimitAnswer, ListAnswer, flat, gently
from app.web.admin_api.fields import Moment
from app.web.admin_api.key_answers import KeyRow, MadeKey
from app.web.admin_api.remaining import Remaining
from app.web.admin_api.team_answers import TeamAnswer, team_answer
from app.web.admin_api.wire_model import WireModel


class UserAnswer(LimitAnswer, ListAnswer):
    """A user, with the fields that the peer's have; those without meaning here are null or empty."""

    user_id: str
    user_email: str | None
    user_alias: str | None
    user_role: str
    teams: list[str]
    sso_user_id: None = None
    organization_memberships: tuple[str, ...] = ()
    metadata: dict[str, Any]
    model_spend: dict[str, Any] = Field(default_factory=dict)
    spend: Dollars
    total_spend: Dollars
    created_at: Moment
    created_by: str
    updated_at: Moment
    updated_by: str


class UserCounted(UserAnswer):
    """A user, and how many keys it has."""

    key_count: int


class UserPage(WireModel):
    """A page of users."""

    users: list[UserCounted]
    total: int
    page: int
    page_size: int
    total_pages: int


class UserNow(UserAnswer):
    """A user, and what it has left."""

    remaining: Remaining


class UserInfo(WireModel):
    """One user with its keys and teams."""

    user_id: str
    user_info: UserNow
    keys: list[KeyRow]
    teams: list[TeamAnswer]


class UserMade(MadeKey):
    """A user with its first key, whose text is shown once; limits, lists and metadata are the user's."""

    user_email: str | None
    user_alias: str | None
    user_role: str
    teams: list[str]


class UserMadeAlone(UserAnswer):
    """A user without a key."""

    key: str = ""


class UserUpdated(WireModel):
    """The user as it is now."""

    user_id: str
    data: UserAnswer


def user_answer(view: UserView) -> UserAnswer:
    return UserAnswer.model_validate(_fields(view))


def user_counted(view: UserView) -> UserCounted:
    return UserCounted.model_validate(_fields(view) | {"key_count": view.key_count})


def user_made(view: UserView, issued: IssuedKey | None) -> UserMade | UserMadeAlone:
    if issued is None:
        return UserMadeAlone.model_validate(_fields(view))
    told = _fields(view)
    return UserMade.model_validate(MadeKey.of(issued, {}).model_dump() | {n: told[n] for n in told.keys() - _OF_KEY})


def user_info(view: UserView, standing: Standing) -> UserInfo:
    return UserInfo(
        user_id=view.user.id,
        user_info=UserNow.model_validate(_fields(view) | {"remaining": Remaining.of(standing)}),
        keys=[KeyRow.of(key) for key in gently(view.keys)],
        teams=[team_answer(TeamView(team, ())) for team in view.teams],
    )


def _fields(view: UserView) -> dict[str, Any]:
    user = view.user
    told = {"user_id": user.id, "user_email": user.email, "user_alias": user.alias, "user_role": user.role}
    return flat(user) | told | {"teams": list(view.team_ids)}


# what a user has too, and an answer with a key tells of the key
_OF_KEY = frozenset(("id", "alias", "email", "role", "created_at", "created_by", "updated_at", "updated_by"))
