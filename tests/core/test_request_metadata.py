"""Who a call is for, written where AWS logs it: the caller's pairs and bytes stay, and our names are ours alone."""

import json
from typing import Any

import pytest

from app.core.accounts import KeyGrant, Stamps, Team, VirtualKey
from app.core.bedrock_calls import BedrockCall, resolve
from app.core.callers import MASTER, caller_of
from app.core.errors import MalformedRequest
from app.core.header_rules import Headers
from app.core.request_metadata import NAMES, identity_of, with_identity
from app.core.targets import parse
from app.core.usage import NOBODY, Attribution
from tests.core.judging import NOVA, SERVICES, TABLE
from tests.store.samples import NOW

STAMPS = Stamps(NOW, "master", NOW, "master")
OURS = {"outcrop-key": "ci", "outcrop-end-user": "ada"}
HEADER = "x-amzn-bedrock-request-metadata"
WRITTEN = '"requestMetadata":{"outcrop-key":"ci","outcrop-end-user":"ada"}'


def call(raw: str = NOVA) -> BedrockCall:
    return resolve(TABLE, "POST", parse(raw, SERVICES), {})


INVOKE = call("/bedrock/model/amazon.nova-lite-v1%3A0/invoke")


def body_sent(body: bytes | bytearray, headers: Headers = (), identity: Any = None) -> str:
    sent_headers, sent = with_identity(call(), headers, body, identity or OURS)

    assert sent_headers == headers
    return sent.decode()


def header_sent(*headers: tuple[str, str]) -> dict[str, Any]:
    sent, body = with_identity(INVOKE, (("accept", "*/*"), *headers), b"{}", OURS)

    assert (sent[0], len(sent), body) == (("accept", "*/*"), 2, b"{}")
    found: dict[str, Any] = json.loads(dict(sent)[HEADER])
    return found


def test_the_identity_is_what_the_log_says_of_the_caller() -> None:
    key = VirtualKey("key-1", "t", "sk-...Ab12", STAMPS, alias="ci", team_id="team-1", user_id="u-1")
    caller = caller_of(KeyGrant(key, Team("team-1", STAMPS, alias="Search")))

    assert identity_of(caller, Attribution(end_user="ada")) == {
        "outcrop-key": "ci", "outcrop-team": "Search", "outcrop-user": "u-1", "outcrop-end-user": "ada",
    }  # fmt: skip
    assert identity_of(MASTER, NOBODY) == {"outcrop-key": "master"}


def test_values_are_cut_to_what_aws_takes() -> None:
    found = identity_of(MASTER, Attribution(end_user="a@b.c=1/2+3,4-5:$#_ é'\n" + "x" * 300))["outcrop-end-user"]

    assert found == ("a@b.c=1/2+3,4-5:$#_ ___" + "x" * 300)[:256]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"a":1e2}', "{" + WRITTEN + ',"a":1e2}'),
        (' \n{ "é" : [ 1.0 ] } \n', " \n{" + WRITTEN + ', "é" : [ 1.0 ] } \n'),
        ("{}", "{" + WRITTEN + "}"),
        (" { } ", " {" + WRITTEN + " } "),
        ('{"x":{"requestMetadata":{"a":"b"}}}', "{" + WRITTEN + ',"x":{"requestMetadata":{"a":"b"}}}'),
        ('{"requestMetadata":null,"a":1}', "{" + WRITTEN + ',"a":1}'),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_body_gets_it_and_keeps_all_other_bytes(body: str, sent: str, kind: type[bytes]) -> None:
    assert body_sent(kind(body.encode())) == sent


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b'"x"', b"garbage", b"\xff\xfe", b'[{"a":1}]'])
def test_what_is_no_object_is_left_alone(body: bytes) -> None:
    assert with_identity(call(), (), body, OURS) == ((), body)


