"""A key whose text came to somebody who is neither an administrator nor its user is marked as delegated.

boss and chief are admins of the team red, bob and rita its members.
"""

import pytest

from app.core.accounts import KeyGrant, VirtualKey
from app.core.callers import Actor, caller_of
from app.core.errors import NotAdministrator
from app.core.key_orders import KeyOrder
from tests.fake_registry import STAMPS
from tests.gateway.key_desk_setting import ADMINISTRATOR, Setting, a_holder, a_member, a_team, a_user, an_admin_of

BOSS = an_admin_of("red", team_id="red")
ROOT = a_holder(
    VirtualKey("key-of-root", "token-of-root", "sk-...root", STAMPS, user_id="root"), a_user("root", role="proxy_admin")
)
CHIEF = Actor(
    caller_of(
        KeyGrant(
            VirtualKey("key-of-chief", "token-of-chief", "sk-...hief", STAMPS, user_id="chief"),
            admin_of=frozenset({"red"}),
        )
    )
)


def _setting() -> Setting:
    return Setting(
        (
            a_team("red"),
            *(a_user(name) for name in ("boss", "chief", "bob", "rita")),
            *(a_member("red", name, role="admin") for name in ("boss", "chief")),
            *(a_member("red", name) for name in ("bob", "rita")),
        )
    )


def _key(setting: Setting, actor: Actor, user: str | None) -> VirtualKey:
    return setting.desk.issue(actor, KeyOrder(team_id="red", user_id=user)).key


@pytest.mark.parametrize(
    ("actor", "user", "delegated"),
    [
        (BOSS, "bob", True),
        (BOSS, "chief", True),
        (BOSS, None, True),  # until it is rotated, also once the administrator gives it a user
        (BOSS, "boss", False),
        (ADMINISTRATOR, "bob", False),
        (ADMINISTRATOR, None, False),
        (ROOT, "bob", False),
    ],
)
def test_a_key_is_delegated_by_who_is_handed_its_first_text(actor: Actor, user: str | None, delegated: bool) -> None:
    setting = _setting()

    key = _key(setting, actor, user)

    assert key.delegated is delegated
    assert setting.stored(key) == key


@pytest.mark.parametrize(
    ("issuer", "user", "rotator", "delegated"),
    [
        (ADMINISTRATOR, "bob", BOSS, True),
        (BOSS, "bob", BOSS, True),
        (BOSS, "bob", ADMINISTRATOR, False),
        (BOSS, "bob", ROOT, False),
        (BOSS, "chief", CHIEF, False),
        (CHIEF, "chief", BOSS, True),
    ],
)
def test_a_rotation_without_grace_decides_anew(issuer: Actor, user: str, rotator: Actor, delegated: bool) -> None:
    setting = _setting()
    key = _key(setting, issuer, user)

    rotated = setting.desk.rotate(rotator, key.id, KeyOrder()).key

    assert rotated.delegated is delegated
    assert setting.stored(key) == rotated


def test_a_key_stays_delegated_while_a_delegated_text_may_have_its_grace() -> None:
    setting = _setting()
    key = _key(setting, BOSS, "bob")

    assert setting.desk.rotate(ADMINISTRATOR, key.id, KeyOrder(), "1h").key.delegated
    assert not setting.desk.rotate(ADMINISTRATOR, key.id, KeyOrder()).key.delegated


@pytest.mark.parametrize(("grace", "delegated"), [("1h", True), (None, False)])
def test_who_takes_over_a_key_shares_it_with_its_former_user_for_the_grace(grace: str | None, delegated: bool) -> None:
    setting = _setting()
    key = setting.issue(team_id="red", user_id="bob").key

    assert setting.desk.rotate(BOSS, key.id, KeyOrder(user_id="boss"), grace).key.delegated is delegated


@pytest.mark.parametrize(
    "order", [KeyOrder(user_id="rita"), KeyOrder(user_id="boss"), KeyOrder(unset=frozenset({"user_id"}))]
)
def test_a_key_that_a_team_s_admin_gives_another_user_is_delegated(order: KeyOrder) -> None:
    setting = _setting()
    key = setting.issue(team_id="red", user_id="bob").key

    assert setting.desk.change(BOSS, key.id, order).delegated


def test_a_change_of_anything_else_leaves_it_as_it_is() -> None:
    setting = _setting()
    own, delegated = setting.issue(team_id="red", user_id="bob").key, _key(setting, BOSS, "bob")

    for actor in (BOSS, ADMINISTRATOR):
        assert not setting.desk.change(actor, own.id, KeyOrder(rpm_limit=1, user_id="bob")).delegated
        assert setting.desk.change(actor, delegated.id, KeyOrder(rpm_limit=1)).delegated


def test_another_user_by_the_administrator_s_hand_takes_no_text_from_who_has_it() -> None:
    setting = _setting()
    own, delegated = setting.issue(team_id="red").key, _key(setting, BOSS, "bob")

    assert not setting.desk.change(ADMINISTRATOR, own.id, KeyOrder(user_id="rita")).delegated
    assert setting.desk.change(ADMINISTRATOR, delegated.id, KeyOrder(user_id="rita")).delegated


def test_a_delegated_key_cannot_free_itself() -> None:
    setting = _setting()
    key = _key(setting, BOSS, "bob")
    risen = Actor(caller_of(KeyGrant(key, user=a_user("bob", role="proxy_admin"), admin_of=frozenset({"red"}))))

    with pytest.raises(NotAdministrator):
        setting.desk.rotate(risen, key.id, KeyOrder())
    assert setting.stored(key) == key


def test_the_audit_log_tells_that_a_key_was_delegated() -> None:
    setting = _setting()
    key = setting.issue(team_id="red", user_id="bob").key

    setting.desk.rotate(BOSS, key.id, KeyOrder())

    note = setting.registry.notes[-1]
    assert note.before
    assert note.after
    assert (note.before["delegated"], note.after["delegated"]) == (False, True)
