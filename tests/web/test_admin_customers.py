"""The /customer and /budget routes on the wire, on both databases."""

from typing import Any

import pytest

from tests.web.admin_client import AdminClient, refusal

CUSTOMERS_FIELDS = frozenset(
    "user_id blocked alias spend allowed_model_region default_model budget_id litellm_budget_table "
    "object_permission_id object_permission".split()
)
BUDGETS_FIELDS = frozenset(
    "budget_id max_budget soft_budget max_parallel_requests tpm_limit rpm_limit model_max_budget budget_duration "
    "budget_reset_at created_at created_by updated_at updated_by".split()
)


@pytest.mark.parametrize("noun", ["customer", "end_user"])
def test_a_customer_comes_changes_and_goes_under_both_names(admin: AdminClient, noun: str) -> None:
    admin.made("/budget/new", budget_id="free", max_budget=1)

    made = admin.made(f"/{noun}/new", user_id="c1", budget_id="free")
    updated = admin.made(f"/{noun}/update", user_id="c1", alias="One", rpm_limit=5)

    assert set(made) >= CUSTOMERS_FIELDS
    assert (made["user_id"], made["blocked"], made["spend"]) == ("c1", False, 0.0)
    assert (made["budget_id"], made["litellm_budget_table"]["max_budget"]) == ("free", 1.0)
    assert (updated["alias"], updated["rpm_limit"], updated["budget_id"]) == ("One", 5, None)
    shown = admin.seen(f"/{noun}/info", end_user_id="c1")
    assert shown.pop("remaining")["requests"] == 5
    assert shown == updated
    assert admin.seen(f"/{noun}/list") == [updated]
    assert admin.made(f"/{noun}/delete", user_ids=["c1"]) == {
        "deleted_customers": 1,
        "message": "Successfully deleted customers with ids: ['c1']",
    }
    assert admin.seen(f"/{noun}/list") == []


def test_customers_are_blocked_also_before_they_are_known(admin: AdminClient) -> None:
    blocked = admin.made("/customer/block", user_ids=["c1", "c2"])["blocked_users"]
    admin.made("/customer/unblock", user_ids=["c1"])

    assert [(one["user_id"], one["blocked"]) for one in blocked] == [("c1", True), ("c2", True)]
    assert {one["user_id"]: one["blocked"] for one in admin.seen("/customer/list")} == {"c1": False, "c2": True}


def test_customers_of_a_team(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    admin.made("/customer/new", user_id="c1", team_id="red")
    admin.made("/customer/new", user_id="c2")

    assert [one["user_id"] for one in admin.seen("/customer/list", team_id="red")] == ["c1"]


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
    admin: AdminClient, body: dict[str, Any], param: str
) -> None:
    admin.made("/budget/new", budget_id="free", max_budget=1)

    assert refusal(admin.post("/customer/new", user_id="c1", **body))[:2] == (400, param)
    assert admin.seen("/customer/list") == []


def test_customers_that_are_there_or_are_not(admin: AdminClient) -> None:
    admin.made("/customer/new", user_id="c1")

    again = refusal(admin.post("/customer/new", user_id="c1"))
    missing = refusal(admin.get("/customer/info", end_user_id="nope"))

    assert again == (400, "user_id", "Customer already exists, passed user_id=c1. Please pass a new user_id.")
    assert missing == (404, "end_user_id", "End User Id=nope does not exist in db")
    assert refusal(admin.post("/customer/update", user_id="nope"))[:2] == (404, "user_id")
    assert refusal(admin.post("/customer/delete", user_ids=["c1", "nope"]))[:2] == (404, "user_ids")
    assert len(admin.seen("/customer/list")) == 1


def test_a_budget_comes_changes_and_goes(admin: AdminClient) -> None:
    made = admin.made("/budget/new", budget_id="gold", max_budget=9, rpm_limit=3, budget_duration="30d")
    updated = admin.made("/budget/update", budget_id="gold", rpm_limit=None, budget_duration=None)

    assert set(made) >= BUDGETS_FIELDS
    assert made["budget_reset_at"]
    assert (updated["max_budget"], updated["rpm_limit"], updated["budget_reset_at"]) == (9.0, None, None)
    assert admin.made("/budget/info", budgets=["gold", "nope"]) == [updated]
    assert admin.seen("/budget/list") == [updated]
    assert admin.made("/budget/delete", id="gold") == updated
    assert admin.seen("/budget/list") == []


def test_a_budget_in_use_is_not_deleted(admin: AdminClient) -> None:
    admin.made("/budget/new", budget_id="gold", max_budget=9)
    admin.new_key(key_alias="one", budget_id="gold")
    admin.made("/customer/new", user_id="c1", budget_id="gold")

    status, param, message = refusal(admin.post("/budget/delete", id="gold"))

    assert (status, param) == (400, "id")
    assert "in use by 1 keys and 1 customers, such as key one and customer c1" in message
    admin.made("/key/delete", key_aliases=["one"])
    admin.made("/customer/delete", user_ids=["c1"])
    assert admin.made("/budget/delete", id="gold")["budget_id"] == "gold"


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
def test_budgets_that_cannot_be(admin: AdminClient, path: str, body: dict[str, Any], expected: tuple[int, str]) -> None:
    admin.made("/budget/new", budget_id="gold")

    assert refusal(admin.post(path, **body))[:2] == expected
    assert [budget["budget_id"] for budget in admin.seen("/budget/list")] == ["gold"]