def test_the_callers_pairs_stay_and_so_do_all_other_bytes() -> None:
    body = '{ "a" : "x,}\\"" , "requestMetadata" : { "team" : "é" } , "b":{"c":[1,{"d":"]"}]} }'
    sent = body_sent(body.encode())

    assert json.loads(sent)["requestMetadata"] == {"team": "é"} | OURS
    before, _, after = body.partition('{ "team" : "é" }')
    assert sent.startswith(before)
    assert sent.endswith(after)


def test_a_name_that_is_spelt_with_escapes_is_found() -> None:
    body = b'{"request\\u004detadata":{"a":"b","outcrop-\\u006bey":"forged"},"b":"requestMetadata"}'

    assert json.loads(body_sent(body)) == {"requestMetadata": {"a": "b"} | OURS, "b": "requestMetadata"}


@pytest.mark.parametrize("name", [*NAMES, "Outcrop-Key"])
def test_under_our_names_only_the_gateway_writes(name: str) -> None:
    """Also where there is nothing to write."""
    forged = {"requestMetadata": {name: "forged", "a": "b"}}
    sent = json.loads(body_sent(json.dumps(forged).encode(), identity={"outcrop-key": "ci"}))

    assert sent["requestMetadata"] == {"a": "b", "outcrop-key": "ci"}
    assert header_sent((HEADER, json.dumps(forged["requestMetadata"]))) == {"a": "b"} | OURS


@pytest.mark.parametrize(("count", "ours"), [(14, 2), (15, 1), (16, 0), (17, 0)])
def test_no_more_than_sixteen_pairs_and_the_callers_first(count: int, ours: int) -> None:
    own = {f"k{number}": "v" for number in range(count)}
    sent = json.loads(body_sent(json.dumps({"requestMetadata": own}).encode()))["requestMetadata"]

    assert sent == own | dict(list(OURS.items())[:ours])
    assert header_sent((HEADER, json.dumps(own))) == sent


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"requestMetadata":{"outcrop-key":"x"},"requestMetadata":{}}', ()),
        (b'{"requestMetadata":{"outcrop-key":"x","outcrop-key":"y"}}', ()),
        (b'{"RequestMetadata":{"outcrop-key":"x"}}', ()),
        (b'\xef\xbb\xbf{"requestMetadata":{"outcrop-key":"x"}}', ()),
        ('{"requestMetadata":{"outcrop-key":"x"}}'.encode("utf-16"), ()),
        (b"\x1f\x8b", (("content-encoding", "gzip"),)),
        (b'{"requestMetadata":{"outcrop-key":"x"},}', ()),
    ],
)
def test_what_parsers_may_read_otherwise_is_refused(body: bytes, headers: Headers) -> None:
    with pytest.raises(MalformedRequest):
        with_identity(call(), headers, body, OURS)


def test_metadata_that_aws_refuses_is_left_to_it() -> None:
    assert body_sent(b'{"requestMetadata":["x"]}') == '{"requestMetadata":["x"]}'


def test_invoke_model_gets_it_as_a_header() -> None:
    assert header_sent() == OURS
    assert header_sent((HEADER, '{"a": "b"}')) == {"a": "b"} | OURS
    assert header_sent(("X-Amzn-Bedrock-Request-Metadata", "")) == OURS


@pytest.mark.parametrize("said", ["x", "[]", '{"a":1},{"outcrop-key":"x"}', '{"a":1,"a":2}', "[" * 5000])
def test_a_header_that_cannot_be_added_to_is_refused(said: str) -> None:
    with pytest.raises(MalformedRequest, match=HEADER):
        with_identity(INVOKE, ((HEADER, said),), b"{}", OURS)


def test_a_header_stays_as_short_as_aws_takes_it() -> None:
    own = {f"k{number}": "v" * 700 for number in range(12)}

    assert header_sent((HEADER, json.dumps(own))) == own


@pytest.mark.parametrize("raw", ["/bedrock/openai/v1/chat/completions", "/bedrock/anthropic/v1/messages", "/bedrock/x"])
def test_other_operations_are_not_touched(raw: str) -> None:
    assert with_identity(call(raw), (("a", "b"),), b"{}", OURS) == ((("a", "b"),), b"{}")
