"""The /user routes on the wire, on both databases."""

from typing import Any

import pytest

from tests.web.admin_client import MASTER_KEY, AdminClient, refusal

PEERS_FIELDS = frozenset(
    "user_id user_email user_alias user_role teams max_budget spend models metadata tpm_limit rpm_limit "
    "budget_duration budget_reset_at max_parallel_requests model_max_budget model_spend created_at updated_at "
    "sso_user_id organization_memberships".split()
)


def test_a_new_user_gets_a_key_that_works(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")

    made = admin.made(
        "/user/new",
        user_email="ann@example.com",
        user_role="internal_user",
        user_alias="Ann",
        teams=["red"],
        max_budget=5,
        models=["anthropic.*"],
        key_alias="first",
        duration="1h",
    )

    assert (made["user_email"], made["user_role"], made["user_alias"], made["teams"], made["max_budget"]) == (
        "ann@example.com",
        "internal_user",
        "Ann",
        ["red"],
        5.0,
    )
    own = admin.seen("/key/info", made["key"])["info"]
    assert (own["key_alias"], own["user_id"], own["team_id"], own["max_budget"]) == (
        "first",
        made["user_id"],
        None,
        None,
    )
    assert own["expires"]
    assert admin.seen("/team/info", team_id="red")["team_info"]["members_with_roles"] == [
        {"user_id": made["user_id"], "user_email": "ann@example.com", "role": "user"}
    ]


def test_a_user_without_a_key_and_teams_with_roles(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")

    made = admin.made(
        "/user/new", user_id="ann", auto_create_key=False, teams=[{"team_id": "red", "user_role": "admin"}]
    )

    assert made["key"] == ""
    assert admin.seen("/key/list")["total_count"] == 0
    assert admin.seen("/team/info", team_id="red")["team_info"]["members_with_roles"][0]["role"] == "admin"


def test_a_users_key_is_bound_by_the_users_lists(admin: AdminClient) -> None:
    key = admin.made("/user/new", user_id="ann", models=["anthropic.*"])["key"]
    path = "/bedrock/model/amazon.nova-lite-v1:0/converse"

    refused = admin.send(path, b'{"messages": []}', key).status_code
    admin.made("/user/update", user_id="ann", models=[])

    assert (refused, admin.send(path, b'{"messages": []}', key).status_code) == (403, 200)


def test_info_has_the_users_keys_and_teams(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    admin.made("/user/new", user_id="ann", teams=["red"], key_alias="first")

    info = admin.seen("/user/info", user_id="ann")

    assert set(info) == {"user_id", "user_info", "keys", "teams"}
    assert set(info["user_info"]) >= PEERS_FIELDS
    assert ([key["key_alias"] for key in info["keys"]], [team["team_id"] for team in info["teams"]]) == (
        ["first"],
        ["red"],
    )


def test_a_user_is_updated_by_id_or_email_and_a_null_budget_is_cleared(admin: AdminClient) -> None:
    admin.made("/user/new", user_id="ann", user_email="ann@example.com", max_budget=5, rpm_limit=3)

    by_id = admin.made("/user/update", user_id="ann", max_budget=None, rpm_limit=None)
    by_email = admin.made("/user/update", user_email="ann@example.com", user_role="proxy_admin_viewer")

    assert (by_id["user_id"], by_id["data"]["max_budget"], by_id["data"]["rpm_limit"]) == ("ann", None, 3)
    assert by_email["data"]["user_role"] == "proxy_admin_viewer"
    assert admin.made("/user/update", user_id="ann", unset=["rpm_limit"])["data"]["rpm_limit"] is None


def test_delete_answers_the_bare_number_and_ends_the_users_keys(admin: AdminClient) -> None:
    key = admin.made("/user/new", user_id="ann")["key"]
    admin.made("/user/new", user_id="bob")

    response = admin.post("/user/delete", user_ids=["ann", "bob"])

    assert response.text == "2"
    assert admin.get("/key/info", key).status_code == 401
    assert admin.seen("/user/list")["users"] == []


def test_a_page_of_users_with_how_many_keys_they_have(admin: AdminClient) -> None:
    for name in ("ann", "bob", "cleo"):
        admin.made("/user/new", user_id=name, user_email=f"{name}@example.com", auto_create_key=name != "bob")

    page = admin.seen("/user/list", page_size=2)

    assert {name: page[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 3,
        "page": 1,
        "page_size": 2,
        "total_pages": 2,
    }
    assert admin.seen("/user/list")["page_size"] == 25
    found = admin.seen("/user/list", user_ids="ann,bob")["users"]
    assert {user["user_id"]: user["key_count"] for user in found} == {"ann": 1, "bob": 0}
    assert [user["user_id"] for user in admin.seen("/user/list", user_email="CLEO@")["users"]] == ["cleo"]
    assert admin.seen("/user/list", role="proxy_admin")["total"] == 0


def test_a_user_who_is_there_is_a_409_as_with_the_peer(admin: AdminClient) -> None:
    admin.made("/user/new", user_id="ann", user_email="ann@example.com")

    for body in ({"user_id": "ann"}, {"user_email": "ANN@example.com"}):
        assert refusal(admin.post("/user/new", **body))[0] == 409
    assert admin.seen("/user/list")["total"] == 1
    assert admin.seen("/key/list")["total_count"] == 1


def test_a_user_whose_key_or_team_cannot_be_is_not_made(admin: AdminClient) -> None:
    admin.new_key(key_alias="taken")

    assert refusal(admin.post("/user/new", user_id="ann", key_alias="taken"))[:2] == (400, "key_alias")
    assert refusal(admin.post("/user/new", user_id="ann", teams=["nope"]))[:2] == (404, "teams")
    assert refusal(admin.post("/user/new", user_id="ann", duration="soon"))[:2] == (400, "duration")
    assert admin.seen("/user/list")["total"] == 0


def test_a_missing_user_is_a_404(admin: AdminClient) -> None:
    for response in (
        admin.get("/user/info", user_id="nope"),
        admin.post("/user/update", user_id="nope"),
        admin.post("/user/update", user_email="no@example.com"),
        admin.post("/user/delete", user_ids=["nope"]),
    ):
        assert refusal(response)[0] == 404
        assert "User not found, passed user_" in response.json["detail"]["error"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"user_role": "customer"}, "user_role"),
        ({"user_role": "org_admin"}, "user_role"),
        ({"blocked": True}, "blocked"),
        ({"budget_id": "b"}, "budget_id"),
        ({"organizations": ["o"]}, "organizations"),
        ({"guardrails": ["g"]}, "guardrails"),
        ({"model_rpm_limit": {"a": 1}}, "model_rpm_limit"),
        ({"teams": [{"team_id": "red", "max_budget_in_team": 1}]}, "max_budget_in_team"),
        ({"max_budget": -0.01}, "max_budget"),
    ],
)
def test_what_cannot_be_held_to_is_a_400_that_names_it(admin: AdminClient, body: dict[str, Any], param: str) -> None:
    admin.made("/team/new", team_id="red")

    assert refusal(admin.post("/user/new", **body))[:2] == (400, param)
    assert admin.seen("/user/list")["total"] == 0


def test_an_administrators_key_may_do_what_the_master_key_may_and_a_viewers_sees_it(admin: AdminClient) -> None:
    boss = admin.made("/user/new", user_id="boss", user_role="proxy_admin")["key"]
    viewer = admin.made("/user/new", user_id="val", user_role="proxy_admin_viewer")["key"]

    assert admin.post("/team/new", boss, team_id="red").status_code == 200
    assert admin.get("/user/info", viewer, user_id="boss").status_code == 200
    assert refusal(admin.post("/team/new", viewer, team_id="blue"))[0] == 401
    assert admin.seen("/team/list", viewer)[0]["created_by"] == admin.seen("/team/list", MASTER_KEY)[0]["created_by"]


@pytest.mark.parametrize("body", [{}, {"user_id": "", "user_email": ""}])
def test_an_update_of_nobody_is_a_422(admin: AdminClient, body: dict[str, Any]) -> None:
    response = admin.post("/user/update", **body)

    assert response.status_code == 422
    assert "Either user id or user email must be provided" in response.text
