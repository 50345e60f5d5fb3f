"""The policies of docs/iam against the operations table: each allows what its name says, and nothing beside it."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.core.operations import Operation, load_table

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "iam"
INFERENCE, AGENTS, READ_ONLY = "inference-only", "inference-and-agents", "control-plane-read-only"
POLICIES = (INFERENCE, AGENTS, READ_ONLY)
CONTROL_PLANES = ("bedrock", "bedrock-agent", "bedrock-agentcore-control", "bedrock-data-automation")
# IAM's quota for a managed policy, white space not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_POLICY_CHARACTERS = 6144

INVOKE = {"bedrock:InvokeModel"}
INVOKE_AND_STREAM = {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}
MANTLE = {"bedrock-mantle:CreateInference"}
# Operations that IAM knows by another name, or asks more than one action for. docs/iam/README.md names the sources.
ACTIONS_OF: dict[tuple[str, str], set[str]] = {
    ("bedrock-runtime", "Converse"): INVOKE,
    ("bedrock-runtime", "ConverseStream"): {"bedrock:InvokeModelWithResponseStream"},
    ("bedrock-runtime", "InvokeModelWithResponseStream"): INVOKE_AND_STREAM,
    ("bedrock-runtime", "InvokeModelWithBidirectionalStream"): INVOKE,
    ("bedrock-runtime", "OpenAIChatCompletions"): INVOKE_AND_STREAM,
    ("bedrock-runtime", "OpenAIEmbeddings"): INVOKE,
    ("bedrock-runtime", "OpenAIResponses"): INVOKE_AND_STREAM,
    ("bedrock-runtime", "OpenAIModels"): {"bedrock:ListFoundationModels"},
    ("bedrock-runtime", "AnthropicMessages"): INVOKE_AND_STREAM,
    ("bedrock-runtime", "AnthropicCountTokens"): {"bedrock:CountTokens"},
    ("bedrock-runtime", "AnthropicModels"): {"bedrock:ListFoundationModels"},
    ("bedrock-mantle", "OpenAIChatCompletions"): MANTLE,
    ("bedrock-mantle", "OpenAIEmbeddings"): MANTLE,
    ("bedrock-mantle", "OpenAIResponses"): MANTLE,
    ("bedrock-mantle", "OpenAIModels"): {"bedrock-mantle:ListModels"},
    ("bedrock-mantle", "AnthropicMessages"): MANTLE,
    ("bedrock-mantle", "AnthropicCountTokens"): {"bedrock-mantle:CountTokens"},
    ("bedrock-mantle", "AnthropicModels"): {"bedrock-mantle:ListModels"},
    ("bedrock-agent-runtime", "Rerank"): {"bedrock:Rerank", *INVOKE},
    ("bedrock-agent-runtime", "GenerateQuery"): {"bedrock:GenerateQuery", "bedrock:GetKnowledgeBase"},
    ("bedrock-agent-runtime", "RetrieveAndGenerate"): {"bedrock:RetrieveAndGenerate", "bedrock:Retrieve", *INVOKE},
    ("bedrock-agent-runtime", "RetrieveAndGenerateStream"): {
        *("bedrock:RetrieveAndGenerate", "bedrock:Retrieve"),
        *INVOKE_AND_STREAM,
    },
}
# Allowed to whoever may call models, beside the calls themselves
FIND_MODELS = {
    "bedrock:GetFoundationModelAvailability": "flask doctor --model asks it",
    "bedrock:GetInferenceProfile": "the gateway asks it to price application inference profiles",
    "bedrock:ListFoundationModels": "flask doctor asks it",
    "bedrock:ListInferenceProfiles": "Claude Code asks it when it starts",
}
NAMED_BY_IAM_ALONE = {
    "bedrock-mantle:CountTokens": "AnthropicCountTokens on bedrock-mantle",
    "bedrock-mantle:CreateInference": "every call to a model on bedrock-mantle",
    "bedrock-mantle:ListModels": "the lists of models on bedrock-mantle",
}


def statements(policy: str) -> list[dict[str, Any]]:
    content = json.loads((FOLDER / f"{policy}.json").read_text())
    found: list[dict[str, Any]] = content["Statement"]
    return found


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(policy: str) -> list[str]:
    return [action for statement in statements(policy) for action in as_list(statement["Action"])]


def action_of(operation: Operation) -> str:
    """The action that carries the operation's own name."""
    return f"{load_table().services[operation.service].signing_name}:{operation.operation}"


