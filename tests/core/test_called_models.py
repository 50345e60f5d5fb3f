"""Which model a call names, in its path or in its body, and whether its answer may be a stream."""

import json
from urllib.parse import quote

import pytest

from app.core.bedrock_calls import BedrockCall, decide_by_body, resolve
from app.core.errors import MalformedRequest
from app.core.json_bodies import JsonBody
from app.core.operations import load_table
from app.core.targets import parse

TABLE = load_table()
INVOKES = ["invoke", "invoke-with-response-stream", "converse", "converse-stream"]
ACCOUNT = "us-east-1:123456789012"
MODEL_IDS = [
    *("amazon.nova-lite-v1:0", "anthropic.claude-3-haiku-20240307-v1:0", "openai.gpt-oss-120b-1:0", "deepseek.v3-v1:0"),
    *("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-opus-4-6-v1", "amazon.titan-x-v1:0:8k"),
    *("us-gov.amazon.nova-pro-v1:0", "ai21.jamba-1-5-large-v1:0", "my-imported_model", "abc123def456", "x"),
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
    f"arn:aws:bedrock:{ACCOUNT}:inference-profile/eu.amazon.nova-lite-v1:0",
    f"arn:aws:bedrock:{ACCOUNT}:application-inference-profile/abc123def456",
    f"arn:aws:bedrock:{ACCOUNT}:provisioned-model/abc123def456",
    f"arn:aws:bedrock:{ACCOUNT}:custom-model/amazon.titan-text/abc123def456",
    f"arn:aws:bedrock:{ACCOUNT}:custom-model-deployment/abc123def456",
    f"arn:aws:bedrock:{ACCOUNT}:imported-model/abc123def456",
    f"arn:aws:bedrock:{ACCOUNT}:prompt-router/my-router",
    f"arn:aws:bedrock:{ACCOUNT}:default-prompt-router/anthropic.claude:1",
    f"arn:aws:bedrock:{ACCOUNT}:prompt/ABCDEFGHIJ:3",
    f"arn:aws:sagemaker:{ACCOUNT}:endpoint/my-endpoint",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.amazon.nova-lite-v1:0",
]
NO_MODEL_IDS = [
    *("a b", "a/b", "a@b", "a,b", "a*", "*", "a?b", "a=b", "a+b", "a&b", "a;b", "(a)", "'a'", "_a", "é", "日本"),
    *("x%2Fy", "%41", "anthropic.claude/v2", "/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0/", " amazon.nova"),
    "arn:aws:s3:::bucket/key",
    "arn:aws:bedrock:us-east-1::foundation-model/",
    "arn:aws:bedrock:us-east-1::foundation-model/a.b/c",
    f"arn:aws:bedrock:{ACCOUNT}:agent/ABCDEFGHIJ",
    f"arn:aws:bedrock:{ACCOUNT}:provisioned-model/too-short",
    "arn:aws:bedrock:us-east-1:12345:inference-profile/x",
    f"xarn:aws:bedrock:{ACCOUNT}:provisioned-model/abc123def456",
    f"ARN:aws:bedrock:{ACCOUNT}:provisioned-model/abc123def456",
]
STREAMING = ["chat/completions", "responses"]
SHAPED = [
    *(f"/bedrock{prefix}/v1/{path}" for prefix in ("/openai", "") for path in STREAMING),
    *(f"/bedrock-mantle{prefix}/v1/{path}" for prefix in ("/openai", "") for path in STREAMING),
    *("/bedrock/anthropic/v1/messages", "/bedrock/v1/messages", "/bedrock-mantle/anthropic/v1/messages"),
]
UNSTREAMED = ["/bedrock/openai/v1/embeddings", "/bedrock/v1/embeddings", "/bedrock/anthropic/v1/messages/count_tokens"]


def call(raw: str) -> BedrockCall:
    return resolve(TABLE, "POST", parse(raw, frozenset(TABLE.services)), {})


def decided(raw: str, body: object) -> BedrockCall:
    return decide_by_body(call(raw), JsonBody(json.dumps(body).encode(), {}))


@pytest.mark.parametrize("model", MODEL_IDS)
@pytest.mark.parametrize("invoke", INVOKES)
def test_every_kind_of_model_id_is_read_from_the_path(invoke: str, model: str) -> None:
    escaped = quote(model, safe="")
    for spelt in (escaped, quote(model, safe=":"), escaped.replace("%3A", "%3a").replace("%2F", "%2f")):
        assert call(f"/bedrock/model/{spelt}/{invoke}").model == model


@pytest.mark.parametrize("model", NO_MODEL_IDS)
@pytest.mark.parametrize("invoke", INVOKES)
def test_what_is_no_model_id_is_refused(invoke: str, model: str) -> None:
    with pytest.raises(MalformedRequest, match="modelId is no model id or ARN"):
        call(f"/bedrock/model/{quote(model, safe='')}/{invoke}")


def test_a_raw_colon_and_an_escaped_one_are_the_same_model() -> None:
    assert call("/bedrock/model/a.b-v1:0/converse") == call("/bedrock/model/a.b-v1%3a0/converse")


