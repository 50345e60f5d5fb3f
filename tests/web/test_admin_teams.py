"""The /team routes on the wire, on both databases."""

from typing import Any

import pytest

from tests.web.admin_client import AdminClient, refusal

# what the peer's team has, which its clients may read
PEERS_FIELDS = frozenset(
    "team_alias team_id organization_id admins members members_with_roles team_member_permissions metadata tpm_limit "
    "rpm_limit tpd_limit max_budget soft_budget budget_duration budget_limits models blocked router_settings "
    "access_group_ids default_team_member_models spend max_parallel_requests budget_reset_at model_id model_spend "
    "model_max_budget policies allow_team_guardrail_config litellm_model_table object_permission object_permission_id "
    "updated_at created_at".split()
)


def test_a_new_team_is_answered_with_all_of_the_peers_fields(admin: AdminClient) -> None:
    team = admin.made("/team/new", team_alias="Red", models=["anthropic.*"], max_budget=10.5, metadata={"a": 1})

    assert set(team) >= PEERS_FIELDS
    assert (team["team_alias"], team["models"], team["max_budget"], team["spend"]) == (
        "Red",
        ["anthropic.*"],
        10.5,
        0.0,
    )
    assert (team["blocked"], team["members_with_roles"], team["metadata"]) == (False, [], {"a": 1})
    shown = admin.seen("/team/info", team_id=team["team_id"])["team_info"]
    assert shown.pop("remaining")["budget"] == 10.5
    assert shown == team


def test_info_has_the_teams_keys_and_members(admin: AdminClient) -> None:
    admin.made("/user/new", user_id="ann", user_email="ann@example.com", auto_create_key=False)
    admin.made("/team/new", team_id="red", members_with_roles=[{"role": "admin", "user_id": "ann"}, {"user_id": "new"}])
    admin.new_key(team_id="red", key_alias="one")

    info = admin.seen("/team/info", team_id="red")

    assert set(info) == {"team_id", "team_info", "keys", "team_memberships"}
    assert [key["key_alias"] for key in info["keys"]] == ["one"]
    assert "key" not in info["keys"][0]
    assert sorted(info["team_info"]["members_with_roles"], key=str) == sorted(
        [
            {"user_id": "ann", "user_email": "ann@example.com", "role": "admin"},
            {"user_id": "new", "user_email": None, "role": "user"},
        ],
        key=str,
    )