def needed(operations: Iterable[Operation]) -> set[str]:
    """What IAM asks for these operations."""
    found = (ACTIONS_OF.get((row.service, row.operation), {action_of(row)}) for row in operations)
    return set().union(*found)


def of_effect(*effects: str) -> list[Operation]:
    return [row for row in load_table().operations if row.effect in effects]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_one_that_iam_takes(policy: str) -> None:
    text = (FOLDER / f"{policy}.json").read_text()
    sids = [statement["Sid"] for statement in statements(policy)]

    assert json.loads(text)["Version"] == "2012-10-17"
    assert all(set(statement) == {"Sid", "Effect", "Action", "Resource"} for statement in statements(policy))
    assert {statement["Effect"] for statement in statements(policy)} == {"Allow"}
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    assert len(sids) == len(set(sids))
    assert len(re.sub(r"\s", "", text)) <= MANAGED_POLICY_CHARACTERS


@pytest.mark.parametrize("policy", POLICIES)
def test_every_allowed_action_is_an_operation_or_a_listed_exception(policy: str) -> None:
    known = {action_of(row) for row in load_table().operations} | set(NAMED_BY_IAM_ALONE)

    assert set(allowed(policy)) <= known
    assert len(allowed(policy)) == len(set(allowed(policy)))


def test_every_exception_belongs_to_an_operation_of_the_table() -> None:
    table = {(row.service, row.operation) for row in load_table().operations}

    assert set(ACTIONS_OF) <= table


def test_inference_only_allows_what_inference_needs_and_nothing_else() -> None:
    assert set(allowed(INFERENCE)) == needed(of_effect("inference")) | set(FIND_MODELS)


def test_inference_only_allows_no_write_no_secret_and_no_agent() -> None:
    forbidden = {action_of(row) for row in of_effect("agents", "private", "write", "secret")}

    assert set(allowed(INFERENCE)).isdisjoint(forbidden)


def test_agents_are_added_to_inference_and_nothing_else() -> None:
    expected = needed(of_effect("inference", "agents")) | set(FIND_MODELS)
    forbidden = {action_of(row) for row in of_effect("private", "write", "secret")}

    assert set(allowed(AGENTS)) == expected
    assert set(allowed(AGENTS)).isdisjoint(forbidden)
    assert [row for row in statements(AGENTS) if row in statements(INFERENCE)] == statements(INFERENCE)


@pytest.mark.parametrize("policy", [INFERENCE, AGENTS])
def test_models_are_not_called_asynchronously(policy: str) -> None:
    """StartAsyncInvoke, which writes to S3, is InvokeModel on a resource of its own."""
    resources = [name for statement in statements(policy) for name in as_list(statement["Resource"])]
    invoking = [row for row in statements(policy) if "bedrock:InvokeModel" in as_list(row["Action"])]

    assert not any("async-invoke" in name for name in resources)
    assert all("*" not in as_list(statement["Resource"]) for statement in invoking)


def test_read_only_allows_exactly_what_only_reads_on_the_control_planes() -> None:
    expected = {action_of(row) for row in of_effect("read") if row.service in CONTROL_PLANES}
    other = {action_of(row) for row in load_table().operations if row.effect != "read"}

    assert set(allowed(READ_ONLY)) == expected
    assert set(allowed(READ_ONLY)).isdisjoint(other)


def test_the_statements_in_the_readme_are_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)

    assert blocks
    for block in blocks:
        assert {"Sid", "Effect", "Action", "Resource"} <= set(json.loads(block))
