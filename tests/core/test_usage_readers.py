"""Every shape of answer in which Bedrock says what was used: by botocore's shapes and the vendors' own APIs, for what
recordings do not show."""

import json
from typing import Any

import pytest

from tests.metered_answers import CLAUDE, Answered, converse, converse_stream, invoke, invoke_stream

ROUTER = "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router%2Fanthropic.claude:1"
OPAQUE = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model%2Fabcdef123456"
MANTLE = "/bedrock-mantle/v1"
RUNTIME = "/bedrock/openai/v1"
TEXT = {"contentBlockIndex": 0, "delta": {"text": "a few words of text"}}


def test_converse_counts_writes_to_the_cache_by_how_long_they_live() -> None:
    usage = {
        "inputTokens": 3,
        "outputTokens": 227,
        "totalTokens": 1952,
        "cacheReadInputTokens": 10,
        "cacheReadInputTokenCount": 10,
        "cacheWriteInputTokens": 1712,
        "cacheWriteInputTokenCount": 1712,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 700}, {"ttl": "5m", "inputTokens": 1012}],
    }

    found = converse().with_json({"usage": usage, "serviceTier": {"type": "flex"}})

    assert (found.source, found.method, found.tier) == ("reported", "converse", "flex")
    assert found.counts == {
        "input": 3,
        "output": 227,
        "cache_read": 10,
        "cache_write_5m": 1012,
        "cache_write_1h": 700,
    }


def test_converse_counts_writes_of_unsaid_life_as_those_of_5_minutes() -> None:
    found = converse().with_json({"usage": {"inputTokens": 3, "outputTokens": 2, "cacheWriteInputTokens": 40}})
    assert found.counts == {"input": 3, "output": 2, "cache_write_5m": 40}


def test_an_answer_is_read_to_its_end_however_many_brackets_a_tool_is_called_with() -> None:
    written = b'{"output":{"message":{"content":[{"toolUse":{"input":{"a":[' + b"[[[[]]]]," * 100_000
    found = converse().with_json(written + b'1]}}}]}},"usage":{"inputTokens":9,"outputTokens":64000}}')
    assert (found.source, found.counts) == ("reported", {"input": 9, "output": 64_000})


def test_a_prompt_routers_answer_names_the_model_that_it_chose() -> None:
    body = {"usage": {"inputTokens": 3, "outputTokens": 2}, "trace": {"promptRouter": {"invokedModelId": CLAUDE}}}
    guarded = {**body, "trace": {"promptRouter": {"invokedModelId": CLAUDE}, **GUARDED}}
    assert converse(ROUTER).with_json(body).by_model == {CLAUDE: {"input": 3, "output": 2}}
    assert converse(ROUTER).with_json(guarded).by_model == {CLAUDE: {"input": 3, "output": 2}}


ASSESSMENT = {"invocationMetrics": {"usage": {"topicPolicyUnits": 1, "contentPolicyUnits": 2, "wordPolicyUnits": 0}}}
GUARDED = {
    "guardrail": {"inputAssessment": {"abc": ASSESSMENT}, "outputAssessments": {"abc": [ASSESSMENT, ASSESSMENT]}}
}
SUM = {"topicPolicyUnits": 3, "contentPolicyUnits": 6}


def test_a_guardrails_units_are_summed_over_what_it_assessed() -> None:
    body = {"usage": {"inputTokens": 3, "outputTokens": 2}, "trace": GUARDED}
    events = [("contentBlockDelta", TEXT), ("messageStop", {}), ("metadata", body)]

    assert converse().with_json(body).counts == {"input": 3, "output": 2, **SUM}
    assert converse_stream().with_events(events).counts == {"input": 3, "output": 2, **SUM}


def test_invoke_model_has_its_guardrails_units_in_its_own_trace() -> None:
    trace = {"guardrail": {"input": {"abc": ASSESSMENT}, "outputs": [{"abc": ASSESSMENT}, {"abc": ASSESSMENT}]}}
    body = {"usage": {"input_tokens": 1, "output_tokens": 1}, "amazon-bedrock-trace": trace}

    assert invoke().with_json(body).counts == {"input": 1, "output": 1, **SUM}
    assert invoke_stream().with_chunks(
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
            {"type": "message_delta", "usage": {"output_tokens": 1}},
            {"type": "message_stop", "amazon-bedrock-trace": trace},
        ]
    ).counts == {"input": 1, "output": 1, **SUM}


