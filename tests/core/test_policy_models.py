"""Which models a list lets a call reach: every spelling of an id or ARN, in the path, the query or the body."""

from urllib.parse import quote

import pytest

from app.core.accounts import Rights
from app.core.errors import MalformedRequest
from app.core.operations import Operation
from tests.core.judging import CONVERSE, NOVA, TABLE, body_with, caller, judge, refusal, target_of, with_key

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
OPAQUE = [
    f"{ACCOUNT}:application-inference-profile/abc123def456",
    f"{ACCOUNT}:provisioned-model/abc123def456",
    f"{ACCOUNT}:custom-model/anthropic.claude-3/abc123def456",
    f"{ACCOUNT}:custom-model-deployment/abc123def456",
    f"{ACCOUNT}:imported-model/abc123def456",
    f"{ACCOUNT}:prompt-router/anthropic.x",
    f"{ACCOUNT}:default-prompt-router/anthropic.claude:1",
    f"{ACCOUNT}:prompt/ABCDEFGHIJ:3",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/anthropic",
]
BODY_MODELS = [
    (operation, path)
    for operation in TABLE.operations
    for path in operation.models
    if path.startswith("body.") and not operation.bidirectional
]
UNNAMED = [operation for operation in TABLE.operations if operation.unnamed_model]


def converse(model: str) -> str:
    return CONVERSE.format(quote(model, safe=""))


@pytest.mark.parametrize(
    ("pattern", "model", "passes"),
    [
        ("anthropic.*", HAIKU, True),
        ("anthropic.*", f"us.{HAIKU}", True),
        ("anthropic.*", f"us-gov.{HAIKU}", True),
        ("anthropic.*", f"global.{HAIKU}", True),
        ("anthropic.*", f"mx.{HAIKU}", False),
        ("anthropic.*", f"us.eu.{HAIKU}", False),
        ("anthropic.*", "anthropic.claude", True),
        ("anthropic.*", "anthropic", False),
        ("anthropic.*", "xanthropic.claude", False),
        ("anthropic.*", "ANTHROPIC.claude", False),
        ("anthropic.*", "amazon.nova-lite-v1:0", False),
        (HAIKU, HAIKU, True),
        (HAIKU, f"eu.{HAIKU}", True),
        (HAIKU, f"{HAIKU}x", False),
        (HAIKU, HAIKU[:-1], False),
        (f"us.{HAIKU}", f"us.{HAIKU}", True),
        (f"us.{HAIKU}", HAIKU, False),
        (f"us.{HAIKU}", f"eu.{HAIKU}", False),
        ("us.*", f"us.{HAIKU}", True),
        ("us.*", f"eu.{HAIKU}", False),
        ("*", HAIKU, True),
        ("*", "abc123def456", True),
        ("*", f"{ACCOUNT}:inference-profile/us.{HAIKU}", True),
        ("*", f"{ACCOUNT}:provisioned-model/abc123def456", False),
        ("*.claude-3-*", HAIKU, True),
        ("anthropic.*", f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", True),
        ("anthropic.*", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", False),
        ("anthropic.*", f"{ACCOUNT}:inference-profile/us.{HAIKU}", True),
        ("anthropic.*", f"{ACCOUNT}:inference-profile/us.amazon.nova-pro-v1:0", False),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", HAIKU, False),
        ("all-proxy-models", HAIKU, True),
        ("all-team-models", f"{ACCOUNT}:provisioned-model/abc123def456", True),
        ("no-default-models", HAIKU, False),
        ("no-default-models", "no-default-models", False),
        ("", HAIKU, False),
    ],
)
def test_a_list_of_models_lets_pass_what_aws_will_run(pattern: str, model: str, passes: bool) -> None:
    assert (refusal(with_key(models=(pattern,)), converse(model)) is None) is passes


@pytest.mark.parametrize("arn", OPAQUE)
def test_an_opaque_arn_passes_by_itself_alone(arn: str) -> None:
    kind = arn.rpartition("/")[0]

    for pattern in ("anthropic.*", "*", "*anthropic*", arn.rpartition("/")[2], f"*/{arn.rpartition('/')[2]}"):
        assert "does not say which model" in (refusal(with_key(models=(pattern,)), converse(arn)) or "")
    assert refusal(with_key(models=(arn,)), converse(arn)) is None
    if arn.count("/") == 1:
        assert refusal(with_key(models=(f"{kind}/*",)), converse(arn)) is None


def test_an_arn_may_be_spelt_with_escaped_or_raw_colons() -> None:
    arn = f"{ACCOUNT}:inference-profile/us.amazon.nova-pro-v1:0"
    for spelt in (quote(arn, safe=""), quote(arn, safe=":"), quote(arn, safe="").replace("%3A", "%3a")):
        assert refusal(with_key(models=("anthropic.*",)), CONVERSE.format(spelt))


def test_a_refusal_names_the_layer_the_model_and_what_to_add() -> None:
    who = caller(key=Rights(), team=Rights(models=("anthropic.*",)), user=Rights(models=("amazon.*",)))

    assert refusal(who, NOVA) == "The team's models do not include amazon.nova-lite-v1:0: add it, or a glob."


@pytest.mark.parametrize("layer", ["key", "team", "user"])
def test_every_layers_models_must_let_a_call_pass(layer: str) -> None:
    open_layers = dict.fromkeys(("key", "team", "user"), Rights(models=("amazon.*",)))

    assert refusal(caller(**open_layers), NOVA) is None
    assert f"The {layer}'s models" in (
        refusal(caller(**{**open_layers, layer: Rights(models=("anthropic.*",))}), NOVA) or ""
    )


@pytest.mark.parametrize(("operation", "path"), BODY_MODELS, ids=lambda value: getattr(value, "operation", value))
def test_every_place_for_a_model_in_a_body_is_looked_at(operation: Operation, path: str) -> None:
    raw, headers = target_of(operation, {"modelIdentifier": "anthropic.a-b", "provisionedModelId": "anthropic"})
    who = with_key(
        models=("anthropic*", "*:default-prompt-router/*", "us.anthropic*", "abcdef*", "X"),
        operations=("all", operation.operation),
    )
    for model, passes in ((HAIKU, True), (f"us.{HAIKU}", True), ("amazon.nova-lite-v1:0", False)):
        told = refusal(who, raw, body_with(path, model), method=operation.method, headers=headers)
        assert (told is None) is passes, told
    hidden = body_with(path, ["anthropic.x", ["amazon.nova-lite-v1:0"]])
    assert refusal(who, raw, hidden, method=operation.method, headers=headers)


@pytest.mark.parametrize("name", ["MODELARN", "modelarn", "ModelArn"])
def test_a_place_spelt_in_another_case_is_looked_at(name: str) -> None:
    config = {"bedrockRerankingConfiguration": {"modelConfiguration": {name: "amazon.rerank-v1:0"}}}

    assert refusal(with_key(models=("cohere.*",)), "/bedrock/rerank", {"rerankingConfiguration": config})


@pytest.mark.parametrize("operation", UNNAMED, ids=lambda operation: operation.operation)
def test_what_runs_a_model_that_it_does_not_name_needs_its_own_name_under_a_list_of_models(
    operation: Operation,
) -> None:
    raw, headers = target_of(operation, {})
    name = operation.operation
    for grant in (name, f"{operation.service}:{name}"):
        assert (
            refusal(
                with_key(models=("anthropic.*",), operations=(grant,)), raw, method=operation.method, headers=headers
            )
            is None
        )
    for grant in ("all", operation.service):
        told = refusal(
            with_key(models=("anthropic.*",), operations=(grant,)), raw, method=operation.method, headers=headers
        )
        assert f"add {name} to the key's operations by name" in (told or "")
    for models in ((), ("all-proxy-models",)):
        assert (
            refusal(
                with_key(models=models, operations=(operation.service,)), raw, method=operation.method, headers=headers
            )
            is None
        )


def test_a_side_model_in_the_body_does_not_tell_which_model_an_agent_runs() -> None:
    body = body_with(
        "body.sessionState.knowledgeBaseConfigurations[].retrievalConfiguration.vectorSearchConfiguration."
        "implicitFilterConfiguration.modelArn",
        HAIKU,
    )
    raw = "/bedrock/agents/AGENT/agentAliases/ALIAS/sessions/s/text"

    assert refusal(with_key(models=("anthropic.*",)), raw, body)
    assert refusal(with_key(models=("anthropic.*",), operations=("InvokeAgent",)), raw, body) is None
    assert refusal(with_key(models=("amazon.*",), operations=("InvokeAgent",)), raw, body)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        ("/bedrock/v1/chat/completions", {}),
        ("/bedrock/v1/chat/completions", {"model": None}),
        ("/bedrock/anthropic/v1/messages/count_tokens", {}),
        ("/bedrock/retrieveAndGenerate", {}),
        ("/bedrock/retrieveAndGenerate", None),
        ("/bedrock/rerank", {"rerankingConfiguration": {}}),
    ],
)
def test_a_model_that_is_missing_where_it_should_be_is_refused_by_a_list(raw: str, body: object) -> None:
    assert "does not name" in (refusal(with_key(models=("anthropic.*",)), raw, body) or "")
    assert refusal(with_key(), raw, body) is None


