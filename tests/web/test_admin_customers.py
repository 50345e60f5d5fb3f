"""The /customer and /budget routes on the wire, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from tests.web.account_client import Gateway, refusal

CUSTOMERS_FIELDS = frozenset(
    "user_id blocked alias spend allowed_model_region default_model budget_id litellm_budget_table "
    "object_permission_id object_permission".split()
)
BUDGETS_FIELDS = frozenset(
    "budget_id max_budget soft_budget max_parallel_requests tpm_limit rpm_limit model_max_budget budget_duration "
    "budget_reset_at created_at created_by updated_at updated_by".split()
)


@pytest.fixture
def gateway(database_url: str, tmp_path: Path) -> Gateway:
    return Gateway(database_url, tmp_path)


@pytest.mark.parametrize("noun", ["customer", "end_user"])
def test_a_customer_comes_changes_and_goes_under_both_names(gateway: Gateway, noun: str) -> None:
    gateway.made("/budget/new", budget_id="free", max_budget=1)

    made = gateway.made(f"/{noun}/new", user_id="c1", budget_id="free")
    updated = gateway.made(f"/{noun}/update", user_id="c1", alias="One", rpm_limit=5)

    assert set(made) >= CUSTOMERS_FIELDS
    assert (made["user_id"], made["blocked"], made["spend"]) == ("c1", False, 0.0)
    assert (made["budget_id"], made["litellm_budget_table"]["max_budget"]) == ("free", 1.0)
    assert (updated["alias"], updated["rpm_limit"], updated["budget_id"]) == ("One", 5, None)
    assert gateway.seen(f"/{noun}/info", end_user_id="c1") == updated
    assert gateway.seen(f"/{noun}/list") == [updated]
    assert gateway.made(f"/{noun}/delete", user_ids=["c1"]) == {
        "deleted_customers": 1,
        "message": "Successfully deleted customers with ids: ['c1']",
    }
    assert gateway.seen(f"/{noun}/list") == []


def test_customers_are_blocked_also_before_they_are_known(gateway: Gateway) -> None:
    blocked = gateway.made("/customer/block", user_ids=["c1", "c2"])["blocked_users"]
    gateway.made("/customer/unblock", user_ids=["c1"])

    assert [(one["user_id"], one["blocked"]) for one in blocked] == [("c1", True), ("c2", True)]
    assert {one["user_id"]: one["blocked"] for one in gateway.seen("/customer/list")} == {"c1": False, "c2": True}


def test_customers_of_a_team(gateway: Gateway) -> None:
    gateway.made("/team/new", team_id="red")
    gateway.made("/customer/new", user_id="c1", team_id="red")
    gateway.made("/customer/new", user_id="c2")

    assert [one["user_id"] for one in gateway.seen("/customer/list", team_id="red")] == ["c1"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"default_model": "m"}, "default_model"),
        ({"allowed_model_region": "eu"}, "allowed_model_region"),
        ({"object_permission": {"agents": ["a"]}}, "object_permission"),
        ({"budget_id": "nope"}, "budget_id"),
        ({"team_id": "nope"}, "team_id"),
        ({"budget_id": "free", "max_budget": 2}, "budget_id"),
        ({"max_budget": -1}, "max_budget"),
        ({"budget_duration": "soon"}, "budget_duration"),
    ],
)
def test_a_customer_that_cannot_be_held_to_its_limits_is_not_made(
    gateway: Gateway, body: dict[str, Any], param: str
) -> None:
    gateway.made("/budget/new", budget_id="free", max_budget=1)

    assert refusal(gateway.post("/customer/new", user_id="c1", **body))[:2] == (400, param)
    assert gateway.seen("/customer/list") == []


def test_customers_that_are_there_or_are_not(gateway: Gateway) -> None:
    gateway.made("/customer/new", user_id="c1")

    again = refusal(gateway.post("/customer/new", user_id="c1"))
    missing = refusal(gateway.get("/customer/info", end_user_id="nope"))

    assert again == (400, "user_id", "Customer already exists, passed user_id=c1. Please pass a new user_id.")
    assert missing == (404, "end_user_id", "End User Id=nope does not exist in db")
    assert refusal(gateway.post("/customer/update", user_id="nope"))[:2] == (404, "user_id")
    assert refusal(gateway.post("/customer/delete", user_ids=["c1", "nope"]))[:2] == (404, "user_ids")
    assert len(gateway.seen("/customer/list")) == 1


def test_a_budget_comes_changes_and_goes(gateway: Gateway) -> None:
    made = gateway.made("/budget/new", budget_id="gold", max_budget=9, rpm_limit=3, budget_duration="30d")
    updated = gateway.made("/budget/update", budget_id="gold", rpm_limit=None, budget_duration=None)

    assert set(made) >= BUDGETS_FIELDS
    assert made["budget_reset_at"]
    assert (updated["max_budget"], updated["rpm_limit"], updated["budget_reset_at"]) == (9.0, None, None)
    assert gateway.made("/budget/info", budgets=["gold", "nope"]) == [updated]
    assert gateway.seen("/budget/list") == [updated]
    assert gateway.made("/budget/delete", id="gold") == updated
    assert gateway.seen("/budget/list") == []


def test_a_budget_in_use_is_not_deleted(gateway: Gateway) -> None:
    gateway.made("/budget/new", budget_id="gold", max_budget=9)
    gateway.key(key_alias="one", budget_id="gold")
    gateway.made("/customer/new", user_id="c1", budget_id="gold")

    status, param, message = refusal(gateway.post("/budget/delete", id="gold"))

    assert (status, param) == (400, "id")
    assert "in use by 1 keys and 1 customers, such as key one and customer c1" in message
    gateway.made("/key/delete", key_aliases=["one"])
    gateway.made("/customer/delete", user_ids=["c1"])
    assert gateway.made("/budget/delete", id="gold")["budget_id"] == "gold"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/budget/new", {"budget_id": "gold"}, (400, "budget_id")),
        ("/budget/new", {"max_budget": -1}, (400, "max_budget")),
        ("/budget/new", {"model_max_budget": {"m": "much"}}, (400, "model_max_budget")),
        ("/budget/update", {"max_budget": 1}, (400, "budget_id")),
        ("/budget/update", {"budget_id": "nope"}, (404, "budget_id")),
        ("/budget/info", {"budgets": []}, (400, "budgets")),
        ("/budget/delete", {"id": "nope"}, (404, "id")),
    ],
)
def test_budgets_that_cannot_be(gateway: Gateway, path: str, body: dict[str, Any], expected: tuple[int, str]) -> None:
    gateway.made("/budget/new", budget_id="gold")

    assert refusal(gateway.post(path, **body))[:2] == expected
    assert [budget["budget_id"] for budget in gateway.seen("/budget/list")] == ["gold"]