def test_the_metadata_after_the_message_is_read() -> None:
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", TEXT),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 5}, "serviceTier": {"type": "priority"}}),
    ]

    found = converse_stream().with_events(events)

    assert (found.source, found.method, found.tier) == ("reported", "converse_stream", "priority")
    assert found.counts == {"input": 9, "output": 5}
    assert converse_stream().with_events(events, complete=False).source == "reported"
    assert converse_stream().with_events(events, headers=()).counts == found.counts


BODIES: list[tuple[str, Any, dict[str, int]]] = [
    (
        CLAUDE,
        {
            "usage": {
                "input_tokens": 3,
                "output_tokens": 44,
                "cache_read_input_tokens": 9511,
                "cache_creation_input_tokens": 1956,
                "cache_creation": {"ephemeral_5m_input_tokens": 956, "ephemeral_1h_input_tokens": 1000},
            }
        },
        {"input": 3, "output": 44, "cache_read": 9511, "cache_write_5m": 956, "cache_write_1h": 1000},
    ),
    (
        "amazon.nova-pro-v1:0",
        {"usage": {"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8}},
        {"input": 5, "output": 6, "cache_read": 7, "cache_write_5m": 8},
    ),
    (
        "amazon.titan-text-express-v1",
        {"inputTextTokenCount": 5, "results": [{"tokenCount": 7, "outputText": "a"}, {"tokenCount": 8}]},
        {"input": 5, "output": 15},
    ),
    ("amazon.titan-embed-text-v2:0", {"embedding": [0.5] * 9, "inputTextTokenCount": 6}, {"input": 6}),
    ("meta.llama3-8b-instruct-v1:0", {"prompt_token_count": 4, "generation_token_count": 9}, {"input": 4, "output": 9}),
    (
        "openai.gpt-oss-20b-1:0",
        {
            "choices": [],
            "usage": {"prompt_tokens": 90, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 30}},
        },
        {"input": 60, "output": 8, "cache_read": 30},
    ),
    ("ai21.jamba-1-5-mini-v1:0", {"usage": {"prompt_tokens": 17, "completion_tokens": 8}}, {"input": 17, "output": 8}),
]


@pytest.mark.parametrize(("model", "body", "counts"), BODIES)
def test_invoke_model_is_read_in_the_models_own_words_whatever_its_name(
    model: str, body: object, counts: dict[str, int]
) -> None:
    for name in (model, OPAQUE, "unheard.of-model-v9:0"):
        found = invoke(name).with_json(body)
        assert (found.source, found.method, found.counts) == ("reported", "body", counts)


def test_invoke_model_is_read_by_its_headers_where_the_body_says_nothing() -> None:
    headers = [
        ("X-Amzn-Bedrock-Input-Token-Count", "5"),
        ("X-Amzn-Bedrock-Output-Token-Count", "6"),
        ("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "7"),
        ("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "8"),
        ("X-Amzn-Bedrock-Service-Tier", "default"),
    ]
    counts = {"input": 5, "output": 6, "cache_read": 7, "cache_write_5m": 8}

    found = invoke("cohere.command-r-v1:0").with_json({"text": "hello"}, *headers)
    cut = invoke("cohere.command-r-v1:0").with_json(b'{"text": "hel', *headers, complete=False)

    assert (found.source, found.method, found.counts, found.tier) == ("reported", "headers", counts, "default")
    assert (cut.source, cut.counts) == ("reported", counts)


def test_embeddings_are_read_by_headers_that_know_no_output() -> None:
    headers = [("X-Amzn-Bedrock-Input-Token-Count", "5")]
    assert invoke("cohere.embed-v4:0").with_json({"embeddings": {"float": [[0.1]]}}, *headers).counts == {"input": 5}


def test_what_an_image_in_an_embedding_costs_is_beside_its_tokens() -> None:
    asked = {"inputText": "a", "inputImage": "aGVsbG8="}
    found = invoke("amazon.titan-embed-image-v1", asked).with_json({"embedding": [0.1], "inputTextTokenCount": 3})
    assert found.counts == {"input": 3, "input_image_each": 1}


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("amazon.titan-image-generator-v2:0", {"images": ["aGVs" * 30_000, "bG8="], "error": None}),
        ("amazon.nova-canvas-v1:0", {"images": ["aGVs", "bG8="]}),
        ("stability.stable-image-core-v1:1", {"seeds": [1, 2], "finish_reasons": [None, None], "images": ["a", "b"]}),
        ("stability.stable-diffusion-xl-v1", {"result": "success", "artifacts": [{"base64": "aGVs"}, {"seed": 1}]}),
    ],
)
def test_images_are_counted_in_the_answer(model: str, answer: object) -> None:
    asked = {"imageGenerationConfig": {"numberOfImages": 3, "width": 1024, "height": 1024}}
    found = invoke(model, asked).with_json(answer)
    assert (found.source, found.counts) == ("reported", {"output_image": 2})
    assert found.image_size == (None if "core" in model else "1024-x-1024/50-steps")


@pytest.mark.parametrize(("documents", "queries"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_reranking_is_one_query_for_each_100_documents(documents: int, queries: int) -> None:
    model = invoke("cohere.rerank-v3-5:0", {"query": "q", "documents": ["d"] * documents})
    agent = Answered(
        "/bedrock/rerank",
        {
            "queries": [{"type": "TEXT", "textQuery": {"text": "q"}}],
            "sources": [{"type": "INLINE"}] * documents,
            "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL"},
        },
    )
    for call in (model, agent):
        found = call.with_json({"results": [{"index": 0, "relevance_score": 0.9}]})
        assert (found.source, found.method, found.counts) == ("reported", "request", {"query": queries})


STARTED = {"invocationArn": "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abc"}


@pytest.mark.parametrize(
    ("model", "asked", "counts"),
    [
        ("amazon.nova-reel-v1:1", {"taskType": "TEXT_VIDEO"}, {"output_video_second": 6}),
        (
            "amazon.nova-reel-v1:1",
            {"videoGenerationConfig": {"durationSeconds": 24}},
            {"output_video_second": 24},
        ),
        ("amazon.nova-reel-v1:1", {"multiShotManualParams": {"shots": [{}, {}]}}, {"output_video_second": 12}),
        ("luma.ray-v2:0", {"prompt": "p", "duration": "9s"}, {"output_video_second": 9}),
        ("twelvelabs.marengo-embed-2-7-v1:0", {"inputType": "video", "lengthSec": 7.5}, {"input_video_second": 8}),
        ("twelvelabs.marengo-embed-2-7-v1:0", {"inputType": "text", "inputText": "a"}, {"query": 1}),
    ],
)
def test_what_is_started_is_billed_by_what_was_asked_for(model: str, asked: object, counts: dict[str, int]) -> None:
    call = Answered("/bedrock/async-invoke", {"modelId": model, "modelInput": asked})
    assert call.facts.reports_usage
    assert (call.with_json(STARTED).source, call.with_json(STARTED).counts) == ("reported", counts)
    assert call.with_json({"message": "no"}).source == "unknown"


def test_a_video_whose_length_only_aws_knows_is_unknown() -> None:
    asked = {"inputType": "video", "mediaSource": {"s3Location": {"uri": "s3://a/b.mp4"}}}
    call = Answered("/bedrock/async-invoke", {"modelId": "twelvelabs.marengo-embed-2-7-v1:0", "modelInput": asked})
    assert not call.facts.reports_usage
    assert call.with_json(STARTED).source == "unknown"


def test_tokens_of_a_video_whose_length_is_unknown_are_not_all_that_is_billed() -> None:
    headers = [("X-Amzn-Bedrock-Input-Token-Count", "5"), ("X-Amzn-Bedrock-Output-Token-Count", "6")]
    found = invoke("us.twelvelabs.pegasus-1-2-v1:0", {"inputPrompt": "what?"}).with_json({"message": "a"}, *headers)
    assert (found.source, found.counts) == ("unknown", {})


BEGUN = {
    "type": "message_start",
    "message": {
        "usage": {
            "input_tokens": 20,
            "output_tokens": 8,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        }
    },
}
SPOKEN = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a few words on a token"}}
WRITTEN = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 133}}
STOPPED = {
    "type": "message_stop",
    "amazon-bedrock-invocationMetrics": {"inputTokenCount": 20, "outputTokenCount": 97, "invocationLatency": 3},
}
CLAUDES = {"input": 20, "output": 133, "cache_read": 5, "cache_write_5m": 10, "cache_write_1h": 20}