def test_an_update_leaves_what_it_does_not_name_and_null_clears_as_with_the_peer(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red", team_alias="Red", rpm_limit=5, tpm_limit=6, tags=["a"], models=["x.y"])

    updated = admin.made("/team/update", team_id="red", rpm_limit=None, models=[], unset=["tags"])

    assert updated["team_id"] == "red"
    data = updated["data"]
    assert (data["team_alias"], data["rpm_limit"], data["tpm_limit"], data["tags"], data["models"]) == (
        "Red",
        None,
        6,
        [],
        [],
    )


def test_a_blocked_teams_keys_are_refused_until_it_is_let_go(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    key = admin.new_key(team_id="red")

    assert admin.made("/team/block", team_id="red")["blocked"] is True
    refused = admin.get("/key/info", key)
    assert admin.made("/team/unblock", team_id="red")["blocked"] is False

    assert (refused.status_code, admin.get("/key/info", key).status_code) == (401, 200)


def test_a_deleted_teams_keys_call_no_more(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    key = admin.new_key(team_id="red")
    assert admin.get("/key/info", key).status_code == 200

    assert admin.made("/team/delete", team_ids=["red"]) == {"deleted_teams": ["red"]}

    assert admin.get("/key/info", key).status_code == 401
    assert admin.get("/team/info", team_id="red").status_code == 404


def test_a_missing_team_is_said_in_both_places_where_clients_look(admin: AdminClient) -> None:
    for response in (
        admin.get("/team/info", team_id="nope"),
        admin.post("/team/update", team_id="nope"),
        admin.post("/team/block", team_id="nope"),
        admin.post("/team/delete", team_ids=["nope"]),
        admin.post("/team/member_add", team_id="nope", member={"role": "user", "user_id": "a"}),
    ):
        assert refusal(response)[0] == 404
        assert "Team not found, passed team_id=nope" in response.json["detail"]["error"]


def test_lists_in_both_forms(admin: AdminClient) -> None:
    for name in ("red", "blue", "redder"):
        admin.made("/team/new", team_id=name, team_alias=name.upper())
    admin.new_key(team_id="blue", key_alias="one")

    everything = admin.seen("/team/list")
    page = admin.seen("/v2/team/list", page=1, page_size=1, team_alias="red")

    assert {team["team_id"]: len(team["keys"]) for team in everything} == {"red": 0, "blue": 1, "redder": 0}
    assert all(set(team) >= PEERS_FIELDS | {"team_memberships", "keys"} for team in everything)
    assert {name: page[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 2,
        "page": 1,
        "page_size": 1,
        "total_pages": 2,
    }
    assert len(page["teams"]) == 1
    assert admin.seen("/team/available") == []


@pytest.mark.parametrize("query", [{"page": 0}, {"page": -1}, {"page_size": 0}, {"page_size": 101}, {"page": "x"}])
def test_a_page_out_of_range_is_a_422(admin: AdminClient, query: dict[str, Any]) -> None:
    response = admin.get("/v2/team/list", **query)

    assert response.status_code == 422
    assert response.json["detail"][0]["loc"] == ["query", *query]


def test_a_page_after_the_last_is_empty(admin: AdminClient) -> None:
    assert admin.seen("/v2/team/list", page=1_000_000)["teams"] == []


def test_members_come_change_and_go(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    admin.made("/user/new", user_id="ann", user_email="ann@example.com", auto_create_key=False)

    added = admin.made("/team/member_add", team_id="red", member={"role": "user", "user_email": "Ann@example.com"})
    several = admin.made(
        "/team/member_add",
        team_id="red",
        member=[{"role": "admin", "user_id": "bob"}, {"role": "user", "user_id": "c"}],
    )
    changed = admin.made("/team/member_update", team_id="red", user_id="ann", role="admin")
    left = admin.made("/team/member_delete", team_id="red", user_email="ann@example.com")

    assert added["updated_users"] == [{"user_id": "ann", "user_email": "ann@example.com", "user_role": "internal_user"}]
    assert added["updated_team_memberships"] == []
    assert [user["user_id"] for user in several["updated_users"]] == ["bob", "c"]
    assert changed == {
        "team_id": "red",
        "user_id": "ann",
        "user_email": "ann@example.com",
        "role": "admin",
        "max_budget_in_team": None,
    }
    assert sorted(member["user_id"] for member in left["members_with_roles"]) == ["bob", "c"]


def test_a_member_who_is_nobody_is_a_422_and_one_who_is_there_a_400(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    admin.made("/team/member_add", team_id="red", member={"role": "user", "user_id": "a"})

    nobody = admin.post("/team/member_add", team_id="red", member={"role": "user"})
    again = admin.post("/team/member_add", team_id="red", member={"role": "user", "user_id": "a"})

    assert nobody.status_code == 422
    assert "Either user id or user email must be provided" in nobody.text
    assert refusal(again)[:2] == (400, "member")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/team/new", {"guardrails": ["g"]}),
        ("/team/new", {"team_member_budget": 5}),
        ("/team/new", {"model_aliases": {"a": "b"}}),
        ("/team/new", {"organization_id": "o"}),
        ("/team/new", {"object_permission": {"vector_stores": ["v"]}}),
        ("/team/new", {"metadata": {"model_rpm_limit": {"a": 1}}}),
        ("/team/update", {"team_id": "red", "team_member_permissions": ["/key/generate"]}),
        ("/team/member_add", {"team_id": "red", "member": {"role": "user", "user_id": "a"}, "max_budget_in_team": 1}),
        ("/team/member_update", {"team_id": "red", "user_id": "ann", "max_budget_in_team": 1}),
        ("/team/member_update", {"team_id": "red", "user_id": "ann", "rpm_limit": 1}),
    ],
)
def test_a_restriction_that_would_vanish_is_refused_by_its_name(
    admin: AdminClient, path: str, body: dict[str, Any]
) -> None:
    admin.made("/team/new", team_id="red", members_with_roles=[{"role": "user", "user_id": "ann"}])
    before = admin.seen("/team/list")

    status, param, message = refusal(admin.post(path, **body))

    assert status == 400
    assert message.startswith(param)
    assert param.rpartition(".")[2] in str(body)
    assert admin.seen("/team/list") == before


def test_restrictions_that_restrict_nothing_and_unknown_fields_are_ignored(admin: AdminClient) -> None:
    team = admin.made(
        "/team/new", guardrails=[], organization_id="", team_member_budget=None, object_permission={}, nonsense={"a": 1}
    )

    assert "nonsense" not in team


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"max_budget": "much"}, "max_budget"),
        ({"rpm_limit": 1.5}, "rpm_limit"),
        ({"rpm_limit": True}, "rpm_limit"),
        ({"models": "anthropic.*"}, "models"),
        ({"team_alias": 5}, "team_alias"),
        ({"team_alias": "x" * 257}, "team_alias"),
        ({"team_alias": "a\0b"}, "team_alias"),
        ({"metadata": {"a": "x" * 70_000}}, "metadata"),
        ({"metadata": ["a"]}, "metadata"),
        ({"members_with_roles": [{"role": "owner", "user_id": "a"}]}, "members_with_roles"),
        ({"tags": ["t"] * 101}, "tags"),
    ],
)
def test_a_field_of_the_wrong_form_is_a_422_that_says_where(
    admin: AdminClient, body: dict[str, Any], place: str
) -> None:
    response = admin.post("/team/new", **body)

    assert response.status_code == 422
    assert response.json["detail"][0]["loc"][:2] == ["body", place]
    assert admin.seen("/team/list") == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_budget": -1}, "max_budget"),
        ({"soft_budget": 2, "max_budget": 1}, "soft_budget"),
        ({"budget_duration": "3 fortnights"}, "budget_duration"),
        ({"operations": ["Converze"]}, "operations"),
        ({"regions": ["mars"]}, "regions"),
        ({"addresses": ["300.1.1.1"]}, "addresses"),
    ],
)
def test_a_value_that_means_nothing_is_a_400_that_names_its_field(
    admin: AdminClient, body: dict[str, Any], param: str
) -> None:
    assert refusal(admin.post("/team/new", **body))[:2] == (400, param)
    assert admin.seen("/team/list") == []


