"""Users: made with their teams and first key in one change, seen and changed by the administrator alone."""

from decimal import Decimal

import pytest

from app.core.accounts import Member, VirtualKey
from app.core.callers import Actor
from app.core.errors import AccessDenied, AlreadyThere, InvalidField, NotAdministrator, NotFound
from app.core.key_orders import KeyOrder
from app.core.registry_messages import AccountQuery
from app.core.virtual_keys import token_of
from app.gateway.user_desk import NewUser
from tests.fake_registry import STAMPS
from tests.gateway.account_setting import Accounts
from tests.gateway.key_desk_setting import ADMINISTRATOR, a_holder, a_team, a_user, an_admin_of


def a_key(name: str, user: str = "ann") -> VirtualKey:
    return VirtualKey(name, f"token-{name}", "sk-...abcd", STAMPS, alias=name, user_id=user)


CHARLIE = a_holder(a_key("charlie", user="charlie"))
VIEWER = a_holder(a_key("viewer", user="val"), a_user("val", role="proxy_admin_viewer"))


def test_a_new_user_comes_with_teams_and_a_key_of_its_own() -> None:
    accounts = Accounts((a_team("red"), a_team("blue")))
    new = NewUser("ann", {"email": "ann@example.com", "max_budget": Decimal(5)}, {"red": "admin", "blue": "user"})
    order = KeyOrder(alias="first", duration="1h")

    view, issued = accounts.users.create(ADMINISTRATOR, NewUser(new.id, new.given, new.teams, order))

    assert issued
    assert accounts.stored_user().limits.max_budget == Decimal(5)
    assert {member.team_id: member.role for member in accounts.memberships("ann")} == {"red": "admin", "blue": "user"}
    key = accounts.registry.contents.key(token_of(issued.text))
    assert key
    assert (key.user_id, key.alias, key.team_id) == ("ann", "first", None)
    assert (set(view.team_ids), view.key_count) == ({"red", "blue"}, 1)


def test_a_user_whose_key_or_team_cannot_be_is_not_made_at_all() -> None:
    accounts = Accounts((a_key("taken", user="other"),))

    with pytest.raises(InvalidField, match="already exists"):
        accounts.users.create(ADMINISTRATOR, NewUser("ann", {}, {}, KeyOrder(alias="taken")))
    with pytest.raises(NotFound, match="Team not found"):
        accounts.users.create(ADMINISTRATOR, NewUser("ann", {}, {"nope": "user"}))

    assert accounts.registry.contents.user("ann") is None
    assert accounts.notes == []


def test_an_id_or_address_that_is_taken_is_refused() -> None:
    accounts = Accounts((a_user("ann", email="ann@example.com"),))

    with pytest.raises(AlreadyThere, match="User with id ann already exists"):
        accounts.user("ann")
    with pytest.raises(AlreadyThere, match=r"User with email ANN@example\.com already exists"):
        accounts.user("other", email="ANN@example.com")


def test_users_are_seen_by_the_administrator_and_viewers_alone() -> None:
    accounts = Accounts((a_user("ann"), a_user("charlie"), a_team("red"), Member("red", "ann"), a_key("one")))

    for actor in (ADMINISTRATOR, VIEWER):
        view = accounts.users.info(actor, "ann")
        assert ([key.alias for key in view.keys], [team.id for team in view.teams]) == (["one"], ["red"])
    for actor in (CHARLIE, an_admin_of("red")):
        for wanted in ("ann", "charlie", "nope", None):
            with pytest.raises(AccessDenied):
                accounts.users.info(actor, wanted)


def test_without_an_id_one_sees_oneself_and_the_master_key_is_nobody() -> None:
    accounts = Accounts((a_user("val"),))

    assert accounts.users.info(VIEWER, None).user.id == "val"
    with pytest.raises(InvalidField, match="user_id is required"):
        accounts.users.info(ADMINISTRATOR, None)


def test_a_user_is_changed_by_id_or_by_email() -> None:
    accounts = Accounts((a_user("ann", email="ann@example.com"),))

    accounts.users.update(ADMINISTRATOR, "ann", None, {"models": ["a.*"]})
    accounts.users.update(ADMINISTRATOR, None, "Ann@example.com", {"role": "proxy_admin_viewer"})

    user = accounts.stored_user()
    assert (user.rights.models, user.role, user.email) == (("a.*",), "proxy_admin_viewer", "ann@example.com")


def test_a_changed_address_must_be_nobody_elses() -> None:
    accounts = Accounts((a_user("ann", email="ann@example.com"), a_user("bob")))

    with pytest.raises(AlreadyThere):
        accounts.users.update(ADMINISTRATOR, "bob", None, {"email": "ann@example.com"})
    accounts.users.update(ADMINISTRATOR, "ann", None, {"email": "Ann@example.com"})

    assert accounts.stored_user("bob").email is None


def test_a_changed_address_is_the_members_too() -> None:
    accounts = Accounts((a_user("ann", email="old@example.com"), Member("red", "ann", "admin", "old@example.com")))

    accounts.users.update(ADMINISTRATOR, "ann", None, {"email": "new@example.com"})

    assert accounts.memberships("ann") == (Member("red", "ann", "admin", "new@example.com"),)


def test_a_deleted_users_keys_and_memberships_end() -> None:
    accounts = Accounts(
        (a_user("ann"), a_user("bob"), a_team("red"), a_key("one"), a_key("two", user="bob"), Member("red", "ann"))
    )

    assert accounts.users.delete(ADMINISTRATOR, ["ann", "ann"]) == 1

    contents = accounts.registry.contents
    assert (contents.user("ann"), contents.key("one"), accounts.memberships("ann")) == (None, None, ())
    assert contents.key("two")


def test_of_users_to_delete_one_that_is_missing_keeps_all() -> None:
    accounts = Accounts((a_user("ann"), a_key("one")))

    with pytest.raises(NotFound, match="User not found, passed user_id=nope"):
        accounts.users.delete(ADMINISTRATOR, ["ann", "nope"])

    assert accounts.registry.contents.user("ann")
    assert accounts.registry.contents.key("one")


@pytest.mark.parametrize("actor", [CHARLIE, VIEWER, an_admin_of("red")], ids=["holder", "viewer", "team admin"])
def test_only_the_administrator_writes_users(actor: Actor) -> None:
    accounts = Accounts((a_user("ann"),))

    for attempt in (
        lambda: accounts.users.create(actor, NewUser("new", {})),
        lambda: accounts.users.update(actor, "ann", None, {"role": "proxy_admin"}),
        lambda: accounts.users.delete(actor, ["ann"]),
    ):
        with pytest.raises(NotAdministrator):
            attempt()

    assert accounts.stored_user().role == "internal_user"


def test_a_page_of_users_counts_their_keys() -> None:
    accounts = Accounts((a_user("ann"), a_user("bob", role="proxy_admin"), a_key("one"), a_key("two")))

    page = accounts.users.page(VIEWER, AccountQuery(size=10))
    admins = accounts.users.page(ADMINISTRATOR, AccountQuery(role="proxy_admin"))

    assert {view.user.id: view.key_count for view in page.items} == {"ann": 2, "bob": 0}
    assert [view.user.id for view in admins.items] == ["bob"]
    with pytest.raises(NotAdministrator):
        accounts.users.page(CHARLIE, AccountQuery())