def test_the_output_of_claudes_events_is_what_message_delta_says_last() -> None:
    first = {"type": "message_delta", "usage": {"output_tokens": 12}}
    events = [BEGUN, SPOKEN, first, SPOKEN, WRITTEN, STOPPED]
    mantle = Answered(MANTLE + "/messages", {"model": "anthropic.claude-opus-4", "stream": True})
    runtime = Answered("/bedrock/anthropic/v1/messages", {"model": "anthropic.claude-opus-4", "stream": True})

    assert invoke_stream().with_chunks(events).counts == CLAUDES
    assert invoke_stream(OPAQUE).with_chunks(events).counts == CLAUDES
    assert mantle.with_sse(events[:-1], named=True).counts == CLAUDES
    assert runtime.with_sse(events, named=True).counts == CLAUDES


def test_metrics_stand_in_where_claude_never_said_its_output() -> None:
    found = invoke_stream().with_chunks([BEGUN, SPOKEN, STOPPED])
    assert (found.source, found.counts) == ("reported", CLAUDES | {"output": 97})


def test_an_anthropic_answer_in_one_piece_is_read() -> None:
    call = Answered(MANTLE + "/messages", {"model": "anthropic.claude-opus-4", "max_tokens": 5})
    found = call.with_json({"content": [], "usage": {**BEGUN["message"]["usage"], "output_tokens": 133}})  # type: ignore[index]  # as written above
    assert (found.source, found.method, found.counts) == ("reported", "anthropic_messages", CLAUDES)