@pytest.mark.parametrize(
    "raw", ["/bedrock/guardrail/g1/version/1/apply", "/bedrock/openai/v1/models", "/bedrock/anthropic/v1/models"]
)
def test_what_runs_and_names_no_model_is_no_matter_of_models(raw: str) -> None:
    method = "GET" if raw.endswith("models") else "POST"

    assert refusal(with_key(models=("no-default-models",)), raw, method=method) is None


def test_a_model_in_the_query_is_looked_at() -> None:
    who = with_key(models=("anthropic.*",), operations=("read",))
    raw = "/bedrock/custom-models?{}=arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2F{}"

    for name in ("foundationModelArnEquals", "FOUNDATIONmodelArnEquals"):
        assert refusal(who, raw.format(name, "anthropic.x"), method="GET") is None
        assert refusal(who, raw.format(name, "amazon.x"), method="GET")
    twice = raw.format("baseModelArnEquals", "anthropic.x") + "&baseModelArnEquals=amazon.x"
    assert refusal(who, twice, method="GET")


def test_a_model_id_longer_than_any_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="longer than any"):
        judge(with_key(models=("*",)), "/bedrock/optimize-prompt", {"targetModelId": "a" * 2049})
    judge(with_key(models=("*",)), "/bedrock/optimize-prompt", {"targetModelId": "a" * 2048})


def test_a_model_that_is_no_text_is_refused() -> None:
    with pytest.raises(MalformedRequest, match=r"body\.targetModelId must be text"):
        judge(with_key(models=("*",)), "/bedrock/optimize-prompt", {"targetModelId": {"id": "x"}})
    assert refusal(with_key(models=("a*",)), "/bedrock/optimize-prompt", {"targetModelId": 7})