@pytest.mark.parametrize("name", ["'; DROP TABLE teams; --", "<script>alert(1)</script>", "%_\\", "Ünïcode 🙂", " "])
def test_names_that_mean_something_elsewhere_are_kept_as_they_are(admin: AdminClient, name: str) -> None:
    admin.made("/team/new", team_id=name, team_alias=name)
    admin.made("/team/new", team_id="other")

    assert admin.seen("/team/info", team_id=name)["team_info"]["team_alias"] == name
    found = admin.seen("/v2/team/list", team_alias=name)["teams"]
    assert [team["team_id"] for team in found] == [name]
    assert admin.made("/team/delete", team_ids=[name]) == {"deleted_teams": [name]}
    assert [team["team_id"] for team in admin.seen("/team/list")] == ["other"]


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"null", b'"a"', b'{"a": 1, "a": 2}', b"\xff", b'{"max_budget": NaN}']
)
def test_what_is_no_object_of_json_is_a_422(admin: AdminClient, content: bytes) -> None:
    response = admin.send("/team/new", content)

    assert response.status_code == 422
    assert admin.seen("/team/list") == []


def test_an_id_that_is_taken_is_a_400(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red", team_alias="first")

    status, param, message = refusal(admin.post("/team/new", team_id="red", team_alias="second"))

    assert (status, param) == (400, "team_id")
    assert message == "Team id = red already exists. Please use a different team id."
    assert admin.seen("/team/info", team_id="red")["team_info"]["team_alias"] == "first"


def test_a_teams_lists_bind_its_keys_at_once(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    key = admin.new_key(team_id="red")
    path = "/bedrock/model/amazon.nova-lite-v1:0/converse"
    content = b'{"messages": []}'

    before = admin.send(path, content, key).status_code
    admin.made("/team/update", team_id="red", models=["anthropic.*"])

    assert (before, admin.send(path, content, key).status_code) == (200, 403)


def test_who_becomes_a_teams_admin_manages_it_at_once_and_no_longer_than_it_is(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    key = admin.made("/user/new", user_id="ann")["key"]
    seen = [admin.get("/team/info", key, team_id="red").status_code]

    for role in ("admin", "user"):
        change = "/team/member_add" if role == "admin" else "/team/member_update"
        member = {"member": {"role": role, "user_id": "ann"}} if role == "admin" else {"role": role, "user_id": "ann"}
        admin.made(change, team_id="red", **member)
        seen.append(admin.get("/team/info", key, team_id="red").status_code)
    admin.made("/team/member_update", team_id="red", user_id="ann", role="admin")
    admin.made("/team/member_delete", team_id="red", user_id="ann")
    seen.append(admin.get("/team/info", key, team_id="red").status_code)

    assert seen == [403, 200, 403, 403]


def test_a_user_of_a_role_that_changes_has_the_new_one_at_once(admin: AdminClient) -> None:
    key = admin.made("/user/new", user_id="ann")["key"]
    seen = [admin.get("/team/list", key).status_code]

    for role in ("proxy_admin", "internal_user"):
        admin.made("/user/update", user_id="ann", user_role=role)
        seen.append(admin.get("/team/list", key).status_code)

    assert seen == [401, 200, 401]