@pytest.mark.parametrize(
    "chunks",
    [
        # Llama: the input in the first, and how much there is so far in each
        [
            {"generation": "a", "prompt_token_count": 9, "generation_token_count": 1},
            {"generation": "b", "prompt_token_count": None, "generation_token_count": 2},
            {"generation": "", "prompt_token_count": None, "generation_token_count": 26},
        ],
        # Titan: so far, in each
        [
            {"outputText": "a", "inputTextTokenCount": 9, "totalOutputTextTokenCount": 20},
            {"outputText": "b", "inputTextTokenCount": None, "totalOutputTextTokenCount": 26},
        ],
        # Jamba: so far, in each, and metrics in an event of their own
        [
            {"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 0}},
            {"choices": [{"delta": {"content": "b"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 26}},
            {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 26}},
        ],
        # Nova
        [
            {"contentBlockDelta": {"delta": {"text": "a"}}},
            {"metadata": {"usage": {"inputTokens": 9, "outputTokens": 26}, "trace": {}}},
        ],
        # OpenAI's
        [
            {"choices": [{"delta": {"content": "a"}}], "usage": None},
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 26, "total_tokens": 35}},
        ],
        # Cohere and Mistral: metrics alone
        [
            {"outputs": [{"text": "a token"}]},
            {
                "outputs": [{"text": "b"}],
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 26},
            },
        ],
    ],
    ids=["llama", "titan", "jamba", "nova", "openai", "metrics"],
)
def test_every_vendors_stream_is_read_whatever_the_models_name(chunks: list[object]) -> None:
    for model in ("meta.llama3-8b-instruct-v1:0", OPAQUE):
        found = invoke_stream(model).with_chunks(chunks)
        assert (found.source, found.counts) == ("reported", {"input": 9, "output": 26})


PARTS = [{"choices": [{"index": 0, "delta": {"content": word}}], "usage": None} for word in ("one", "two")]


def test_a_chat_stream_is_read_where_it_includes_its_usage() -> None:
    asked = {"model": "openai.gpt-oss-20b", "stream": True, "stream_options": {"include_usage": True}}
    usage = {"prompt_tokens": 50, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 20}}
    last = {"choices": [], "usage": usage, "service_tier": "flex"}
    for path in (MANTLE, RUNTIME):
        call = Answered(path + "/chat/completions", asked)
        found = call.with_sse([*PARTS, last, "[DONE]"])
        assert call.facts.reports_usage
        assert (found.source, found.method, found.tier) == ("reported", "openai_chat", "flex")
        assert found.counts == {"input": 30, "output": 7, "cache_read": 20}


