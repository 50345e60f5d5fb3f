"""Customers and budgets: limits of one's own or a shared budget, never both; a budget that is named stays."""

from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Budget, Customer, Limits, VirtualKey
from app.core.callers import Actor
from app.core.errors import InvalidField, NotAdministrator, NotFound
from tests.fake_registry import STAMPS
from tests.gateway.account_setting import Accounts
from tests.gateway.key_desk_setting import ADMINISTRATOR, a_holder, a_team, an_admin_of

A_KEY = VirtualKey("k", "t", "sk-...abcd", STAMPS, alias="one", budget_id="free")
CHARLIE = a_holder(A_KEY)
FREE = Budget("free", STAMPS, Limits(max_budget=Decimal(1)))


def customer(accounts: Accounts, customer_id: str = "c1") -> Customer:
    found = accounts.registry.contents.customer(customer_id)
    assert found
    return found


def test_a_customer_has_limits_of_its_own_or_a_budget_and_perhaps_a_team() -> None:
    accounts = Accounts((FREE, a_team("red")))

    own = accounts.customers.create(ADMINISTRATOR, "c1", {"rpm_limit": 5, "team_id": "red"})
    shared = accounts.customers.create(ADMINISTRATOR, "c2", {"budget_id": "free", "alias": "Two"})

    assert (own.customer.limits.rpm_limit, own.customer.team_id, own.budget) == (5, "red", None)
    assert (shared.customer.alias, shared.budget) == ("Two", FREE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget_id": "free", "max_budget": Decimal(2)}, "not both"),
        ({"budget_id": "nope"}, "Budget not found"),
        ({"team_id": "nope"}, "Team not found"),
        ({"max_budget": Decimal(-1)}, "negative"),
    ],
)
def test_what_contradicts_itself_or_names_what_is_not_there_is_refused(given: dict[str, Any], message: str) -> None:
    accounts = Accounts((FREE,))

    with pytest.raises(InvalidField, match=message):
        accounts.customers.create(ADMINISTRATOR, "c1", given)

    assert accounts.registry.contents.customer("c1") is None


def test_a_customer_who_is_there_is_not_made_again() -> None:
    accounts = Accounts((Customer("c1", STAMPS),))

    with pytest.raises(InvalidField, match="Customer already exists, passed user_id=c1"):
        accounts.customers.create(ADMINISTRATOR, "c1", {})


def test_a_budget_takes_the_place_of_own_limits_and_the_other_way() -> None:
    accounts = Accounts((FREE, Customer("c1", STAMPS, limits=Limits(rpm_limit=5))))

    accounts.customers.update(ADMINISTRATOR, "c1", {"budget_id": "free"})
    assert (customer(accounts).budget_id, customer(accounts).limits) == ("free", Limits())

    accounts.customers.update(ADMINISTRATOR, "c1", {"rpm_limit": 7})
    assert (customer(accounts).budget_id, customer(accounts).limits) == (None, Limits(rpm_limit=7))

    accounts.customers.update(ADMINISTRATOR, "c1", {"alias": "One"})
    assert (customer(accounts).alias, customer(accounts).limits.rpm_limit) == ("One", 7)


def test_changing_a_customers_limits_changes_no_budget_that_others_share() -> None:
    accounts = Accounts((FREE, Customer("c1", STAMPS, budget_id="free")))

    accounts.customers.update(ADMINISTRATOR, "c1", {"max_budget": Decimal(100)})

    assert accounts.registry.contents.budget("free") == FREE


def test_both_at_once_are_refused_also_in_a_change() -> None:
    accounts = Accounts((FREE, Customer("c1", STAMPS)))

    with pytest.raises(InvalidField, match="not both"):
        accounts.customers.update(ADMINISTRATOR, "c1", {"budget_id": "free", "rpm_limit": 1})


def test_blocking_also_those_whom_nobody_made_known() -> None:
    accounts = Accounts((Customer("c1", STAMPS, alias="One"),))

    views = accounts.customers.block(ADMINISTRATOR, ["c1", "c2", "c2"])

    assert [(view.customer.id, view.customer.blocked, view.customer.alias) for view in views] == [
        ("c1", True, "One"),
        ("c2", True, None),
    ]
    assert not accounts.customers.unblock(ADMINISTRATOR, ["c1"])[0].customer.blocked
    with pytest.raises(NotFound):
        accounts.customers.unblock(ADMINISTRATOR, ["c2", "nope"])
    assert customer(accounts, "c2").blocked


