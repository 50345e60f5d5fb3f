"""What a request says of its cost before it is sent: maxima, tiers, units, and whether usage will be reported."""

import json
from typing import Any

import pytest

from app.core.request_text import said_in
from tests.metered_answers import CLAUDE, Answered, converse, converse_stream, invoke

TITAN, LLAMA, NOVA = "amazon.titan-text-lite-v1", "meta.llama3-8b-instruct-v1:0", "amazon.nova-pro-v1:0"
OPAQUE = "arn:aws:bedrock:us-east-1:123456789012:imported-model%2Fabcdef123456"


def mantle(path: str, body: dict[str, Any]) -> Answered:
    return Answered(f"/bedrock-mantle/v1/{path}", {"model": "openai.gpt-oss-20b", **body})


MAXIMA = [
    (lambda n: converse(request={"inferenceConfig": {"maxTokens": n}}), 1),
    (lambda n: converse_stream(request={"inferenceConfig": {"maxTokens": n}}), 1),
    (lambda n: converse(CLAUDE, {"additionalModelRequestFields": {"max_tokens": n}}), 1),
    (lambda n: converse(NOVA, {"additionalModelRequestFields": {"inferenceConfig": {"max_new_tokens": n}}}), 1),
    (lambda n: invoke(CLAUDE, {"max_tokens": n}), 1),
    (lambda n: invoke("anthropic.claude-v2:1", {"max_tokens_to_sample": n}), 1),
    (lambda n: invoke(NOVA, {"inferenceConfig": {"max_new_tokens": n}}), 1),
    (lambda n: invoke(NOVA, {"inferenceConfig": {"maxTokens": n}}), 1),
    (lambda n: invoke(TITAN, {"textGenerationConfig": {"maxTokenCount": n}}), 1),
    (lambda n: invoke(LLAMA, {"max_gen_len": n}), 1),
    (lambda n: invoke("cohere.command-text-v14", {"max_tokens": n, "num_generations": 3}), 3),
    (lambda n: invoke("ai21.j2-mid-v1", {"maxTokens": n, "numResults": 2}), 2),
    (lambda n: invoke("ai21.jamba-1-5-mini-v1:0", {"max_tokens": n, "n": 2}), 2),
    (lambda n: invoke("mistral.mistral-7b-instruct-v0:2", {"max_tokens": n}), 1),
    (lambda n: invoke("openai.gpt-oss-20b-1:0", {"max_completion_tokens": n}), 1),
    (lambda n: invoke(OPAQUE, {"max_gen_len": n}), 1),
    (lambda n: invoke(OPAQUE, {"parameters": {"max_new_tokens": n}}), 1),
    (lambda n: mantle("chat/completions", {"max_tokens": n}), 1),
    (lambda n: mantle("chat/completions", {"max_completion_tokens": n, "n": 4}), 4),
    (lambda n: mantle("responses", {"max_output_tokens": n}), 1),
    (lambda n: mantle("messages", {"max_tokens": n}), 1),
]


@pytest.mark.parametrize(("asked", "times"), MAXIMA)
def test_a_maximum_is_read_in_every_apis_words(asked: Any, times: int) -> None:
    for number in (1, 300, 10_000_000):
        assert asked(number).facts.max_output_tokens == number * times
    assert asked(300.0).facts.max_output_tokens == 300 * times
    nonsenses: tuple[object, ...] = (0, -1, 1.5, "300", True, None, [], {}, 10_000_001, 10**30)
    for nonsense in nonsenses:
        assert asked(nonsense).facts.max_output_tokens is None


def test_of_two_maxima_the_larger_counts() -> None:
    asked = {"max_tokens": 5, "max_completion_tokens": 900}
    assert mantle("chat/completions", asked).facts.max_output_tokens == 900


def test_a_maximum_that_the_model_does_not_read_is_none() -> None:
    assert invoke(LLAMA, {"max_tokens": 1}).facts.max_output_tokens is None
    assert converse(request={"max_tokens": 1}).facts.max_output_tokens is None
    assert converse(LLAMA, {"additionalModelRequestFields": {"max_tokens": 1}}).facts.max_output_tokens is None
    assert invoke(CLAUDE, {"max_tokens": 100, "n": 5}).facts.max_output_tokens == 100


@pytest.mark.parametrize(("many", "times"), [(0, 1), (-1, 1), (1, 1), (128, 128), (129, 1), ("9", 1), (True, 1)])
def test_answers_in_a_number_that_is_nonsense_are_one(many: object, times: int) -> None:
    assert mantle("chat/completions", {"max_tokens": 10, "n": many}).facts.max_output_tokens == 10 * times


