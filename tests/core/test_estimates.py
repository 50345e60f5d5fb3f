"""What a stream used that was cut: never nothing, as near as what came allows, and said to be an estimate."""

import threading
from dataclasses import replace

import pytest

from app.core.estimates import Produced, Ratios, estimated_input, estimated_output
from app.core.usage import RequestFacts
from tests.metered_answers import CLAUDE, Answered, converse_stream, invoke_stream

ASKED = {"messages": [{"role": "user", "content": [{"text": "tell me a story about a small town " * 20}]}]}
WORDS = " and then there was a little more of it"


def _deltas(count: int) -> list[tuple[str, object]]:
    return [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": WORDS}, "p": "abcdef"})] * count


def test_a_cut_stream_is_estimated_from_its_request_and_its_text() -> None:
    found = converse_stream(request=ASKED).with_events(_deltas(50), complete=False)

    assert found.source == "estimated"
    assert 100 <= found.counts["input"] <= 250
    assert 300 <= found.counts["output"] <= 600
    assert found.method.startswith("estimated: input 7")
    assert f"output {50 * len(WORDS)} bytes of text at 4.9 bytes a token" in found.method


@pytest.mark.parametrize(
    "model",
    [
        CLAUDE,
        "meta.llama3-8b-instruct-v1:0",
        "a.b",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model%2Fabcdef123456",
    ],
)
def test_a_stream_that_is_cut_at_once_used_one_token_at_least(model: str) -> None:
    for found in (
        converse_stream(model).with_events([], complete=False),
        invoke_stream(model).with_chunks([], complete=False),
        converse_stream(model).with_events([("messageStart", {"role": "assistant"})], complete=False),
    ):
        assert found.source == "estimated"
        assert found.counts["input"] >= 1
        assert found.counts["output"] >= 1


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages"])
def test_server_sent_events_that_are_cut_are_estimated_too(path: str) -> None:
    call = Answered("/bedrock-mantle/v1" + path, {"model": "openai.gpt-oss-20b", "stream": True})
    chat = {"choices": [{"delta": {"content": WORDS}}], "usage": None}
    event = {
        "/chat/completions": chat,
        "/responses": {"type": "response.output_text.delta", "delta": WORDS, "obfuscation": "abcdefghij"},
        "/messages": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": WORDS}},
    }[path]

    found = call.with_sse([event] * 40, complete=False)
    failed = call.with_sse(
        [event, {"type": "error", "error": {"message": "no"}}], named=path == "/messages", complete=False
    )

    assert found.source == "estimated"
    assert 20 <= found.counts["output"] <= 400
    assert failed.source == ("unknown" if path == "/messages" else "estimated")


def test_no_more_is_estimated_than_the_request_let_the_model_write() -> None:
    for most in (1, 20):
        asked = {**ASKED, "inferenceConfig": {"maxTokens": most}}
        assert converse_stream(request=asked).with_events(_deltas(50), complete=False).counts["output"] == most


def test_input_that_was_reported_before_the_cut_is_kept() -> None:
    usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 90}
    begun = {"type": "message_start", "message": {"usage": usage}}
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": WORDS * 10}}

    found = invoke_stream().with_chunks([begun, text], complete=False)

    assert found.counts == {"input": 7, "cache_read": 90, "output": round(len(WORDS) * 10 / 4.9)}
    assert found.method == f"estimated: input reported, output {len(WORDS) * 10} bytes of text at 4.9 bytes a token"


def test_output_that_was_reported_so_far_is_kept() -> None:
    chunks = [
        {"generation": "a", "prompt_token_count": 9, "generation_token_count": 1},
        {"generation": "b", "prompt_token_count": None, "generation_token_count": 17},
    ]
    found = invoke_stream("meta.llama3-8b-instruct-v1:0").with_chunks(chunks, complete=False)
    assert (found.source, found.counts) == ("estimated", {"input": 9, "output": 17})
    assert found.method == "estimated: input reported, output reported so far"


@pytest.mark.parametrize(
    "delta",
    [
        {"toolUse": {"input": '{"city": "Ulm"}'}},
        {"reasoningContent": {"text": "let me think of it"}},
        {"text": 'a "quoted" word\\ and a line\n'},
    ],
)
def test_tool_calls_and_reasoning_are_output_and_padding_is_not(delta: object) -> None:
    sizes = []
    for padding in ("", "abcdefghijklmnopqrstuvwxyz" * 20):
        event = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta, "p": padding})
        sizes.append(converse_stream().with_events([event] * 40, complete=False).counts["output"])
    assert sizes[0] == sizes[1]
    assert sizes[0] > 60