@pytest.mark.parametrize("customer_id", ["x" * 255, "x" * 256, "Zoë à"])
def test_whomever_a_call_can_name_can_be_a_customer(customer_id: str) -> None:
    accounts = Accounts()

    assert accounts.customers.create(ADMINISTRATOR, customer_id, {}).customer.id == customer_id
    assert accounts.customers.block(ADMINISTRATOR, [customer_id])[0].customer.blocked


@pytest.mark.parametrize("customer_id", ["x" * 257, "a\nb"])
def test_an_id_that_no_call_can_name_is_refused(customer_id: str) -> None:
    """Its block would hold for nobody."""
    accounts = Accounts()

    with pytest.raises(InvalidField, match="at most 256 characters"):
        accounts.customers.create(ADMINISTRATOR, customer_id, {})
    with pytest.raises(InvalidField, match="at most 256 characters"):
        accounts.customers.block(ADMINISTRATOR, [customer_id])


def test_of_customers_to_delete_one_that_is_missing_keeps_all() -> None:
    accounts = Accounts((Customer("c1", STAMPS),))

    with pytest.raises(NotFound, match=r"End User Id\(s\)=no, nope do not exist in db"):
        accounts.customers.delete(ADMINISTRATOR, ["c1", "no", "nope"])
    assert accounts.customers.delete(ADMINISTRATOR, ["c1"]) == 1

    assert accounts.notes == [("deleted", "customer", "c1")]


def test_customers_are_listed_with_their_budgets() -> None:
    accounts = Accounts((FREE, Customer("c1", STAMPS, budget_id="free"), Customer("c2", STAMPS, team_id="red")))

    found = {view.customer.id: view.budget for view in accounts.customers.every(ADMINISTRATOR)}

    assert found == {"c1": FREE, "c2": None}
    assert [view.customer.id for view in accounts.customers.every(ADMINISTRATOR, "red")] == ["c2"]


def test_a_budget_is_made_changed_and_found_again() -> None:
    accounts = Accounts()

    made = accounts.budgets.create(ADMINISTRATOR, "gold", {"max_budget": Decimal(9), "rpm_limit": 3})
    changed = accounts.budgets.update(ADMINISTRATOR, "gold", {"rpm_limit": None})
    unnamed = accounts.budgets.create(ADMINISTRATOR, None, {})

    assert made.limits.rpm_limit == 3
    assert changed.limits == Limits(max_budget=Decimal(9))
    assert accounts.budgets.named(ADMINISTRATOR, ["gold", "nope"]) == (changed,)
    assert [budget.id for budget in accounts.budgets.every(ADMINISTRATOR)] == [unnamed.id, "gold"]


def test_a_budget_that_is_taken_or_missing_is_said_so() -> None:
    accounts = Accounts((FREE,))

    with pytest.raises(InvalidField, match="Budget with id 'free' already exists"):
        accounts.budgets.create(ADMINISTRATOR, "free", {})
    with pytest.raises(NotFound, match="Budget not found"):
        accounts.budgets.update(ADMINISTRATOR, "nope", {})


def test_a_budget_in_use_stays_and_says_by_what() -> None:
    accounts = Accounts((FREE, A_KEY, Customer("c1", STAMPS, budget_id="free")))

    with pytest.raises(InvalidField, match="in use by 1 keys and 1 customers, such as key one and customer c1"):
        accounts.budgets.delete(ADMINISTRATOR, "free")

    accounts.customers.update(ADMINISTRATOR, "c1", {"budget_id": None})
    accounts.registry.contents.remove(A_KEY)
    assert accounts.budgets.delete(ADMINISTRATOR, "free") == FREE
    assert accounts.registry.contents.budget("free") is None


@pytest.mark.parametrize("actor", [CHARLIE, an_admin_of("red")], ids=["holder", "team admin"])
def test_customers_and_budgets_are_the_administrators(actor: Actor) -> None:
    accounts = Accounts((FREE, Customer("c1", STAMPS)))

    for attempt in (
        lambda: accounts.customers.create(actor, "c2", {}),
        lambda: accounts.customers.info(actor, "c1"),
        lambda: accounts.customers.update(actor, "c1", {}),
        lambda: accounts.customers.delete(actor, ["c1"]),
        lambda: accounts.customers.block(actor, ["c1"]),
        lambda: accounts.customers.unblock(actor, ["c1"]),
        lambda: accounts.customers.every(actor),
        lambda: accounts.budgets.create(actor, "x", {}),
        lambda: accounts.budgets.update(actor, "free", {}),
        lambda: accounts.budgets.named(actor, ["free"]),
        lambda: accounts.budgets.every(actor),
        lambda: accounts.budgets.delete(actor, "free"),
    ):
        with pytest.raises(NotAdministrator):
            attempt()
