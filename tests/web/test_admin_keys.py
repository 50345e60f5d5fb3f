"""The key routes answer as the peer's do (LiteLLM 1.106.0), on both databases."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from app.core.key_pairs import KeyPairs
from tests.web.admin_client import SECRET_KEY, AdminClient

# What the peer answers to {}, but for what differs at each call and the fields that name who did it
PEER_S_NEW_KEY: dict[str, Any] = {
    "key_alias": None, "duration": None, "models": [], "spend": 0.0, "max_budget": None, "user_id": None,
    "team_id": None, "agent_id": None, "max_parallel_requests": None, "metadata": {}, "tpm_limit": None,
    "rpm_limit": None, "budget_duration": None, "budget_limits": None, "allowed_cache_controls": [], "config": {},
    "permissions": {}, "model_max_budget": {}, "budget_fallbacks": {}, "model_rpm_limit": None,
    "model_tpm_limit": None, "mcp_rpm_limit": None, "tag_rpm_limit": None, "guardrails": None, "policies": None,
    "prompts": None, "blocked": None, "aliases": {}, "object_permission": None, "tpd_limit": None,
    "default_estimated_output_tokens": None, "default_estimated_output_tokens_per_model": None, "budget_id": None,
    "end_user_budget_id": None, "tags": None, "disable_global_guardrails": None, "enable_prompt_caching": None,
    "throttle_on_budget_exceeded": None, "enforced_params": None, "allowed_routes": [],
    "allowed_passthrough_routes": None, "denied_passthrough_routes": None, "allowed_vector_store_indexes": None,
    "rpm_limit_type": None, "tpm_limit_type": None,
    "router_settings": {
        "routing_strategy_args": None, "routing_strategy": None, "routing_groups": None, "retry_policy": None,
        "model_group_retry_policy": None, "model_group_affinity_config": None, "allowed_fails": None,
        "cooldown_time": None, "num_retries": None, "timeout": None, "max_retries": None, "retry_after": None,
        "fallbacks": None, "context_window_fallbacks": None, "model_group_alias": {}, "enable_tag_filtering": None,
        "weights": None, "tag_routing_prefix": None, "optional_pre_call_checks": None,
    },
    "access_group_ids": [], "key_type": "default", "expires": None, "organization_id": None, "project_id": None,
    "litellm_budget_table": None,
}  # fmt: skip  # a column of 80 lines would hide the test
PEER_S_INFO = (
    "key_name key_alias soft_budget_cooldown spend total_spend expires models aliases config router_settings user_id "
    "team_id agent_id project_id permissions max_parallel_requests metadata blocked tpm_limit rpm_limit tpd_limit "
    "max_budget budget_duration budget_reset_at allowed_cache_controls allowed_routes key_type policies "
    "access_group_ids model_spend model_max_budget budget_fallbacks budget_id organization_id object_permission_id "
    "created_at created_by updated_at updated_by settings_updated_at last_active rotation_count auto_rotate "
    "rotation_interval last_rotation_at key_rotation_at budget_limits litellm_budget_table "
    "litellm_organization_table litellm_project_table object_permission jwt_key_mappings status"
).split()
OURS = "operations resources regions addresses tags soft_budget end_user_required unmetered_calls".split()


def test_a_key_is_made_as_the_peer_makes_it(admin: AdminClient) -> None:
    answer = admin.made("/key/generate")

    token = sha256(answer["key"].encode()).hexdigest()
    assert {name: answer[name] for name in PEER_S_NEW_KEY} == PEER_S_NEW_KEY
    assert answer["token"] == answer["token_id"] == token
    assert answer["key_name"] == f"sk-...{answer['key'][-4:]}"
    assert answer["created_by"] == answer["updated_by"] == "master"
    assert answer["created_at"] == answer["updated_at"]
    assert answer["created_at"].endswith("Z")
    assert (answer["aws_access_key_id"], answer["aws_secret_access_key"]) == (None, None)


def test_a_key_is_made_with_all_that_is_asked(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")
    asked = {
        "key_alias": "carol", "team_id": "red", "user_id": "u1", "key_type": "llm_api", "models": ["anthropic.*"],
        "operations": ["Converse"], "resources": ["KB*"], "regions": ["us-east-1"], "addresses": ["10.0.0.0/8"],
        "max_budget": 12.5, "soft_budget": 10.0, "budget_duration": "30d", "rpm_limit": 60, "tpm_limit": 1000,
        "max_parallel_requests": 5, "model_max_budget": {"amazon.nova-lite-v1:0": {"budget_limit": 1}},
        "metadata": {"color": "rot", "n": [1, None]}, "tags": ["t"], "spend": 0.25, "blocked": True,
        "end_user_required": True, "unmetered_calls": "allow",
        "aliases": {"a": "b"}, "config": {"c": 1}, "permissions": {"p": True},
    }  # fmt: skip

    answer = admin.made("/key/generate", **asked, key="sk-chosen-0123456789abcdef", duration="30d")

    assert {name: answer[name] for name in asked} == asked
    assert answer["key"] == "sk-chosen-0123456789abcdef"
    assert answer["duration"] is None
    assert _moment(answer["expires"]) == _moment(answer["created_at"]) + timedelta(days=30)
    assert answer["litellm_budget_table"]["soft_budget"] == 10.0
    assert answer["budget_id"] is None
    info = admin.get("/key/info", key=answer["key"]).json
    del asked["aliases"], asked["config"], asked["permissions"]
    assert {name: info["info"][name] for name in asked} == asked


def test_info_tells_all_that_the_peer_tells_and_the_lists(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias="carol", duration="1d")

    answer = admin.get("/key/info", key=made["token"]).json

    assert set(answer) == {"key", "info"}
    assert answer["key"] == made["token"]
    assert set(PEER_S_INFO) | set(OURS) <= set(answer["info"])
    assert answer["info"]["status"] == "active"
    assert answer["info"]["created_at"].endswith("+00:00")
    assert _moment(answer["info"]["expires"]) == _moment(made["expires"])
    assert made["key"] not in str(answer)


def test_without_a_key_in_the_question_info_is_about_the_key_that_asks(admin: AdminClient) -> None:
    made = admin.made("/key/generate")

    assert admin.get("/key/info", by=made["key"]).json["key"] == made["token"]
    assert admin.get("/key/info").status_code == 404


@pytest.mark.parametrize(("fields", "status"), [({"blocked": True}, "revoked"), ({"duration": "1s"}, "expired")])
def test_info_tells_how_a_key_stands(admin: AdminClient, fields: dict[str, Any], status: str) -> None:
    key = admin.new_key(**fields)
    if status == "expired":
        _wait_until_expired(admin, key)

    assert admin.get("/key/info", key=key).json["info"]["status"] == status


def test_an_unknown_key_is_told_as_the_peer_tells_it(admin: AdminClient) -> None:
    answer = admin.get("/key/info", key="0" * 64)

    assert answer.status_code == 404
    error = answer.json["error"]
    assert error["message"].startswith("Key not found in database")
    assert (error["type"], error["param"], error["code"]) == ("not_found_error", "key", "404")


def test_several_keys_are_told_of_at_once(admin: AdminClient) -> None:
    keys = [admin.new_key(key_alias=alias) for alias in ("a", "b")]

    answer = admin.made("/v2/key/info", keys=[*keys, "unknown"])

    assert answer["key"] == keys
    assert [info["key_alias"] for info in answer["info"]] == ["a", "b"]
    assert admin.post("/v2/key/info", keys=["unknown"]).status_code == 404


def test_an_update_answers_the_whole_key_by_the_name_it_was_given(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias="carol", max_budget=5, models=["a.*"], duration="1d")

    answer = admin.made("/key/update", key=made["token"], key_alias=None, rpm_limit=7, models=[], duration="-1")

    assert (answer["key"], answer["token"], answer["key_alias"]) == (made["token"], made["token"], "carol")
    assert (answer["rpm_limit"], answer["models"], answer["max_budget"], answer["expires"]) == (7, [], 5.0, None)
    assert set(PEER_S_INFO) - {"status"} <= set(answer)
    assert admin.made("/key/update", key_alias="carol", unset=["max_budget", "rpm_limit"])["max_budget"] is None


def test_a_budget_is_raised_for_a_while(admin: AdminClient) -> None:
    key = admin.new_key(max_budget=5)

    answer = admin.made("/key/update", key=key, temp_budget_increase=2.5, temp_budget_expiry="2030-01-01T00:00:00Z")

    assert (answer["temp_budget_increase"], answer["temp_budget_expiry"]) == (2.5, "2030-01-01T00:00:00+00:00")


def test_an_update_of_no_key_or_an_unknown_one_is_refused(admin: AdminClient) -> None:
    assert admin.post("/key/update", rpm_limit=1).status_code == 422
    answer = admin.post("/key/update", key="unknown", rpm_limit=1)

    assert answer.status_code == 404
    assert answer.json["error"]["message"].startswith("Key not found.")


def test_of_many_updates_each_is_told_of(admin: AdminClient) -> None:
    keys = [admin.new_key(), admin.new_key()]

    answer = admin.made("/key/bulk_update", keys=[{"key": keys[0], "rpm_limit": 1}, {"key": keys[1], "rpm_limit": -1}])

    assert answer["total_requested"] == 2
    assert [(one["key"], one["key_info"]["rpm_limit"]) for one in answer["successful_updates"]] == [(keys[0], 1)]
    assert [(one["key"], one["failed_reason"]) for one in answer["failed_updates"]] == [
        (keys[1], "rpm_limit cannot be negative. Received: -1")
    ]


def test_a_blocked_key_is_refused_at_once_and_let_in_again(admin: AdminClient) -> None:
    made = admin.made("/key/generate")

    blocked = admin.made("/key/block", key=made["token"])
    refused = admin.get("/key/info", by=made["key"])
    freed = admin.made("/key/unblock", key=made["key"])

    assert (blocked["blocked"], blocked["token"], freed["blocked"]) == (True, made["token"], False)
    assert refused.status_code == 401
    assert refused.json["error"]["message"].startswith("Authentication Error, Key is blocked.")
    assert admin.get("/key/info", by=made["key"]).status_code == 200
    assert admin.post("/key/block", key="unknown").status_code == 404


def test_keys_are_deleted_by_text_token_or_alias(admin: AdminClient) -> None:
    first, second = admin.made("/key/generate"), admin.made("/key/generate")
    admin.new_key(key_alias="carol")

    answer = admin.made("/key/delete", keys=[first["key"], second["token"]], key_aliases=["carol"])

    assert answer == {"deleted_keys": [first["key"], second["token"], "carol"]}
    assert admin.get("/key/info", by=first["key"]).status_code == 401
    assert admin.get("/key/list").json["total_count"] == 0


@pytest.mark.parametrize("body", [{}, {"keys": None, "key_aliases": None}, {"keys": []}])
def test_a_deletion_of_nothing_is_refused_as_the_peer_does(admin: AdminClient, body: dict[str, Any]) -> None:
    answer = admin.post("/key/delete", **body)

    assert answer.status_code == 422
    told = "Value error, At least one of 'keys' or 'key_aliases' must be provided."
    assert answer.json["detail"][0]["msg"] == told


def test_a_deletion_of_what_is_not_there_deletes_nothing(admin: AdminClient) -> None:
    key = admin.new_key()

    answer = admin.post("/key/delete", keys=[key, "unknown"], key_aliases=None)

    assert answer.status_code == 404
    assert "No keys found" in answer.json["error"]["message"]
    assert admin.get("/key/info", by=key).status_code == 200


def test_a_key_that_works_is_healthy(admin: AdminClient) -> None:
    assert admin.post("/key/health", by=admin.new_key()).json == {"key": "healthy", "logging_callbacks": None}


@pytest.mark.parametrize("by_path", [True, False])
def test_a_rotated_key_answers_its_new_text(admin: AdminClient, by_path: bool) -> None:
    made = admin.made("/key/generate", key_alias="carol", spend=3)

    again = (
        admin.made(f"/key/{made['key']}/regenerate") if by_path else admin.made("/key/regenerate", key=made["token"])
    )

    assert set(again) == set(made)
    assert again["key"] != made["key"]
    assert again["token_id"] == sha256(again["key"].encode()).hexdigest()
    assert (again["key_alias"], again["spend"]) == ("carol", 3.0)
    assert admin.get("/key/info", by=made["key"]).status_code == 401
    assert admin.get("/key/info", by=again["key"]).json["info"]["rotation_count"] == 1


def test_with_grace_both_texts_work(admin: AdminClient) -> None:
    key = admin.new_key()

    again = admin.made("/key/regenerate", key=key, grace_period="1h", new_key="sk-chosen-0123456789abcdef")

    assert again["key"] == "sk-chosen-0123456789abcdef"
    for text in (key, again["key"]):
        assert admin.get("/key/info", by=text).json["info"]["token"] == again["token"]


def test_a_pair_comes_with_a_key_and_another_with_its_rotation(admin_on_sqlite: AdminClient) -> None:
    made = admin_on_sqlite.made("/key/generate")
    again = admin_on_sqlite.made("/key/regenerate", key=made["key"])

    for answer in (made, again):
        assert answer["aws_secret_access_key"] == KeyPairs((SECRET_KEY,)).secret_of(answer["aws_access_key_id"])
    assert made["aws_access_key_id"] != again["aws_access_key_id"]


@pytest.mark.parametrize(
    ("make", "see", "name", "update"),
    [
        ("/user/new", "/user/info", "user_id", "/user/update"),
        ("/team/new", "/team/info", "team_id", "/team/update"),
        ("/customer/new", "/customer/info", "user_id", "/customer/update"),
    ],
)
def test_accounts_bring_along_what_they_spent(admin: AdminClient, make: str, see: str, name: str, update: str) -> None:
    def seen() -> tuple[float, float]:
        answer = admin.get(see, user_id="one", team_id="one", end_user_id="one").json
        told = answer.get("user_info") or answer.get("team_info") or answer
        return told["spend"], told["total_spend"]

    admin.made(make, **{name: "one"}, spend=3)
    assert seen() == (3.0, 3.0)
    admin.made(update, **{name: "one"}, spend=1)
    assert seen() == (1.0, 3.0)
    assert admin.post(update, **{name: "one"}, spend=-1).status_code in (400, 422)


def test_spend_is_reset(admin: AdminClient) -> None:
    made = admin.made("/key/generate", spend=3, max_budget=5)

    assert admin.made(f"/key/{made['token']}/reset_spend", reset_to=0) == {
        "key_hash": made["token"], "spend": 0.0, "previous_spend": 3.0, "max_budget": 5.0, "budget_reset_at": None,
    }  # fmt: skip
    assert admin.post(f"/key/{made['token']}/reset_spend").status_code == 422


def test_a_service_account_s_key_has_a_team_and_no_user(admin: AdminClient) -> None:
    admin.made("/team/new", team_id="red")

    refused = admin.post("/key/service-account/generate")
    answer = admin.made("/key/service-account/generate", team_id="red", user_id="u1")

    assert (refused.status_code, refused.json["error"]["param"]) == (400, "team_id")
    assert (answer["team_id"], answer["user_id"]) == ("red", None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _wait_until_expired(admin: AdminClient, key: str) -> None:
    ends = _moment(admin.get("/key/info", key=key).json["info"]["expires"])
    while datetime.now(UTC) <= ends:
        pass
