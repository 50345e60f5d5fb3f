"""Members: the administrator decides; a team's admin adds and removes users of its own team, and makes no admins."""

from collections.abc import Callable

import pytest

from app.core.accounts import Member, VirtualKey
from app.core.callers import Actor
from app.core.errors import AccessDenied, InvalidField, NotAdministrator, NotFound
from app.gateway.member_desk import NewMember
from tests.fake_registry import STAMPS
from tests.gateway.account_setting import Accounts
from tests.gateway.key_desk_setting import ADMINISTRATOR, a_holder, a_team, a_user, an_admin_of

RED_ADMIN = an_admin_of("red")
CHARLIE = a_holder(VirtualKey("k", "t", "sk-...abcd", STAMPS, team_id="red", user_id="charlie"))
READER = an_admin_of("red", key_type="read_only")


@pytest.fixture
def accounts() -> Accounts:
    """Two teams; ann is red's admin, bob its user, cleo in none."""
    return Accounts(
        (
            a_team("red"),
            a_team("blue"),
            a_user("ann"),
            a_user("bob", email="bob@example.com"),
            a_user("cleo", email="Cleo@Example.com"),
            Member("red", "ann", "admin"),
            Member("red", "bob", "user", "bob@example.com"),
        )
    )


@pytest.mark.parametrize("actor", [ADMINISTRATOR, RED_ADMIN], ids=["administrator", "team admin"])
def test_a_known_user_is_added_by_id_or_by_email_in_any_letters(accounts: Accounts, actor: Actor) -> None:
    added = accounts.members.add(actor, "red", [NewMember(user_email="cleo@EXAMPLE.com")])

    assert [user.id for user in added.users] == ["cleo"]
    assert accounts.members_of() == {"ann": "admin", "bob": "user", "cleo": "user"}
    assert accounts.notes == [("created", "member", "red/cleo")]


def test_the_administrators_new_members_become_users(accounts: Accounts) -> None:
    accounts.members.add(ADMINISTRATOR, "red", [NewMember("dan"), NewMember(user_email="eve@example.com")])

    assert accounts.stored_user("dan").role == "internal_user"
    eve = next(user for user in accounts.members_of() if user not in {"ann", "bob", "dan"})
    assert accounts.stored_user(eve).email == "eve@example.com"
    assert ("created", "user", "dan") in accounts.notes


def test_a_team_admin_makes_no_users(accounts: Accounts) -> None:
    for member in (NewMember("dan"), NewMember(user_email="eve@example.com")):
        with pytest.raises(AccessDenied, match="There is no user"):
            accounts.members.add(RED_ADMIN, "red", [member])

    assert accounts.notes == []


def test_a_team_admin_makes_no_admins(accounts: Accounts) -> None:
    for attempt in (
        lambda: accounts.members.add(RED_ADMIN, "red", [NewMember("cleo", role="admin")]),
        lambda: accounts.members.change_role(RED_ADMIN, "red", NewMember("bob"), "admin"),
        lambda: accounts.members.change_role(RED_ADMIN, "red", NewMember("ann"), "user"),
        lambda: accounts.members.remove(RED_ADMIN, "red", "ann", None),
    ):
        with pytest.raises(AccessDenied, match="made and unmade by the administrator"):
            attempt()

    assert accounts.members_of() == {"ann": "admin", "bob": "user"}


ATTEMPTS: list[Callable[[Accounts, Actor], object]] = [
    lambda accounts, actor: accounts.members.add(actor, "red", [NewMember("cleo")]),
    lambda accounts, actor: accounts.members.remove(actor, "red", "bob", None),
    lambda accounts, actor: accounts.members.change_role(actor, "red", NewMember("bob"), "user"),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=["add", "remove", "change"])
def test_other_teams_admins_readers_and_charlie_change_no_members(
    accounts: Accounts, attempt: Callable[[Accounts, Actor], object]
) -> None:
    with pytest.raises(AccessDenied):
        attempt(accounts, an_admin_of("blue"))
    for actor in (CHARLIE, READER):
        with pytest.raises(NotAdministrator):
            attempt(accounts, actor)

    assert accounts.members_of() == {"ann": "admin", "bob": "user"}


def test_of_several_those_who_are_members_are_passed_over(accounts: Accounts) -> None:
    added = accounts.members.add(ADMINISTRATOR, "red", [NewMember("bob", role="admin"), NewMember("cleo")])

    assert [user.id for user in added.users] == ["cleo"]
    assert accounts.members_of()["bob"] == "user"


def test_who_is_a_member_cannot_be_added_again(accounts: Accounts) -> None:
    with pytest.raises(InvalidField, match="User already in team"):
        accounts.members.add(ADMINISTRATOR, "red", [NewMember("bob")])


def test_a_member_who_goes_loses_its_keys_in_the_team_alone(accounts: Accounts) -> None:
    for name, team, user in (("one", "red", "bob"), ("two", "blue", "bob"), ("three", "red", "ann")):
        accounts.registry.contents.put(VirtualKey(name, name, "sk-...abcd", STAMPS, team_id=team, user_id=user))

    left = accounts.members.remove(RED_ADMIN, "red", None, "BOB@example.com")

    assert [member.user_id for member in left.members] == ["ann"]
    assert [name for name in ("one", "two", "three") if accounts.registry.contents.key(name)] == ["two", "three"]
    assert accounts.notes == [("deleted", "key", "one"), ("deleted", "member", "red/bob")]


def test_who_is_no_member_cannot_be_removed_or_changed(accounts: Accounts) -> None:
    with pytest.raises(InvalidField, match="User not found in team"):
        accounts.members.remove(ADMINISTRATOR, "red", "cleo", None)
    with pytest.raises(InvalidField, match="User not found in team"):
        accounts.members.change_role(ADMINISTRATOR, "red", NewMember(user_email="no@example.com"), "admin")


def test_the_administrator_makes_and_unmakes_admins(accounts: Accounts) -> None:
    changed = accounts.members.change_role(ADMINISTRATOR, "red", NewMember("bob"), "admin")
    same = accounts.members.change_role(ADMINISTRATOR, "red", NewMember("bob"), None)

    assert (changed.role, same.role) == ("admin", "admin")
    assert accounts.notes == [("updated", "member", "red/bob")]


def test_members_of_no_team_cannot_be(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        accounts.members.add(ADMINISTRATOR, "nope", [NewMember("bob")])


def test_an_address_of_two_users_names_neither(accounts: Accounts) -> None:
    accounts.registry.contents.put(a_user("other bob", email="bob@example.com"))

    with pytest.raises(InvalidField, match="name one by user_id"):
        accounts.members.add(ADMINISTRATOR, "blue", [NewMember(user_email="bob@example.com")])