def test_a_chat_stream_that_does_not_is_unknown() -> None:
    call = Answered(MANTLE + "/chat/completions", {"model": "openai.gpt-oss-20b", "stream": True})
    assert not call.facts.reports_usage
    assert call.with_sse([*PARTS, "[DONE]"]).source == "unknown"


def test_responses_count_what_was_cached_apart_in_both_forms() -> None:
    details = {"cached_tokens": 10, "cache_write_tokens": 60}
    usage = {"input_tokens": 88, "input_tokens_details": details, "output_tokens": 9}
    counts = {"input": 18, "output": 9, "cache_read": 10, "cache_write_5m": 60}
    events = [
        {"type": "response.created", "response": {"usage": None, "max_output_tokens": 5}},
        {"type": "response.output_text.delta", "delta": "hello"},
        {"type": "response.incomplete", "response": {"usage": usage, "service_tier": "priority"}},
    ]

    streamed = Answered(MANTLE + "/responses", {"model": "openai.gpt-5", "stream": True}).with_sse(events)
    whole = Answered(RUNTIME + "/responses", {"model": "openai.gpt-5"}).with_json(
        {"usage": usage, "service_tier": "auto"}
    )

    assert (streamed.source, streamed.counts, streamed.tier) == ("reported", counts, "priority")
    assert (whole.source, whole.counts, whole.tier) == ("reported", counts, None)


def test_a_request_that_says_failed_and_is_repeated_does_not_make_a_response_that_is_left_free() -> None:
    said = {"usage": None, "metadata": {"word": "response.failed"}, "tools": [{"name": "response.failed"}]}
    spoken = {"type": "response.output_text.delta", "delta": "hello there, a few words"}
    call = Answered(MANTLE + "/responses", {"model": "openai.gpt-5", "stream": True})

    left = call.with_sse([{"type": "response.created", "response": said}, spoken], complete=False)
    failed = call.with_sse([spoken, {"type": "response.failed", "response": {"usage": None}}], complete=False)

    assert left.source == "estimated"
    assert left.counts["output"] > 1
    assert failed.source == "unknown"


@pytest.mark.parametrize("name", ["message_start", "message_delta"])
def test_a_tool_that_is_called_as_an_event_is_does_not_end_the_counting(name: str) -> None:
    def event(**delta: object) -> dict[str, object]:
        written = len(str(delta))
        return {"choices": [{"index": 0, "delta": delta}], "usage": {"prompt_tokens": 9, "completion_tokens": written}}

    called = event(tool_calls=[{"function": {"name": name, "arguments": ""}}])
    last = event(content="a" * 500)

    assert invoke_stream("openai.gpt-oss-20b-1:0").with_chunks([called, last]).counts["output"] > 500