def test_the_tier_is_read_where_the_operation_is_asked_for_it() -> None:
    header = {"x-amzn-bedrock-service-tier": "Flex"}
    line = f"/bedrock/model/{CLAUDE}"

    assert invoke(headers=header).facts.tier == "flex"
    assert converse(request={"serviceTier": {"type": "priority"}}).facts.tier == "priority"
    assert mantle("chat/completions", {"service_tier": "flex"}).facts.tier == "flex"
    assert Answered(f"{line}/converse", {}, header).facts.tier is None
    assert invoke(request={"serviceTier": {"type": "flex"}, "service_tier": "flex"}).facts.tier is None
    for standard in ("default", "auto", "standard", "", " ", "x" * 33, "a\nb"):
        assert invoke(headers={"x-amzn-bedrock-service-tier": standard}).facts.tier is None


def test_the_sizes_of_images_are_named_as_prices_name_them() -> None:
    canvas = {"imageGenerationConfig": {"width": 512, "height": 768, "numberOfImages": 4}}
    premium = {"imageGenerationConfig": {"quality": "premium"}}
    xl = "stability.stable-diffusion-xl-v1"

    assert invoke("amazon.nova-canvas-v1:0", canvas).facts.image_size == "512-x-768/50-steps"
    assert invoke("amazon.nova-canvas-v1:0", canvas).facts.units == {"output_image": 4}
    assert invoke("amazon.nova-canvas-v1:0", premium).facts.image_size == "1024-x-1024/premium"
    assert invoke(xl, {"steps": 50}).facts.image_size == "1024-x-1024/50-steps"
    assert invoke(xl, {"steps": 51, "samples": 2}).facts.image_size == "1024-x-1024/max-steps"
    assert invoke(xl, {"samples": 2}).facts.units == {"output_image": 2}
    assert invoke("stability.stable-diffusion-xl-v0", {"width": 512, "height": 512}).facts.image_size == (
        "512-x-512/50-steps"
    )
    assert invoke("stability.stable-diffusion-xl-v0").facts.image_size == "max-x-max/50-steps"
    assert invoke("stability.stable-image-core-v1:1").facts.image_size is None


def test_an_image_too_long_to_keep_is_seen_all_the_same() -> None:
    long = "aGVs" * 30_000
    params = {"embeddingPurpose": "GENERIC_INDEX", "image": {"format": "png", "source": {"bytes": long}}}
    reel = {
        "modelId": "amazon.nova-reel-v1:0",
        "modelInput": {
            "textToVideoParams": {"images": [{"source": {"bytes": long}}]},
            "videoGenerationConfig": {"durationSeconds": 12},
        },
    }

    assert invoke("amazon.titan-embed-image-v1", {"inputImage": long}).facts.units == {"input_image_each": 1}
    assert invoke("amazon.titan-embed-image-v1", {"inputText": "a"}).facts.units == {}
    assert invoke("amazon.nova-2-multimodal-embeddings-v1:0", {"singleEmbeddingParams": params}).facts.units == {
        "input_image_each": 1
    }
    assert Answered("/bedrock/async-invoke", reel).facts.units == {"output_video_second": 12}


def test_whether_usage_will_be_reported_is_known_before() -> None:
    assert converse().facts.reports_usage
    assert invoke(OPAQUE).facts.reports_usage
    assert not invoke("twelvelabs.pegasus-1-2-v1:0", {"inputPrompt": "what is it?"}).facts.reports_usage
    assert invoke("twelvelabs.marengo-embed-3-0-v1:0", {"inputType": "text_image"}).facts.units == {
        "query": 1,
        "input_image_each": 1,
    }
    assert Answered("/bedrock/rerank", {"sources": [{}]}).facts.reports_usage
    assert not Answered("/bedrock/rerank", {}).facts.reports_usage


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'"', b"\\" * 99, b"\xff" * 5000, b'{"a":' * 3000, b'"a' * 9000]
)
def test_any_body_has_some_text_and_no_more_than_its_length(body: bytes) -> None:
    for raw in (body, bytearray(body)):
        said = said_in(raw)
        assert said.text_bytes >= 0
        assert said.text_bytes + said.media_bytes <= len(body)


def test_text_is_told_from_names_and_from_media() -> None:
    text = 'some words and "more" of them. ' * 40
    body = {"messages": [{"role": "user", "content": [{"text": text}]}]}
    media = {"source": {"bytes": "iVBORw0KGgo=" * 50_000}}
    plain, mixed = json.dumps(body).encode(), json.dumps({**body, **media}).encode()

    assert said_in(plain).text_bytes == pytest.approx(len(text), rel=0.1)
    assert said_in(plain).media_bytes == 0
    assert said_in(mixed).media_bytes == pytest.approx(600_000, rel=0.01)
    assert said_in(mixed).text_bytes == pytest.approx(len(text), abs=2500)


def test_of_two_maxima_that_converse_may_obey_the_larger_counts() -> None:
    asked = {"inferenceConfig": {"maxTokens": 1}, "additionalModelRequestFields": {"max_tokens": 64_000}}
    assert converse_stream(CLAUDE, asked).facts.max_output_tokens == 64_000
