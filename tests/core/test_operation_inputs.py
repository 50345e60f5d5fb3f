"""What the table says an input names: paths, labels and their patterns, against botocore's input shapes."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest

from tests.core.bedrock_models import botocore_rows, committed_table, members_below, modelled_operations, table_rows
from tools.input_paths import MemberReview, UnreviewedInputError, input_paths
from tools.operations_table import service_models

MODEL_IDS = [
    "anthropic.claude-3-haiku-20240307-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "openai.gpt-oss-120b-1:0",
    "amazon.titan-text-express-v1:0:8k",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:application-inference-profile/abc123def456",
    "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123def456",
    "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:3",
]
LOCATIONS = {"path": ("uri",), "query": ("querystring",), "header": ("header", "headers"), "body": ("body",)}
# AWS's own limit of a model id in a path is 2048 characters.
HOSTILE_STRINGS = [
    "a" * 2048,
    "a." * 1024 + "!",
    "a-" * 1023 + "!",
    "a:" * 1023 + "!",
    "a." + "a" * 2040 + "!",
    "a.a:" * 500 + "/",
    "arn:aws" + "-" * 2000 + "!",
    "arn:aws-a:bedrock:us-east-1::foundation-model/" + "a." * 900 + "!",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model/" + "a" * 63 + "." + "a:" * 900 + "!",
]


def is_opaque(shape: Any) -> bool:
    """Nothing inside is modelled."""
    return shape.type_name == "blob" or bool(getattr(shape, "is_document_type", False))


def step(shape: Any, element: str) -> list[Any]:
    """The shapes reached by one element of a path, as `a[]`."""
    name, brackets = re.fullmatch(r"([^\[{]+)((?:\[\]|\{\})*)", element).groups()  # type: ignore[union-attr] # by design
    if shape.type_name != "structure":
        return []
    reached = [inner for member, inner in shape.members.items() if inner.serialization.get("name", member) == name]
    for bracket in re.findall(r"\[\]|\{\}", brackets):
        kind, attribute = ("list", "member") if bracket == "[]" else ("map", "value")
        reached = [getattr(inner, attribute) for inner in reached if inner.type_name == kind]
    return reached


def exists(input_shape: Any, path: str) -> bool:
    """Whether an input has such a place, by this file's own reading of the notation."""
    location, *elements = path.removeprefix("s3:").split(".")
    payload = input_shape.serialization.get("payload")
    if location == "body" and payload:
        shapes = [input_shape.members[payload]]
    else:
        first = [shape for shape in step(input_shape, elements.pop(0)) if not shape.serialization.get("eventstream")]
        shapes = [shape for shape in first if shape.serialization.get("location", "body") in LOCATIONS[location]]
    for element in elements:
        if element == "**" and all(map(is_opaque, shapes)):
            return bool(shapes)
        if element == "**":
            last = re.sub(r"[\[\]{}]", "", elements[-1])
            return any(
                last == inner.serialization.get("name", name) for s in shapes for name, inner in members_below(s)
            )
        shapes = [inner for shape in shapes for inner in step(shape, element)]
    return bool(shapes)


def test_every_input_path_exists() -> None:
    missing = [
        (row["operation"], path)
        for row in botocore_rows()
        for path in (*row.get("models", ()), *row.get("resources", ()))
        if not exists(modelled_operations()[row["service"], row["operation"]].input_shape, path)
    ]

    assert missing == []


def test_every_model_field_of_a_request_is_listed() -> None:
    names = re.compile(r"^(model|target|desired)?(Model)?(Id|Arn|Identifier)$|^(foundationModel|embeddingModelArn)$")
    for row in botocore_rows():
        members = {n for n, _ in members_below(modelled_operations()[row["service"], row["operation"]].input_shape)}
        named = {n for n in members if names.match(n) and "odel" in n}
        assert named <= {path.rpartition(".")[2] for path in row.get("models", ())}, row["operation"]


def test_every_label_pattern_compiles_and_belongs_to_a_label_that_names_a_model() -> None:
    for row in table_rows():
        for label, pattern in row.get("label_patterns", {}).items():
            re.compile(committed_table()["patterns"][pattern])
            assert f"{{{label}}}" in row["path"]
            assert f"path.{label}" in row["models"]


@pytest.mark.parametrize("model", MODEL_IDS)
@pytest.mark.parametrize("pattern", ["ConversationalModelId", "InvokeModelIdentifier"])
def test_real_model_ids_match_in_full(pattern: str, model: str) -> None:
    assert re.fullmatch(committed_table()["patterns"][pattern], model)


@pytest.mark.parametrize("model", ["", "a b", "../secret", "a\n", "a/b/c", "x%2Fy", "arn:aws:s3:::bucket/key"])
@pytest.mark.parametrize("pattern", ["ConversationalModelId", "InvokeModelIdentifier"])
def test_what_is_no_model_id_does_not_match(pattern: str, model: str) -> None:
    assert not re.fullmatch(committed_table()["patterns"][pattern], model)


def test_no_label_pattern_can_be_made_to_backtrack() -> None:
    for (name, pattern), hostile in itertools.product(committed_table()["patterns"].items(), HOSTILE_STRINGS):
        started = time.process_time()
        re.fullmatch(pattern, hostile)
        assert time.process_time() - started < 0.1, (name, hostile[:60])


def test_an_identifier_that_nobody_reviewed_stops_the_generator() -> None:
    converse = service_models()["bedrock-runtime"].operation_model("Converse")
    review = MemberReview({"guardrailIdentifier": "resources", "uri": "s3"})

    with pytest.raises(UnreviewedInputError, match=r"Converse: not reviewed: .*path\.modelId"):
        input_paths(converse, review)
