"""Teams: who may make, change, see and delete them, and what goes with them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Member, Team, VirtualKey
from app.core.callers import Actor
from app.core.errors import AccessDenied, InvalidField, NotAdministrator, NotFound, StoreUnavailable
from app.gateway.member_desk import NewMember
from app.gateway.team_desk import TeamQuery
from tests.fake_registry import NOW, STAMPS
from tests.gateway.account_setting import Accounts
from tests.gateway.key_desk_setting import ADMINISTRATOR, a_holder, a_team, a_user, an_admin_of

LATER = NOW + timedelta(hours=1)


def a_key(name: str, team: str | None = "red", user: str | None = None) -> VirtualKey:
    return VirtualKey(f"id-{name}", f"token-{name}", "sk-...abcd", STAMPS, alias=name, team_id=team, user_id=user)


CHARLIE = a_holder(a_key("charlie", team="red"))


def test_a_team_is_stored_as_it_was_described() -> None:
    accounts = Accounts()

    view = accounts.team("red", alias="Red", models=["anthropic.*"], max_budget=Decimal(10), tags=["a"])

    stored = accounts.stored_team("red")
    assert view.team == stored
    assert (stored.alias, stored.rights.models, stored.limits.max_budget, stored.tags) == (
        "Red",
        ("anthropic.*",),
        Decimal(10),
        ("a",),
    )
    assert stored.stamps.created_at == NOW


def test_a_team_without_an_id_gets_one() -> None:
    accounts = Accounts()

    view = accounts.teams.create(ADMINISTRATOR, None, {})

    assert accounts.stored_team(view.team.id) == view.team


def test_an_id_that_is_taken_is_refused_in_the_peers_words() -> None:
    accounts = Accounts((a_team("red"),))

    with pytest.raises(InvalidField, match=r"Team id = red already exists. Please use a different team id."):
        accounts.team("red")


def test_a_new_teams_members_come_with_it() -> None:
    accounts = Accounts((a_user("ann"),))

    view = accounts.teams.create(
        ADMINISTRATOR, "red", {}, [NewMember("ann", role="admin"), NewMember(None, "new@example.com")]
    )

    assert [member.role for member in view.members] == ["admin", "user"]
    assert accounts.members_of()["ann"] == "admin"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"max_budget": Decimal(-1)}, "max_budget"),
        ({"budget_duration": "a fortnight"}, "budget_duration"),
        ({"operations": ["Nonsense"]}, "operations"),
        ({"addresses": ["10.0.0.1/8"]}, "addresses"),
        ({"rpm_limit": -1}, "rpm_limit"),
    ],
)
def test_what_cannot_be_held_to_is_refused_and_nothing_is_stored(given: dict[str, Any], param: str) -> None:
    accounts = Accounts()

    with pytest.raises(InvalidField) as caught:
        accounts.team("red", **given)

    assert caught.value.param == param
    assert accounts.registry.contents.team("red") is None
    assert accounts.notes == []


def test_a_change_leaves_what_it_does_not_name() -> None:
    accounts = Accounts()
    accounts.team("red", alias="Red", models=["a"], rpm_limit=5)
    accounts.now = LATER

    changed = accounts.change_team(rpm_limit=None, operations=["inference"])

    assert changed.alias == "Red"
    assert changed.rights.models == ("a",)
    assert changed.limits.rpm_limit is None
    assert changed.stamps == replace(STAMPS, updated_at=LATER)


def test_a_team_s_budget_starts_anew_when_the_clock_says_so_whenever_it_was_set() -> None:
    accounts = Accounts()
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    first = accounts.team("red", budget_duration="1h").team.limits.budget_reset_at
    accounts.now = LATER

    assert first == hour + timedelta(hours=1)
    assert accounts.change_team(max_budget=Decimal(1)).limits.budget_reset_at == hour + timedelta(hours=2)
    assert accounts.change_team(budget_duration="12h").limits.budget_reset_at == hour.replace(hour=12)


def test_a_team_that_is_not_there_cannot_be_changed_blocked_seen_or_deleted() -> None:
    accounts = Accounts()

    for attempt in (
        lambda: accounts.change_team("nope"),
        lambda: accounts.teams.set_blocked(ADMINISTRATOR, "nope", blocked=True),
        lambda: accounts.teams.info(ADMINISTRATOR, "nope"),
        lambda: accounts.teams.delete(ADMINISTRATOR, ["nope"]),
    ):
        with pytest.raises(NotFound, match="Team not found, passed team_id=nope"):
            attempt()


def test_blocking_and_letting_go_are_written_down() -> None:
    accounts = Accounts((a_team("red"),))

    assert accounts.teams.set_blocked(ADMINISTRATOR, "red", blocked=True).team.blocked
    assert not accounts.teams.set_blocked(ADMINISTRATOR, "red", blocked=False).team.blocked
    assert accounts.notes == [("blocked", "team", "red"), ("unblocked", "team", "red")]


def test_a_deleted_teams_keys_and_members_go_with_it() -> None:
    keys = [a_key(str(number)) for number in range(3)]
    accounts = Accounts((a_team("red"), a_team("blue"), *keys, a_key("blue", team="blue"), Member("red", "ann")))

    assert accounts.teams.delete(ADMINISTRATOR, ["red", "red"]) == ("red",)

    contents = accounts.registry.contents
    assert contents.team("red") is None
    assert [contents.key(key.id) for key in keys] == [None, None, None]
    assert contents.key("id-blue")
    assert accounts.memberships("ann") == ()
    assert {kind for _, kind, _ in accounts.notes} == {"team", "key", "member"}


def test_of_teams_to_delete_one_that_is_missing_keeps_all() -> None:
    accounts = Accounts((a_team("red"), a_key("one")))

    with pytest.raises(NotFound):
        accounts.teams.delete(ADMINISTRATOR, ["red", "nope"])

    assert accounts.registry.contents.team("red")
    assert accounts.registry.contents.key("id-one")
    assert accounts.notes == []


def test_a_teams_admin_sees_it_with_its_keys_and_charlie_does_not() -> None:
    accounts = Accounts((a_team("red"), a_team("blue"), a_key("one"), a_key("other", team="blue")))

    view = accounts.teams.info(an_admin_of("red"), "red")

    assert [key.alias for key in view.keys] == ["one"]
    for actor, team in ((an_admin_of("red"), "blue"), (CHARLIE, "red"), (an_admin_of("red"), "nope")):
        with pytest.raises(AccessDenied):
            accounts.teams.info(actor, team)


@pytest.mark.parametrize("actor", [CHARLIE, an_admin_of("red")], ids=["holder", "team admin"])
def test_only_the_administrator_makes_changes_blocks_and_deletes_teams(actor: Actor) -> None:
    accounts = Accounts((a_team("red"),))

    for attempt in (
        lambda: accounts.teams.create(actor, "new", {}),
        lambda: accounts.change_team(actor=actor, max_budget=None),
        lambda: accounts.teams.set_blocked(actor, "red", blocked=False),
        lambda: accounts.teams.delete(actor, ["red"]),
    ):
        with pytest.raises(NotAdministrator):
            attempt()

    assert accounts.notes == []


def test_lists_show_the_teams_that_the_caller_manages() -> None:
    teams = tuple(Team(name, replace(STAMPS, created_at=NOW + timedelta(seconds=n))) for n, name in enumerate("abc"))
    accounts = Accounts((*teams, a_key("one", team="b"), Member("b", "ann"), Member("c", "ann")))

    everything = accounts.teams.every(ADMINISTRATOR)
    mine = accounts.teams.every(an_admin_of("b"))

    assert [view.team.id for view in everything] == ["c", "b", "a"]
    assert [(view.team.id, [key.alias for key in view.keys]) for view in mine] == [("b", ["one"])]
    assert [view.team.id for view in accounts.teams.every(ADMINISTRATOR, "ann")] == ["c", "b"]
    assert accounts.teams.every(ADMINISTRATOR, "nobody") == ()
    with pytest.raises(NotAdministrator):
        accounts.teams.every(CHARLIE)


def test_a_page_of_teams_is_what_was_asked_for_of_what_may_be_seen() -> None:
    accounts = Accounts((a_team("red"), a_team("blue"), a_team("redder")))

    page = accounts.teams.page(ADMINISTRATOR, TeamQuery(alias="RED", size=1))
    mine = accounts.teams.page(an_admin_of("blue"), TeamQuery(alias="red"))
    one = accounts.teams.page(ADMINISTRATOR, TeamQuery(team_id="blue"))

    assert (len(page.items), page.total) == (1, 2)
    assert mine.total == 0
    assert [view.team.id for view in one.items] == ["blue"]


def test_without_the_database_nothing_is_pretended() -> None:
    accounts = Accounts()
    accounts.registry.fail = True

    with pytest.raises(StoreUnavailable):
        accounts.team("red")
