"""The model lists on the wire: OpenAI's and the peer's forms, and to each key what it may call."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import CredentialsMissing, GatewayError
from app.core.messages import UpstreamRequest
from tests.fakes import FakeBedrock, FakeReply, json_reply
from tests.web.admin_client import AdminClient, refusal

NOVA, CLAUDE = "amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATHS = ("/models", "/v1/models", "/model/info", "/v1/model/info", "/model_group/info")
SUMMARY = {
    "modelId": NOVA,
    "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}",
    "modelName": "Nova Lite",
    "providerName": "Amazon",
    "inputModalities": ["TEXT", "IMAGE"],
    "outputModalities": ["TEXT"],
    "responseStreamingSupported": True,
    "inferenceTypesSupported": ["ON_DEMAND"],
}
PROFILE = {
    "inferenceProfileId": CLAUDE,
    "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}",
    "inferenceProfileName": "Claude",
    "models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"}],
    "type": "SYSTEM_DEFINED",
}


def aws_lists(request: UpstreamRequest) -> FakeReply | GatewayError:
    """Answer as AWS does."""
    if request.path_and_query == "/foundation-models":
        return json_reply(json.dumps({"modelSummaries": [SUMMARY]}).encode())
    profiles = [PROFILE] if "SYSTEM_DEFINED" in request.path_and_query else []
    return json_reply(json.dumps({"inferenceProfileSummaries": profiles}).encode())


@pytest.fixture
def bedrock() -> FakeBedrock:
    found = FakeBedrock()
    found.answer = aws_lists
    return found


@pytest.fixture
def admin(sqlite_url: str, tmp_path: Path, bedrock: FakeBedrock) -> Iterator[AdminClient]:
    client = AdminClient.on(sqlite_url, tmp_path, bedrock)
    yield client
    client.close()


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
def test_models_are_listed_as_openai_does(admin: AdminClient, path: str) -> None:
    listed = admin.seen(path)

    assert listed["object"] == "list"
    assert listed["data"][0] == {
        "id": NOVA,
        "object": "model",
        "created": 1677610602,
        "owned_by": "Amazon",
        "mode": "chat",
        "max_input_tokens": None,
        "max_output_tokens": None,
    }
    assert [model["id"] for model in listed["data"]] == [NOVA, CLAUDE]


@pytest.mark.parametrize("path", ["/model/info", "/v1/model/info"])
def test_the_peers_info_names_what_is_called(admin: AdminClient, path: str) -> None:
    model, profile = admin.seen(path)["data"]

    assert (model["model_name"], model["litellm_params"]["model"]) == (NOVA, f"bedrock/{NOVA}")
    info = model["model_info"]
    assert (info["id"], info["key"], info["mode"], info["db_model"]) == (NOVA, NOVA, "chat", False)
    assert (info["input_cost_per_token"], info["output_cost_per_token"]) == (6e-8, 2.4e-7)
    assert (info["supports_vision"], info["supports_native_streaming"]) == (True, True)
    assert profile["model_info"]["kind"] == "inference profile"


def test_one_model_by_its_id(admin: AdminClient) -> None:
    assert [one["model_name"] for one in admin.seen("/model/info", litellm_model_id=NOVA)["data"]] == [NOVA]
    assert refusal(admin.get("/model/info", litellm_model_id="nope"))[:2] == (404, "litellm_model_id")


def test_model_groups_are_the_models(admin: AdminClient) -> None:
    groups = admin.seen("/model_group/info")["data"]

    assert [(group["model_group"], group["providers"]) for group in groups] == [
        (NOVA, ["bedrock"]),
        (CLAUDE, ["bedrock"]),
    ]
    assert [group["model_group"] for group in admin.seen("/model_group/info", model_group=NOVA)["data"]] == [NOVA]
    assert groups[0]["output_cost_per_token"] == 2.4e-7


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_shown_what_its_lists_and_its_teams_let_it_call(admin: AdminClient, path: str) -> None:
    admin.made("/team/new", team_id="red", models=["anthropic.*", "amazon.*"])
    key = admin.new_key(team_id="red", models=["anthropic.*"], key_type="llm_api")

    assert NOVA not in admin.get(path, key).text
    assert CLAUDE in admin.get(path, key).text


@pytest.mark.parametrize("path", PATHS)
def test_nobody_without_a_key_is_shown_models(admin: AdminClient, bedrock: FakeBedrock, path: str) -> None:
    assert admin.get(path, None).status_code == 401
    assert admin.get(path, "sk-nobody-0123456789abcdef").status_code == 401
    assert bedrock.requests == []


@pytest.mark.parametrize("path", PATHS)
def test_without_credentials_of_aws_the_answer_says_what_to_set(
    admin: AdminClient, bedrock: FakeBedrock, path: str
) -> None:
    bedrock.answer = lambda request: CredentialsMissing("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")

    status, _, message = refusal(admin.get(path))

    assert (status, message) == (500, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")


def test_without_the_right_to_list_the_answer_says_which_to_give(admin: AdminClient, bedrock: FakeBedrock) -> None:
    bedrock.answer = lambda request: json_reply(b'{"message": "not authorized"}', 403)

    response = admin.get("/models")

    assert refusal(response)[0] == 503
    assert "bedrock:ListFoundationModels: not authorized. Attach a policy" in response.text
    assert response.headers["Retry-After"] == "30"


def test_there_are_no_stored_credentials(admin: AdminClient) -> None:
    assert admin.seen("/credentials") == {"success": True, "credentials": []}
    assert admin.get("/credentials", admin.new_key()).status_code == 401
