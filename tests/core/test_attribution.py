"""For whom a call is: what each header and member claims, which of them counts, and what is refused."""

import json

import pytest

from app.core.attribution import ATTRIBUTION_MEMBERS, attribution_of
from app.core.bedrock_calls import resolve
from app.core.errors import MalformedRequest
from app.core.json_skim import skim
from app.core.targets import parse
from app.core.usage import NOBODY, Attribution
from tests.core.judging import NOVA, SERVICES, TABLE

INVOKE = "/bedrock/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke"
CHAT = "/bedrock/openai/v1/chat/completions"
MESSAGES = "/bedrock/anthropic/v1/messages"
AGENT = "/bedrock/agents/AGENT12345/agentAliases/ALIAS12345/sessions/s-1/text"
GENERATE = "/bedrock/retrieveAndGenerate"
RUNTIME = "/bedrock/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fx/invocations"
AGENTCORE_USER = "x-amzn-bedrock-agentcore-runtime-user-id"
LONGEST = "x" * 256


def read(raw: str = NOVA, body: object = None, **headers: str) -> Attribution:
    """`headers`: with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    call = resolve(TABLE, "POST", parse(raw, SERVICES), named)
    return attribution_of(call, skim(json.dumps(body or {}).encode(), ATTRIBUTION_MEMBERS), named)


def refusal(**headers: str) -> str:
    with pytest.raises(MalformedRequest) as caught:
        read(**headers)
    return caught.value.message


@pytest.mark.parametrize(
    ("raw", "body", "source"),
    [
        (NOVA, {"requestMetadata": {"end_user": "ada"}}, "requestMetadata.end_user"),
        (NOVA, {"requestMetadata": {"team": "x", "customer_id": "ada"}}, "requestMetadata.customer_id"),
        (INVOKE, {"metadata": {"user_id": "ada"}}, "metadata.user_id"),
        (MESSAGES, {"metadata": {"user_id": "ada"}}, "metadata.user_id"),
        (CHAT, {"user": "ada", "safety_identifier": "b", "metadata": {"user_id": "c"}}, "user"),
        (CHAT, {"safety_identifier": "b", "metadata": {"user_id": "ada"}}, "metadata.user_id"),
        (CHAT, {"safety_identifier": "ada"}, "safety_identifier"),
        ("/bedrock/v1/responses", {"user": "ada"}, "user"),
    ],
)
def test_a_body_names_an_end_user_where_its_shape_does(raw: str, body: object, source: str) -> None:
    found = read(raw, body)

    assert (found.end_user, found.source) == ("ada", source)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (NOVA, {"user": "ada", "metadata": {"user_id": "ada"}, "safety_identifier": "ada"}),
        (MESSAGES, {"user": "ada", "requestMetadata": {"user": "ada"}}),
        (CHAT, {"user": 7, "metadata": ["user_id"], "safety_identifier": {"id": "ada"}}),
        (CHAT, {"user": ""}),
        (CHAT, {"user": LONGEST + "x"}),
        (CHAT, {"user": "a\nb"}),
        (CHAT, {"user": "\ud800"}),
        (NOVA, {"requestMetadata": {"End_User": "ada"}}),
        (NOVA, {"requestMetadata": "ada"}),
    ],
)
def test_what_a_shape_has_not_and_what_cannot_be_counted_names_nobody(raw: str, body: object) -> None:
    assert read(raw, body) == NOBODY


def test_the_header_of_invoke_model_names_one() -> None:
    found = read(INVOKE, {"metadata": {"user_id": "b"}}, x_amzn_bedrock_request_metadata='{"user": "ada"}')

    assert (found.end_user, found.source) == ("ada", "x-amzn-bedrock-request-metadata.user")


@pytest.mark.parametrize("said", ["{", "[1]", "null", '{"user": 1}', "[" * 5000, '{"user": "a\\u0007"}'])
def test_a_header_that_aws_will_refuse_names_nobody(said: str) -> None:
    assert read(INVOKE, x_amzn_bedrock_request_metadata=said) == NOBODY


def test_the_first_that_names_somebody_counts() -> None:
    """The gateway's own headers, then AgentCore's, then what the body says."""
    body = {"requestMetadata": {"user": "body"}}
    named_by = {
        "x_litellm_customer_id": "first",
        "x_litellm_end_user_id": "second",
        AGENTCORE_USER: "third",
    }
    named = []
    while named_by:
        named.append(read(body=body, **named_by).end_user)
        del named_by[next(iter(named_by))]

    assert [*named, read(body=body).end_user] == ["first", "second", "third", "body"]


def test_an_end_user_too_long_for_one_name_is_looked_for_under_the_next() -> None:
    found = read(RUNTIME, {}, **{AGENTCORE_USER: LONGEST + "x"}, x_amzn_bedrock_request_metadata='{"user": "ada"}')

    assert found.end_user == "ada"


@pytest.mark.parametrize("header", ["x_litellm_customer_id", "x_litellm_end_user_id", "x_litellm_call_id"])
def test_a_header_of_our_own_takes_256_printable_characters(header: str) -> None:
    read(**{header: LONGEST})

    for wrong in (LONGEST + "x", "a\x07b"):
        assert header.replace("_", "-") in refusal(**{header: wrong})
        assert wrong not in refusal(**{header: wrong})


def test_a_header_in_utf8_and_one_in_latin1_name_whom_they_meant() -> None:
    utf8 = "Zoë à la carte à".encode().decode("latin-1")

    assert read(x_litellm_customer_id=utf8).end_user == "Zoë à la carte à"
    assert read(x_litellm_customer_id="Zoë").end_user == "Zoë"


def test_spaces_around_a_name_are_not_part_of_it() -> None:
    assert read(x_litellm_customer_id="  ada \t").end_user == "ada"
    assert read(x_litellm_customer_id="   ") == NOBODY


@pytest.mark.parametrize(("count", "refused"), [(9, False), (10, False), (11, True)])
def test_a_call_claims_ten_tags_at_most(count: int, refused: bool) -> None:  # a row of the table
    listed = ", ".join(f"t{number}" for number in range(count))

    if refused:
        assert "names 11 tags" in refusal(x_litellm_tags=listed)
    else:
        assert len(read(x_litellm_tags=listed).tags) == count


def test_tags_keep_their_order_and_stand_once() -> None:
    assert read(x_litellm_tags=" b,a,, b ,c c,").tags == ("b", "a", "c c")


def test_a_tag_takes_256_printable_characters() -> None:
    assert read(x_litellm_tags=LONGEST).tags == (LONGEST,)
    assert "x-litellm-tags" in refusal(x_litellm_tags="a," + LONGEST + "x")


def test_spend_metadata_is_kept_as_it_was_said() -> None:
    said = {"job": "nightly", "depth": [1, {"é": None}]}

    assert read(x_litellm_spend_logs_metadata=json.dumps(said)).metadata == said


@pytest.mark.parametrize(
    "said",
    [
        "[]", '"x"', "{", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}',
        '{"a": ' + "[" * 40 + "]" * 40 + "}", "[" * 4000, '{"a": "' + "x" * 4088 + '"}',
    ],
)  # fmt: skip
def test_spend_metadata_that_cannot_be_kept_is_refused(said: str) -> None:
    assert "x-litellm-spend-logs-metadata" in refusal(x_litellm_spend_logs_metadata=said)


def test_spend_metadata_takes_4096_bytes() -> None:
    said = '{"a": "' + "x" * 4087 + '"}'

    assert len(said) == 4096
    assert read(x_litellm_spend_logs_metadata=said).metadata == json.loads(said)


@pytest.mark.parametrize(
    ("raw", "body", "headers", "session"),
    [
        (AGENT, {}, {"x_litellm_session_id": "own"}, "s-1"),
        ("/bedrock/agents/s-2", {}, {}, "s-2"),
        (GENERATE, {"sessionId": "s-3"}, {}, "s-3"),
        ("/bedrock/flows/FLOW123456/aliases/ALIAS12345", {"executionId": "s-4"}, {}, "s-4"),
        (RUNTIME, {}, {"x_amzn_bedrock_agentcore_runtime_session_id": "s-5"}, "s-5"),
        (NOVA, {"sessionId": "not converse's"}, {"x_litellm_trace_id": "t", "x_litellm_session_id": "s-6"}, "s-6"),
        (NOVA, {}, {"x_litellm_trace_id": "t"}, "t"),
        (NOVA, {}, {}, None),
    ],
)
def test_an_agents_session_stands_before_the_callers_own(
    raw: str, body: object, headers: dict[str, str], session: str | None
) -> None:
    found = read(raw, body, **headers)

    assert (found.session_id, found.end_user) == (session, None)


def test_the_callers_own_name_for_its_call_is_kept() -> None:
    assert read(x_litellm_call_id="mine-1").call_id == "mine-1"


def test_a_path_that_nobody_knows_is_read_for_its_headers() -> None:
    assert read("/bedrock/no/such/path", {"user": "x"}, x_litellm_customer_id="ada").end_user == "ada"
