"""What the key desk lets a team's admin, a viewer and the holder of a key do. mallory is of another team."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Budget, UserRole
from app.core.callers import Actor
from app.core.errors import AccessDenied, GatewayError, NotAdministrator, NotFound
from app.core.key_orders import KeyOrder
from app.core.registry_messages import KeyQuery
from app.gateway.key_desk import KeyDesk
from tests.fake_registry import STAMPS
from tests.gateway.key_desk_setting import (
    ADMINISTRATOR,
    Setting,
    a_holder,
    a_member,
    a_team,
    a_user,
    an_admin_of,
)

RED_ADMIN = an_admin_of("red", team_id="red")
CHANGES: list[Callable[[KeyDesk, Actor, str], Any]] = [
    lambda desk, actor, key: desk.change(actor, key, KeyOrder(rpm_limit=1)),
    lambda desk, actor, key: desk.block(actor, key, blocked=True),
    lambda desk, actor, key: desk.block(actor, key, blocked=False),
    lambda desk, actor, key: desk.rotate(actor, key, KeyOrder()),
    lambda desk, actor, key: desk.delete(actor, [key]),
    lambda desk, actor, key: desk.delete(actor, [], ["alias"]),
    lambda desk, actor, key: desk.change_named(actor, "alias", KeyOrder(rpm_limit=1)),
]


def _setting() -> Setting:
    return Setting(
        (
            a_team("red"),
            a_team("blue"),
            a_user("rita"),
            a_user("boss"),
            a_user("root", role="proxy_admin"),
            a_user("eye", role="proxy_admin_viewer"),
            a_user("bluechief"),
            a_member("red", "rita"),
            a_member("red", "boss", role="admin"),
            a_member("red", "root"),
            a_member("red", "eye"),
            a_member("red", "bluechief"),
            a_member("blue", "bluechief", role="admin"),
            a_member("blue", "mallory"),
            Budget("b1", STAMPS),
        )
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_team_s_admin_does_with_its_team_s_keys_as_it_likes(change: Callable[..., Any]) -> None:
    setting = _setting()
    key = setting.issue(team_id="red", alias="alias").key

    change(setting.desk, RED_ADMIN, key.token)

    assert len(setting.registry.notes) == 2


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("team", ["blue", None])
def test_a_team_s_admin_leaves_other_keys_alone(change: Callable[..., Any], team: str | None) -> None:
    setting = _setting()
    key = setting.issue(team_id=team, alias="alias").key

    with pytest.raises(AccessDenied, match="not one of your team's"):
        change(setting.desk, RED_ADMIN, key.token)

    assert setting.stored(key) == key


@pytest.mark.parametrize("change", CHANGES)
def test_who_holds_a_key_does_not_change_it(change: Callable[..., Any]) -> None:
    setting = _setting()
    key = setting.issue(team_id="red", alias="alias", user_id="rita").key

    for actor in (a_holder(key), a_holder(key, a_user("eye", role="proxy_admin_viewer"))):
        with pytest.raises(NotAdministrator, match="Only proxy admin"):
            change(setting.desk, actor, key.token)

    assert setting.stored(key) == key


def test_who_may_change_no_key_does_not_learn_which_there_are() -> None:
    setting = _setting()
    key = setting.issue().key

    with pytest.raises(NotAdministrator):
        setting.desk.change(a_holder(key), "unknown", KeyOrder())


@pytest.mark.parametrize(
    "order",
    [
        {"team_id": "red"},
        {"team_id": "red", "spend": Decimal(0)},
        {"team_id": "red", "end_user_required": True},
    ],
)
def test_a_team_s_admin_issues_into_its_team(order: dict[str, Any]) -> None:
    assert _setting().desk.issue(RED_ADMIN, KeyOrder(**order)).key.team_id == "red"


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"team_id": "blue"},
        {"team_id": "nobody"},
        {"team_id": "red", "spend": Decimal(1)},
        {"team_id": "red", "budget_id": "b1"},
        {"team_id": "red", "unmetered_calls": "allow"},
        {"team_id": "red", "user_id": "mallory"},
        {"team_id": "red", "user_id": "unheard-of"},
    ],
)
def test_a_team_s_admin_issues_nothing_else(order: dict[str, Any]) -> None:
    setting = _setting()

    with pytest.raises(AccessDenied):
        setting.desk.issue(RED_ADMIN, KeyOrder(**order))

    assert setting.registry.notes == []


@pytest.mark.parametrize(
    "order",
    [
        {"team_id": "blue"},
        {"unset": frozenset({"team_id"})},
        {"spend": Decimal(0)},
        {"budget_id": "b1"},
        {"unmetered_calls": "allow"},
        {"unset": frozenset({"budget_id"})},
        {"user_id": "mallory"},
        {"user_id": "root"},
    ],
)
def test_a_team_s_admin_moves_no_key_out_and_takes_nothing_that_is_the_administrator_s(order: dict[str, Any]) -> None:
    setting = _setting()
    key = setting.issue(team_id="red", spend=Decimal(5)).key

    for attempt in (setting.desk.change, setting.desk.rotate):
        with pytest.raises(AccessDenied):
            attempt(RED_ADMIN, key.id, KeyOrder(**order))

    assert setting.stored(key) == key


@pytest.mark.parametrize("user", ["root", "eye", "bluechief"])
def test_nobody_gains_by_being_handed_the_key_of_who_may_more(user: str) -> None:
    setting = _setting()
    theirs = setting.issue(team_id="red", user_id=user).key

    with pytest.raises(AccessDenied, match="may do more than you"):
        setting.desk.issue(RED_ADMIN, KeyOrder(team_id="red", user_id=user))
    with pytest.raises(AccessDenied, match="may do more than you"):
        setting.desk.rotate(RED_ADMIN, theirs.id, KeyOrder())
    with pytest.raises(AccessDenied, match="may do more than you"):
        setting.desk.rotate(RED_ADMIN, theirs.id, KeyOrder(unset=frozenset({"user_id"})))


@pytest.mark.parametrize("user", ["rita", "boss"])
def test_a_team_s_admin_issues_and_rotates_keys_of_its_members(user: str) -> None:
    setting = _setting()

    issued = setting.desk.issue(RED_ADMIN, KeyOrder(team_id="red", user_id=user))

    assert setting.desk.rotate(RED_ADMIN, issued.key.id, KeyOrder()).key.user_id == user


def test_a_team_s_admin_with_a_key_for_reading_changes_nothing() -> None:
    setting = _setting()
    key = setting.issue(team_id="red").key

    with pytest.raises(NotAdministrator):
        setting.desk.block(an_admin_of("red", key_type="read_only"), key.id, blocked=True)


def test_spend_is_reset_by_the_administrator_alone() -> None:
    setting = _setting()
    key = setting.issue(team_id="red", spend=Decimal(5)).key

    with pytest.raises(NotAdministrator):
        setting.desk.reset_spend(RED_ADMIN, key.id, Decimal(0))


@pytest.mark.parametrize("other", [{}, {"user_id": "rita"}, {"team_id": "red"}, {"team_id": "red", "user_id": "rita"}])
def test_the_holder_of_a_key_sees_that_key_alone(other: dict[str, Any]) -> None:
    """Also where neither key has a user, or both have the same one."""
    setting = _setting()
    mine, theirs = setting.issue(**other).key, setting.issue(**other).key
    me = a_holder(mine)

    assert setting.desk.get(me, None)[0] == mine
    assert setting.desk.get(me, mine.token)[0] == mine
    assert setting.desk.page(me, KeyQuery(now=setting.now)).items == (mine,)
    for attempt in (setting.desk.get, lambda actor, key: setting.desk.get_many(actor, [key])):
        with pytest.raises(AccessDenied):
            attempt(me, theirs.token)


def test_the_holder_of_a_key_is_told_of_no_other_whether_it_is_there() -> None:
    setting = _setting()
    mine, theirs = setting.issue().key, setting.issue().key

    assert setting.desk.get_many(a_holder(mine), [mine.id, mine.token]) == [(mine.id, mine), (mine.token, mine)]
    for reference in (theirs.token, "unknown"):
        with pytest.raises(AccessDenied, match="Not all of these keys are yours to see"):
            setting.desk.get_many(a_holder(mine), [mine.id, reference])


def test_a_team_s_admin_sees_its_team_s_keys_and_its_own() -> None:
    setting = _setting()
    red, blue, none = (setting.issue(team_id=team).key for team in ("red", "blue", None))

    assert setting.desk.page(RED_ADMIN, KeyQuery(now=setting.now)).items == (red,)
    assert setting.desk.get(RED_ADMIN, red.token)[0] == red
    for other in (blue, none):
        with pytest.raises(AccessDenied):
            setting.desk.get(RED_ADMIN, other.token)


@pytest.mark.parametrize("role", ["proxy_admin", "proxy_admin_viewer"])
def test_a_viewer_sees_every_key(role: UserRole) -> None:
    setting = _setting()
    key = setting.issue().key
    mine = setting.issue(team_id="red").key

    assert setting.desk.get(a_holder(mine, a_user("eye", role=role)), key.id)[0] == key


def test_the_master_key_is_no_key_of_the_database() -> None:
    with pytest.raises(NotFound, match="Key not found in database: name one in key"):
        _setting().desk.get(ADMINISTRATOR, None)


def test_a_refusal_changes_no_version() -> None:
    setting = _setting()
    before = setting.registry.version

    with pytest.raises(GatewayError):
        setting.desk.issue(RED_ADMIN, KeyOrder(team_id="blue"))

    assert setting.registry.version == before
    assert setting.refreshed == 0
