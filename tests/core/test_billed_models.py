"""The model that a call is billed for, where its body names it."""

from typing import Any

import pytest

from app.core.billed_models import model_in, model_members
from app.core.operations import Operation, load_table

RERANKER = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
WRITER = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"


def operation(name: str) -> Operation:
    return next(one for one in load_table().operations if one.operation == name)


def reranking(model: object) -> dict[str, Any]:
    return {"rerankingConfiguration": {"bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": model}}}}


def test_a_reranker_is_named_deep_in_the_body() -> None:
    """Where AWS has it."""
    assert model_in(operation("Rerank"), reranking(RERANKER)) == RERANKER


def test_of_several_models_the_nearest_to_the_top_is_billed() -> None:
    """The one that writes the answer, not the one that ranked what it was written from."""
    retrieval = {"retrievalConfiguration": {"vectorSearchConfiguration": reranking(RERANKER)}}
    base = {"knowledgeBaseConfiguration": retrieval | {"modelArn": WRITER}}

    assert model_in(operation("RetrieveAndGenerate"), {"retrieveAndGenerateConfiguration": base}) == WRITER


def test_the_members_to_read_are_known_before_the_body_is() -> None:
    """Only their values are kept of a large one."""
    assert model_members(operation("Rerank").models) == {"rerankingConfiguration"}
    assert model_members(operation("StartAsyncInvoke").models) == {"modelId"}
    assert model_members(operation("Converse").models) == frozenset()


@pytest.mark.parametrize("model", [None, 7, "", "x" * 2049, "a\nb", [], ["a"], {"a": "b"}])
def test_what_is_no_model_is_none(model: object) -> None:
    """Whatever stands there."""
    assert model_in(operation("Rerank"), reranking(model)) is None


@pytest.mark.parametrize("values", [{}, {"rerankingConfiguration": 1}, {"rerankingConfiguration": [[]]}])
def test_a_body_of_another_shape_names_none(values: dict[str, Any]) -> None:
    """It is AWS's to refuse."""
    assert model_in(operation("Rerank"), values) is None