@pytest.mark.parametrize(("invoke", "streams"), list(zip(INVOKES, [False, True, False, True], strict=True)))
def test_the_operation_says_whether_it_streams(invoke: str, streams: bool) -> None:
    found = call(f"/bedrock/model/x/{invoke}")

    assert (found.streams, found.body_decides) == (streams, False)


def test_a_body_that_decides_nothing_is_not_looked_at() -> None:
    found = call("/bedrock/model/x/converse")

    assert decide_by_body(found, JsonBody(b"\xff no JSON", {})) is found


def test_the_body_of_an_unknown_call_is_not_looked_at() -> None:
    found = call("/bedrock/nothing")

    assert decide_by_body(found, JsonBody(b"\xff no JSON", {})) is found


@pytest.mark.parametrize("raw", SHAPED)
def test_a_shaped_call_is_decided_by_its_body(raw: str) -> None:
    found = call(raw)

    assert (found.body_decides, found.model, found.streams) == (True, None, True)


@pytest.mark.parametrize("raw", SHAPED)
def test_a_shaped_calls_model_is_the_one_in_its_body(raw: str) -> None:
    assert decided(raw, {"model": "openai.gpt-oss-120b", "messages": []}).model == "openai.gpt-oss-120b"


@pytest.mark.parametrize("raw", UNSTREAMED)
def test_the_model_of_a_shaped_call_that_never_streams_is_the_one_in_its_body(raw: str) -> None:
    assert decided(raw, {"model": "amazon.titan-embed-text-v2:0", "input": "x"}).model == "amazon.titan-embed-text-v2:0"


@pytest.mark.parametrize("raw", UNSTREAMED)
def test_a_shaped_call_that_never_streams_is_read_strictly_too(raw: str) -> None:
    with pytest.raises(MalformedRequest, match="a key stands twice"):
        decide_by_body(call(raw), JsonBody(b'{"model": "allowed", "model": "denied"}', {}))


@pytest.mark.parametrize("raw", SHAPED)
def test_a_shaped_call_streams_only_where_its_body_says_true(raw: str) -> None:
    assert decided(raw, {"model": "x", "stream": True}).streams
    for other in (False, None):
        assert not decided(raw, {"model": "x", "stream": other}).streams
    assert not decided(raw, {"model": "x"}).streams


@pytest.mark.parametrize("stream", [0, 1, 1.0, "true", "false", "", [True], {}])
@pytest.mark.parametrize("raw", [*SHAPED, *UNSTREAMED])
def test_what_some_parsers_take_for_true_is_refused(raw: str, stream: object) -> None:
    with pytest.raises(MalformedRequest, match="must be true or false"):
        decided(raw, {"model": "x", "stream": stream})


@pytest.mark.parametrize("body", [{}, {"model": None}, {"model": 1}, {"model": ["x"]}, {"x": {"model": "y"}}])
def test_a_body_without_a_model_names_none(body: object) -> None:
    assert decided(SHAPED[0], body).model is None


@pytest.mark.parametrize("model", ["a\x00b", "a\nb", "a\x7fb", "a\ud800b", "a" * 2049])
def test_a_model_that_cannot_be_written_down_is_refused(model: str) -> None:
    with pytest.raises(MalformedRequest):
        decided(SHAPED[0], {"model": model})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model": "a", "model": "b"}', b'{"model": "\xff"}', b"\xef\xbb\xbf{}"]
)
@pytest.mark.parametrize("raw", [*SHAPED, "/bedrock/tagResource"])
def test_a_body_that_decides_must_be_strict_json(raw: str, body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="body decides"):
        decide_by_body(call(raw), JsonBody(body, {}))


def test_deciding_keeps_what_was_known_from_the_path() -> None:
    before = call("/bedrock-mantle/v1/responses")
    after = decide_by_body(before, JsonBody(bytearray(b'{"model": "x", "stream": true}'), {}))

    assert (after.service, after.operation, after.labels) == (before.service, before.operation, before.labels)


@pytest.mark.parametrize("name", ["Model", "MODEL", "Stream", "resourcearn"])
def test_a_deciding_member_in_another_case_is_refused(name: str) -> None:
    with pytest.raises(MalformedRequest, match="spelt otherwise"):
        decided(SHAPED[0], {"model": "allowed", name: "denied"})


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json; charset=utf-7"},
        {"content-type": 'application/json;charset="UTF-16"'},
        {"content-encoding": "gzip"},
    ],
)
def test_a_deciding_body_that_aws_may_read_otherwise_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(MalformedRequest, match="decides what it may do"):
        decide_by_body(call(SHAPED[0]), JsonBody(b'{"model": "x"}', headers))


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json; charset=UTF-8"}, {"content-encoding": ""}])
def test_a_deciding_body_in_utf_8_is_taken(headers: dict[str, str]) -> None:
    assert decide_by_body(call(SHAPED[0]), JsonBody(b'{"model": "x"}', headers)).model == "x"