def test_openai_embeddings_have_input_alone() -> None:
    call = Answered(MANTLE + "/embeddings", {"model": "amazon.titan-embed", "input": ["a"]})
    found = call.with_json({"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}})
    assert (found.source, found.counts) == ("reported", {"input": 5})


def test_counting_tokens_is_counted_and_not_input() -> None:
    native = Answered(f"/bedrock/model/{CLAUDE}/count-tokens")
    mantle = Answered(MANTLE + "/messages/count_tokens", {"model": "anthropic.claude-opus-4"})
    assert native.with_json({"inputTokens": 18}).counts == {"counted": 18}
    assert mantle.with_json({"input_tokens": 18}).counts == {"counted": 18}
    assert not native.facts.billed


def test_guardrails_are_counted_in_units() -> None:
    apply = Answered("/bedrock/guardrail/abcdefghijkl/version/1/apply")
    checks = Answered("/bedrock/guardrail-checks/invoke")
    usage = {"topicPolicyUnits": 1, "contentPolicyUnits": 2, "wordPolicyUnits": 0, "automatedReasoningPolicies": 1}

    assert apply.with_json({"usage": usage}).counts == {"topicPolicyUnits": 1, "contentPolicyUnits": 2}
    assert apply.with_json({"usage": {}}).source == "reported"
    assert apply.with_json({"action": "NONE"}).source == "unknown"
    assert checks.with_json(
        {"usage": {"contentFilter": {"textUnits": 1}, "promptAttack": {"textUnits": 2}, "sensitiveInformation": {}}}
    ).counts == {"contentFilterTextUnits": 1, "promptAttackTextUnits": 2}


def _called(model: str, trace: str) -> dict[str, Any]:
    return {"modelInvocationInput": {"foundationModel": model, "traceId": trace, "text": "..."}}


def _used(trace: str, read: int, written: int) -> dict[str, Any]:
    usage = {"inputTokens": read, "outputTokens": written}
    raw = {"content": json.dumps({"usage": {"inputTokens": 999, "outputTokens": 999}})}
    return {"modelInvocationOutput": {"traceId": trace, "metadata": {"usage": usage}, "rawResponse": raw}}


AGENT = "/bedrock/agents/ABCDEFGHIJ/agentAliases/KLMNOPQRST/sessions/1/text"
STEPS = [
    {"preProcessingTrace": _called("amazon.nova-lite-v1:0", "a")},
    {"preProcessingTrace": _used("a", 10, 1)},
    {"routingClassifierTrace": _called("amazon.nova-lite-v1:0", "b")},
    {"orchestrationTrace": _called(CLAUDE, "c")},
    {"routingClassifierTrace": _used("b", 20, 2)},
    {"orchestrationTrace": _used("c", 30, 3)},
    {"postProcessingTrace": _called(CLAUDE, "d")},
    {"postProcessingTrace": _used("d", 40, 4)},
]


def _traces() -> list[tuple[str, Any]]:
    return [("trace", {"collaboratorName": "other", "trace": step}) for step in STEPS]


def test_an_agents_traces_are_summed_by_the_models_that_they_name() -> None:
    call = Answered(AGENT, {"inputText": "hi", "enableTrace": True})
    found = call.with_events([*_traces(), ("chunk", {"bytes": "aGVsbG8="})])
    assert call.facts.reports_usage
    assert (found.source, found.counts) == ("reported", {"input": 100, "output": 10})
    assert found.by_model == {
        "amazon.nova-lite-v1:0": {"input": 30, "output": 3},
        CLAUDE: {"input": 70, "output": 7},
    }


def test_an_agent_without_traces_is_unknown_and_known_to_be_so() -> None:
    call = Answered(AGENT, {"inputText": "hi"})
    assert not call.facts.reports_usage
    assert call.with_events([("chunk", {"bytes": "aGVsbG8="})]).source == "unknown"
    assert call.with_events([("chunk", {"bytes": "aGVsbG8="})], complete=False).source == "unknown"


def test_an_agent_that_is_left_has_used_what_its_traces_said() -> None:
    call = Answered(AGENT, {"inputText": "hi", "enableTrace": True})
    found = call.with_events(_traces()[:6], complete=False)
    assert (found.source, found.counts) == ("estimated", {"input": 60, "output": 6})


def test_a_flows_agents_are_found_in_their_nodes_traces() -> None:
    parts = [{"trace": step} for step in STEPS]
    trace = {"nodeDependencyTrace": {"nodeName": "n", "traceElements": {"agentTraces": parts}}}
    call = Answered("/bedrock/flows/ABCDEFGHIJ/aliases/KLMNOPQRST", {"enableTrace": True, "inputs": []})
    found = call.with_events([("flowTraceEvent", {"trace": trace}), ("flowCompletionEvent", {})])
    assert (found.source, found.counts) == ("reported", {"input": 100, "output": 10})
    assert call.with_events([("flowCompletionEvent", {})]).source == "unknown"


def test_a_harness_sums_the_times_that_it_called_a_model() -> None:
    usage = {"inputTokens": 9, "outputTokens": 5}
    call = Answered("/bedrock-agentcore/harnesses/invoke?harnessArn=a", {"messages": []})
    found = call.with_events(
        [("metadata", {"usage": usage}), ("contentBlockDelta", TEXT), ("metadata", {"usage": usage})]
    )
    assert (found.source, found.counts) == ("reported", {"input": 18, "output": 10})


@pytest.mark.parametrize(
    "line", ["/bedrock/retrieveAndGenerate", "/bedrock/knowledgebases/ABCDEFGHIJ/retrieve", "/bedrock/generateQuery"]
)
def test_what_aws_says_nothing_of_is_unknown(line: str) -> None:
    call = Answered(line)
    found = call.with_json({"output": {"text": "hello"}, "usage": {"inputTokens": 5, "outputTokens": 5}})
    assert (found.source, found.counts, found.problem) == ("unknown", {}, None)
    assert not call.facts.reports_usage