def test_a_tool_that_is_called_costs_more_than_its_arguments() -> None:
    start = ("contentBlockStart", {"start": {"toolUse": {"toolUseId": "t", "name": "weather"}}, "contentBlockIndex": 0})
    text = _deltas(2)
    with_tool = converse_stream().with_events([start, *text], complete=False).counts["output"]
    assert with_tool - converse_stream().with_events(text, complete=False).counts["output"] == 34


def test_text_is_measured_whatever_member_it_stands_in() -> None:
    produced = Produced()
    for event in (
        b'{"delta":{"text":"four"},"p":"xxxxxxxxxxx"}',
        b'{"delta":{"text":"a\\"\\\\b"}}',
        b'{"choices":[{"delta":{"content":"four"}}]}',
        b'{"generation": "four"}',
        b'{"p":"xxxxxxxxxxxxxxx"}',
        b'{"text":""}',
    ):
        produced.add(event)
    assert (produced.text_bytes, produced.pieces) == (4 + 6 + 4 + 4, 4)


def test_ratios_follow_what_streams_that_ended_used() -> None:
    ratios, facts = Ratios(), RequestFacts(text_bytes=4000)
    for _ in range(60):
        ratios.learn_output("ConverseStream", "anthropic", Produced(3000, 100), 1000)
        ratios.learn_input("ConverseStream", "anthropic", facts, 2009)
    learned = ratios.of("ConverseStream", "anthropic")

    assert learned.text_bytes == pytest.approx(3.0, abs=0.05)
    assert estimated_output(learned, "anthropic", Produced(300, 100)).tokens == pytest.approx(100, abs=2)
    assert estimated_input(learned, facts).tokens == pytest.approx(2009, rel=0.02)
    assert ratios.of("InvokeModelWithResponseStream", "anthropic").text_bytes == 4.9


def test_pieces_are_trusted_once_they_have_been_nearer() -> None:
    ratios, produced = Ratios(), Produced(text_bytes=900, pieces=200)
    assert "bytes of text" in estimated_output(ratios.of("ConverseStream", "other"), "other", produced).how
    for size in range(100, 700, 10):
        ratios.learn_output("ConverseStream", "other", Produced(size, 200), 200)
    found = estimated_output(ratios.of("ConverseStream", "other"), "other", produced)
    assert found.tokens == pytest.approx(200, abs=2)
    assert found.how == "output 200 pieces of text at 1.0 tokens a piece"


def test_what_is_nonsense_or_too_little_teaches_nothing() -> None:
    ratios = Ratios()
    before = ratios.of("ConverseStream", "anthropic")
    ratios.learn_output("ConverseStream", "anthropic", Produced(), 500)
    ratios.learn_output("ConverseStream", "anthropic", Produced(50, 3), 5)
    ratios.learn_input("ConverseStream", "anthropic", RequestFacts(text_bytes=500, media_bytes=9000), 5000)
    ratios.learn_output("ConverseStream", "made up", Produced(500, 3), 500)
    assert ratios.of("ConverseStream", "anthropic") == before
    assert ratios.of("ConverseStream", "made up") == ratios.of("ConverseStream", "other")


def test_one_stream_moves_a_ratio_by_little() -> None:
    ratios = Ratios()
    before = ratios.of("ConverseStream", "nova")
    ratios.learn_output("ConverseStream", "nova", Produced(2**40, 1), 20)
    after = ratios.of("ConverseStream", "nova")
    assert after.text_bytes <= before.text_bytes * 1.31
    assert replace(after, text_bytes=0, piece_tokens=0, text_error=0, piece_error=0) == replace(
        before, text_bytes=0, piece_tokens=0, text_error=0, piece_error=0
    )


def test_ratios_may_be_learned_by_many_threads() -> None:
    ratios = Ratios()

    def learn() -> None:
        for _ in range(300):
            ratios.learn_output("ConverseStream", "nova", Produced(4000, 100), 1000)

    threads = [threading.Thread(target=learn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ratios.of("ConverseStream", "nova").text_bytes == pytest.approx(4.0, abs=0.01)


def test_a_picture_is_not_taken_for_text() -> None:
    picture = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo" * 40_000}}}
    said = {"messages": [{"role": "user", "content": [{"text": "what is this?"}, picture]}]}
    found = converse_stream(request=said).with_events([], complete=False)
    assert found.counts["input"] < 5000
