"""Which headers go to AWS, and which come back."""

import pytest

from app.core.errors import MalformedRequest
from app.core.header_rules import Headers, to_aws, to_caller

SECRET = "sk-secret"
IDENTITY = ("Accept-Encoding", "identity")

FORWARDED = """
    accept content-type content-encoding content-language user-agent range if-match x-amz-target x-amz-user-agent
    x-amzn-trace-id x-amzn-bedrock-trace x-amzn-bedrock-guardrailidentifier x-amzn-bedrock-accept
    x-amzn-bedrock-agentcore-runtime-session-id x-amz-bedrock-custom anthropic-version anthropic-beta
    openai-organization x-stainless-lang traceparent x-request-id authorizations x-api-keys dates x-forward
    x-litellmish x-outcrops
""".split()
CREDENTIALS = """
    authorization proxy-authorization litellm-user-api-key x-litellm-api-key x-api-key api-key cookie x-goog-api-key
    ocp-apim-subscription-key
""".split()
HOP_BY_HOP = """
    connection keep-alive proxy-authenticate proxy-connection te trailer transfer-encoding upgrade http2-settings
""".split()
REWRITTEN = """
    forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-anything x-real-ip via
    x-http-method x-http-method-override x-method-override x-original-url x-original-uri x-rewrite-url
    x-litellm-tags x-litellm-call-id x-outcrop-region amz-sdk-invocation-id amz-sdk-request expect content-length host
    date x-amz-date x-amz-security-token x-amz-content-sha256 accept-encoding
""".split()


def sent(*headers: tuple[str, str]) -> Headers:
    """What AWS gets, less the Accept-Encoding that it always gets."""
    *kept, last = to_aws(headers)
    assert last == IDENTITY
    return tuple(kept)


@pytest.mark.parametrize("name", FORWARDED)
def test_an_end_to_end_header_reaches_aws_as_it_was_sent(name: str) -> None:
    assert sent((name, "One, two;q=3")) == ((name, "One, two;q=3"),)


@pytest.mark.parametrize("name", CREDENTIALS)
def test_no_credential_travels_on(name: str) -> None:
    assert SECRET not in str(to_aws([(name, SECRET), ("accept", "a")]))


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_what_belongs_to_one_hop_ends_here(name: str) -> None:
    assert sent((name, "x"), ("accept", "a")) == (("accept", "a"),)


@pytest.mark.parametrize("name", REWRITTEN)
def test_what_proxies_add_and_the_signer_writes_is_dropped(name: str) -> None:
    assert sent((name, "x"), ("accept", "a")) == (("accept", "a"),)


def test_without_any_header_only_the_encoding_is_said() -> None:
    assert to_aws([]) == (IDENTITY,)


def test_a_wish_for_compressed_answers_becomes_identity() -> None:
    assert to_aws([("accept-encoding", "gzip, br"), ("accept-encoding", "zstd")]) == (IDENTITY,)


def test_headers_keep_their_order_and_repeats() -> None:
    headers = (("b", "2"), ("a", "1"), ("b", "3"))

    assert sent(*headers) == headers


def test_headers_may_come_from_an_iterator() -> None:
    assert to_aws(iter([("connection", "x-hop"), ("x-hop", "1"), ("a", "1")])) == (("a", "1"), IDENTITY)


@pytest.mark.parametrize("value", ["x-hop", "X-HOP", "close, x-hop", "x-hop,close", "keep-alive ,\tx-hop ", ",,x-hop,"])
def test_what_connection_names_ends_here(value: str) -> None:
    assert sent(("x-hop", "1"), ("connection", value), ("x-hops", "2")) == (("x-hops", "2"),)


@pytest.mark.parametrize("name", ["x-amz-target", "content-type", "x-amzn-bedrock-guardrailidentifier"])
def test_connection_cannot_take_away_what_the_call_was_judged_by(name: str) -> None:
    with pytest.raises(MalformedRequest):
        to_aws([(name, "x"), ("connection", f"close, {name}")])


@pytest.mark.parametrize("code", [*range(9), *range(10, 32), 0x7F])
def test_a_control_character_in_a_value_is_refused(code: int) -> None:
    with pytest.raises(MalformedRequest, match="The header accept has a control character"):
        to_aws([("accept", f"a{chr(code)}b")])


def test_a_tab_in_a_value_passes() -> None:
    assert sent(("accept", "a\tb")) == (("accept", "a\tb"),)


def test_a_control_character_in_a_dropped_header_does_not_matter() -> None:
    assert sent(("cookie", "a\x00b")) == ()


@pytest.mark.parametrize("name", ["content-type", "x-amz-target", "x-amz-anything"])
def test_a_signed_header_must_be_ascii(name: str) -> None:
    with pytest.raises(MalformedRequest, match=f"The header {name} is signed"):
        to_aws([(name, "caf\xe9")])


@pytest.mark.parametrize("name", ["accept", "x-amzn-bedrock-request-metadata", "user-agent"])
def test_a_header_that_is_not_signed_may_be_latin_1(name: str) -> None:
    assert sent((name, "caf\xe9")) == ((name, "caf\xe9"),)


def test_a_refusal_never_repeats_a_value() -> None:
    with pytest.raises(MalformedRequest) as caught:
        to_aws([("x-amz-target", f"{SECRET}\x00\xe9")])

    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "header",
    [
        ("Content-Type", "application/vnd.amazon.eventstream"),
        ("Content-Length", "12"),
        ("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555"),
        ("x-amzn-ErrorType", "ThrottlingException:http://internal.amazon.com/coral/"),
        ("X-Amzn-Bedrock-Input-Token-Count", "12"),
        ("Content-Encoding", "gzip"),
        ("Retry-After", "1"),
    ],
)
def test_awss_headers_come_back_as_they_are(header: tuple[str, str]) -> None:
    assert to_caller([header]) == (header,)


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Date", "SERVER", "Connection", "Transfer-Encoding"])
def test_what_the_server_writes_itself_does_not_come_back(name: str) -> None:
    assert to_caller([(name, "x"), ("a", "1")]) == (("a", "1"),)


@pytest.mark.parametrize("name", ["x-litellm-call-id", "X-LiteLLM-Response-Cost", "x-outcrop-region"])
def test_what_the_gateway_says_of_a_call_nobody_else_does(name: str) -> None:
    assert to_caller([(name, "another gateway's"), ("a", "1")]) == (("a", "1"),)


def test_what_awss_connection_names_does_not_come_back() -> None:
    assert to_caller([("Connection", "close, X-Hop"), ("x-hop", "1"), ("a", "1"), ("A", "2")]) == (
        ("a", "1"),
        ("A", "2"),
    )


@pytest.mark.parametrize("name", ["Transfer-Encoding", "transfer-encoding"])
def test_a_length_beside_chunks_does_not_come_back(name: str) -> None:
    assert to_caller([("Content-Length", "12"), (name, "chunked"), ("a", "1")]) == (("a", "1"),)
