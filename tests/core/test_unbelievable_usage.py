"""Usage that cannot be believed, or is not where it should be, is unknown, whatever JSON stands anywhere."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from app.core.estimates import Ratios
from app.core.json_skim import Skimmed, skim
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.usage import Usage
from app.core.usage_readers import reader_for
from tests.metered_answers import CLAUDE, Answered, converse, converse_stream, invoke, invoke_stream

BAD = [-1, 10**9 + 1, 10**400, 1.5, True, "12", [1], {"a": 1}, float("nan"), float("inf"), -0.5]
MANTLE = "/bedrock-mantle/v1"


def _in_converse(bad: object) -> Usage:
    return converse().with_json({"usage": {"inputTokens": bad, "outputTokens": 2}})


def _in_cache_details(bad: object) -> Usage:
    details = [{"ttl": "1h", "inputTokens": bad}]
    return converse().with_json({"usage": {"inputTokens": 1, "outputTokens": 2, "cacheDetails": details}})


def _in_metadata(bad: object) -> Usage:
    return converse_stream().with_events([("metadata", {"usage": {"inputTokens": 1, "outputTokens": bad}})])


def _in_message_start(bad: object) -> Usage:
    return invoke_stream().with_chunks(
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": bad}}},
            {"type": "message_delta", "usage": {"output_tokens": 5}},
        ]
    )


def _in_metrics(bad: object) -> Usage:
    metrics = {"inputTokenCount": bad, "outputTokenCount": 1}
    return invoke_stream("cohere.command-r-v1:0").with_chunks([{"amazon-bedrock-invocationMetrics": metrics}])


def _in_titan(bad: object) -> Usage:
    return invoke("amazon.titan-text-lite-v1").with_json({"inputTextTokenCount": 1, "results": [{"tokenCount": bad}]})


def _in_chat(bad: object) -> Usage:
    call = Answered(MANTLE + "/chat/completions", {"model": "openai.gpt-oss-20b"})
    return call.with_json({"usage": {"prompt_tokens": bad, "completion_tokens": 1}})


def _in_guardrail(bad: object) -> Usage:
    return Answered("/bedrock/guardrail/abcdefghijkl/version/1/apply").with_json({"usage": {"topicPolicyUnits": bad}})


def _in_trace(bad: object) -> Usage:
    trace = {"guardrail": {"inputAssessment": {"a": {"invocationMetrics": {"usage": {"wordPolicyUnits": bad}}}}}}
    return converse().with_json({"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": trace})


def _in_counting(bad: object) -> Usage:
    return Answered(f"/bedrock/model/{CLAUDE}/count-tokens").with_json({"inputTokens": bad})


PLACES: list[Callable[[object], Usage]] = [
    _in_converse,
    _in_cache_details,
    _in_metadata,
    _in_message_start,
    _in_metrics,
    _in_titan,
    _in_chat,
    _in_guardrail,
    _in_trace,
    _in_counting,
]


@pytest.mark.parametrize("place", PLACES)
def test_a_number_that_is_no_count_makes_all_of_the_usage_unknown(place: Callable[[object], Usage]) -> None:
    for bad in BAD:
        found = place(bad)
        assert (found.source, found.counts) == ("unknown", {}), bad
        assert found.problem


@pytest.mark.parametrize("place", PLACES)
def test_the_largest_count_and_whole_floats_are_believed(place: Callable[[object], Usage]) -> None:
    for good in (1, 10**9 - 10, 5.0):
        assert place(good).source == "reported", good


@pytest.mark.parametrize("text", ["-1", "1.5", "abc", "", "99999999999999999999", "1e3", "\u0661"])
def test_a_header_that_is_no_count_is_not_believed_but_the_body_is(text: str) -> None:
    headers = [("X-Amzn-Bedrock-Input-Token-Count", text), ("X-Amzn-Bedrock-Output-Token-Count", "5")]

    found = invoke("cohere.command-r-v1:0").with_json({"text": "a"}, *headers)
    native = invoke().with_json({"usage": {"input_tokens": 1, "output_tokens": 2}}, *headers)

    assert found.source == "unknown"
    assert found.problem
    assert (native.source, native.counts) == ("reported", {"input": 1, "output": 2})


@pytest.mark.parametrize(
    "usage", [{}, {"inputTokens": 5}, {"outputTokens": 5}, {"inputTokens": None, "outputTokens": 5}, [], "5", 5, None]
)
def test_a_usage_block_that_says_half_is_unknown(usage: object) -> None:
    for found in (
        converse().with_json({"usage": usage}),
        converse_stream().with_events([("metadata", {"usage": usage})]),
    ):
        assert (found.source, found.counts) == ("unknown", {})
        assert found.problem


def test_more_that_was_cached_than_there_was_is_not_believed() -> None:
    call = Answered(MANTLE + "/chat/completions", {"model": "openai.gpt-oss-20b"})
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}}
    long = {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 3}
    details = [{"ttl": "1h", "inputTokens": 4}]

    assert call.with_json({"usage": usage}).source == "unknown"
    assert converse().with_json({"usage": {**long, "cacheDetails": details}}).source == "unknown"


@pytest.mark.parametrize("body", [{"message": "no"}, {"error": {"message": "no"}}, {}, [], b"", b"\xff\x00", b'{"a":'])
def test_an_error_with_the_status_of_a_success_is_unknown(body: object) -> None:
    rerank = invoke("cohere.rerank-v3-5:0", {"query": "q", "documents": ["d"]})
    image = invoke("amazon.nova-canvas-v1:0", {"taskType": "TEXT_IMAGE"})
    for call in (converse(), invoke(), rerank, image, Answered("/bedrock/rerank", {"sources": [{}]})):
        assert call.with_json(body).source == "unknown"


def test_an_exception_inside_a_stream_leaves_its_usage_unknown() -> None:
    text = ("contentBlockDelta", {"delta": {"text": "some text"}})
    for complete in (True, False):
        found = converse_stream().with_events(
            [text, ("modelStreamErrorException", {"message": "no"})], complete=complete
        )
        assert found.source == "unknown"


def _anything(chance: random.Random, depth: int = 0) -> Any:
    names = (
        "usage inputTokens outputTokens input_tokens output_tokens prompt_tokens cacheDetails cache_creation trace "
        "guardrail results tokenCount message type choices metadata amazon-bedrock-invocationMetrics response "
        "modelInvocationOutput modelInvocationInput traceId foundationModel inputTextTokenCount serviceTier delta "
        "bytes messages inferenceConfig maxTokens modelInput videoGenerationConfig durationSeconds images service_tier"
    ).split()
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind >= 6:
        pairs = range(chance.randrange(4))
        if kind == 6:
            return [_anything(chance, depth + 1) for _ in pairs]
        return {chance.choice(names): _anything(chance, depth + 1) for _ in pairs}
    return (None, True, chance.randint(-9, 9), chance.random(), "message_start", chance.choice(["1h", "", "9s"]))[kind]


OPERATIONS = [
    f"/bedrock/model/{CLAUDE}/converse",
    f"/bedrock/model/{CLAUDE}/converse-stream",
    f"/bedrock/model/{CLAUDE}/invoke",
    f"/bedrock/model/{CLAUDE}/invoke-with-response-stream",
    "/bedrock/async-invoke",
    "/bedrock/rerank",
    "/bedrock/agents/ABCDEFGHIJ/agentAliases/KLMNOPQRST/sessions/1/text",
    "/bedrock/guardrail-checks/invoke",
    MANTLE + "/responses",
    MANTLE + "/chat/completions",
    MANTLE + "/messages",
]
EVENTS = ("metadata", "contentBlockDelta", "contentBlockStart", "trace", "message", "response.completed", "error")


@pytest.mark.parametrize("line", OPERATIONS)
def test_no_json_anywhere_makes_a_reader_raise(line: str) -> None:
    chance = random.Random(line)
    call = Answered(line, {"model": "a.b"}).call
    for _ in range(150):
        asked = json.dumps(_anything(chance)).encode()
        facts = request_facts(call, skim(asked, FACT_MEMBERS), {"x-amzn-bedrock-service-tier": "x"}, asked)
        reader = reader_for(call, facts, Ratios())
        assert reader is not None
        reader.headers({"x-amzn-bedrock-input-token-count": chance.choice(["", "1", "x"])})
        content = {name: _anything(chance) for name in sorted(reader.wants)}
        if chance.random() < 0.5:
            reader.body(Skimmed(content, {"images": 2}, sound=True))
        for _ in range(3):
            event = json.dumps(_anything(chance)).encode()
            wrapped = json.dumps({"bytes": base64.b64encode(event).decode()}).encode()
            reader.event(chance.choice(EVENTS), event)
            reader.event("chunk", chance.choice([wrapped, event, b"", b'{"bytes":"*"}', b'{"bytes":"YQ']))
        assert reader.usage(chance.random() < 0.5).source in ("reported", "estimated", "unknown")
