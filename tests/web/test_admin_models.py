"""The model lists on the wire: OpenAI's and the peer's forms, and to each key what it may call."""

import json
from pathlib import Path

import pytest

from app.core.errors import CredentialsMissing, GatewayError
from app.core.messages import UpstreamRequest
from tests.fakes import FakeBedrock, FakeReply, json_reply
from tests.web.account_client import Gateway, refusal

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
def gateway(sqlite_url: str, tmp_path: Path) -> Gateway:
    bedrock = FakeBedrock()
    bedrock.answer = aws_lists
    return Gateway(sqlite_url, tmp_path, bedrock)


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
def test_models_are_listed_as_openai_does(gateway: Gateway, path: str) -> None:
    listed = gateway.seen(path)

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
def test_the_peers_info_names_what_is_called(gateway: Gateway, path: str) -> None:
    model, profile = gateway.seen(path)["data"]

    assert (model["model_name"], model["litellm_params"]["model"]) == (NOVA, f"bedrock/{NOVA}")
    info = model["model_info"]
    assert (info["id"], info["key"], info["mode"], info["db_model"], info["input_cost_per_token"]) == (
        NOVA,
        NOVA,
        "chat",
        False,
        None,
    )
    assert (info["supports_vision"], info["supports_native_streaming"]) == (True, True)
    assert profile["model_info"]["kind"] == "inference profile"


def test_one_model_by_its_id(gateway: Gateway) -> None:
    assert [one["model_name"] for one in gateway.seen("/model/info", litellm_model_id=NOVA)["data"]] == [NOVA]
    assert refusal(gateway.get("/model/info", litellm_model_id="nope"))[:2] == (404, "litellm_model_id")


def test_model_groups_are_the_models(gateway: Gateway) -> None:
    groups = gateway.seen("/model_group/info")["data"]

    assert [(group["model_group"], group["providers"]) for group in groups] == [
        (NOVA, ["bedrock"]),
        (CLAUDE, ["bedrock"]),
    ]
    assert [group["model_group"] for group in gateway.seen("/model_group/info", model_group=NOVA)["data"]] == [NOVA]


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_shown_what_its_lists_and_its_teams_let_it_call(gateway: Gateway, path: str) -> None:
    gateway.made("/team/new", team_id="red", models=["anthropic.*", "amazon.*"])
    key = gateway.key(team_id="red", models=["anthropic.*"], key_type="llm_api")

    assert NOVA not in gateway.get(path, key).text
    assert CLAUDE in gateway.get(path, key).text


@pytest.mark.parametrize("path", PATHS)
def test_nobody_without_a_key_is_shown_models(gateway: Gateway, path: str) -> None:
    assert gateway.get(path, None).status_code == 401
    assert gateway.get(path, "sk-nobody-0123456789abcdef").status_code == 401
    assert gateway.bedrock.requests == []


@pytest.mark.parametrize("path", PATHS)
def test_without_credentials_of_aws_the_answer_says_what_to_set(gateway: Gateway, path: str) -> None:
    gateway.bedrock.answer = lambda request: CredentialsMissing("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")

    status, _, message = refusal(gateway.get(path))

    assert (status, message) == (500, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")


def test_without_the_right_to_list_the_answer_says_which_to_give(gateway: Gateway) -> None:
    gateway.bedrock.answer = lambda request: json_reply(b'{"message": "not authorized"}', 403)

    response = gateway.get("/models")

    assert refusal(response)[0] == 503
    assert "bedrock:ListFoundationModels: not authorized. Attach a policy" in response.text
    assert response.headers["Retry-After"] == "30"


def test_there_are_no_stored_credentials(gateway: Gateway) -> None:
    assert gateway.seen("/credentials") == {"success": True, "credentials": []}
    assert gateway.get("/credentials", gateway.key()).status_code == 401
