"""Signatures of AWS's own SDK hold, and nothing about the call can be changed without breaking them."""

import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.credentials import Scope, present
from app.core.errors import ClockOff, GatewayError, SignatureWrong
from app.core.signature import SignedCall, canonical_path, canonical_query

ID, SECRET = "OCAKABCDEFGH234567AB", "s3cr3t/of+forty/characters+0123456789abcd"
HOST = "gateway.example.com:4000"
TARGET = "/bedrock/model/us.amazon.nova-lite-v1%3A0/converse?b=2&a=x%20y"
BODY = b'{"messages": []}'
MINUTE = timedelta(minutes=1)


def signed(
    target: str = TARGET,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    body: bytes = BODY,
    secret: str = SECRET,
) -> SignedCall:
    """What arrives of a call that botocore signed."""
    request = AWSRequest(method, f"http://{HOST}{target}", dict(headers or {}), body)
    SigV4Auth(Credentials(ID, secret), "bedrock", "us-east-1").add_auth(request)
    arrived = {name.lower(): value for name, value in request.headers.items()} | {"host": HOST}
    return arrive(method, target, arrived)


def arrive(method: str, target: str, headers: dict[str, str]) -> SignedCall:
    signature = present(headers).signature
    assert signature
    return SignedCall(method, target, headers, signature)


def check(call: SignedCall, body: bytes = BODY, now: datetime | None = None, *secrets: str) -> None:
    call.check_head(now or datetime.now(UTC))
    call.check_body(body, secrets or (SECRET,))


def refusal(call: SignedCall, body: bytes = BODY, now: datetime | None = None, *secrets: str) -> GatewayError:
    with pytest.raises(SignatureWrong) as caught:
        check(call, body, now, *secrets)
    return caught.value


def with_headers(call: SignedCall, **changes: str | None) -> SignedCall:
    """The same call with headers changed, added or taken away; dashes are written as underscores."""
    merged = {**call.headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return arrive(call.method, call.raw_target, {name: value for name, value in merged.items() if value is not None})


def claiming(call: SignedCall, old: str, new: str) -> SignedCall:
    """The same call with another text in its Authorization."""
    assert old in call.headers["authorization"]
    return with_headers(call, authorization=call.headers["authorization"].replace(old, new))


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
segments = texts.filter(lambda segment: segment not in ("", ".", "..")).map(lambda text: quote(text, safe="-_.~"))
paths = st.builds(
    lambda parts, end: "/bedrock/" + "/".join(parts) + end,
    st.lists(segments, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
values = st.text(string.ascii_letters + string.digits + ' \t,;=:/"-', max_size=20)
names = st.from_regex(r"x-(amzn-bedrock|custom)-[a-z0-9]{1,8}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    paths,
    st.lists(st.tuples(texts.filter(bool), texts), max_size=4),
    st.dictionaries(names, values, max_size=4),
    st.binary(max_size=64),
)
def test_what_botocore_signs_holds(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> None:
    """Any path, query, headers and body."""
    target = path
    if query:
        target += "?" + "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)

    check(signed(target, method, headers, body), body)


@pytest.mark.parametrize(
    "target",
    [
        "/bedrock",
        "/bedrock/",
        "/bedrock/agents/",
        "/bedrock/agents/ABCDEFGHIJ/",
        "/bedrock/model/anthropic.claude-v2:1/invoke",
        "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse",
        "/bedrock/model/a%20b%252F%2B~%C3%A9/converse",
        "/bedrock/tags/arn%3Aaws?tagKeys=b&tagKeys=a%20b",
        "/bedrock/flows/?maxResults=2&nextToken=",
        "/bedrock/x?empty&also=",
    ],
)
def test_the_targets_of_real_clients_hold(target: str) -> None:
    """As they were seen on the wire."""
    check(signed(target.replace("?empty&", "?empty=&")))


@pytest.mark.parametrize(
    ("changed", "to"),
    [
        ("/converse", "/invoke"),
        ("nova-lite", "Nova-lite"),
        ("%3A0", ":0"),
        ("%3A0", "%3a0"),
        ("/bedrock/model", "/bedrock/eu-west-1/model"),
        ("/bedrock/model", "/model"),
        ("/converse", "/converse/"),
        ("a=x", "a=y"),
        ("a=x", "A=x"),
        ("b=2", "b=2&b=3"),
        ("&a=x%20y", ""),
    ],
)
def test_another_target_does_not_hold(changed: str, to: str) -> None:
    call = signed()
    assert changed in call.raw_target

    assert "not that of this call" in refusal(replace(call, raw_target=call.raw_target.replace(changed, to))).message


@pytest.mark.parametrize("query", ["a=x%20y&b=2", "a=x+y&b=2", "%61=x%20y&b=2", "&a=x%20y&&b=2"])
def test_another_spelling_of_the_same_query_holds(query: str) -> None:
    """It means the same to AWS, and routers do rewrite it."""
    check(replace(signed(), raw_target=TARGET.partition("?")[0] + "?" + query))


@pytest.mark.parametrize("method", ["GET", "PUT", "post", ""])
def test_another_method_does_not_hold(method: str) -> None:
    refusal(replace(signed(), method=method))


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], b'{"messages":[]}'])
def test_another_body_does_not_hold(body: bytes) -> None:
    refusal(signed(), body)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "gateway.example.com"},
        {"host": HOST.upper()},
        {"content_type": "application/xml"},
        {"x_custom": "another"},
        {"x_amzn_bedrock_trace": "DISABLED"},
        {"x_amzn_bedrock_trace": "ENABLED,ENABLED"},
    ],
)
def test_another_value_of_a_signed_header_does_not_hold(headers: dict[str, str | None]) -> None:
    call = signed(headers={"Content-Type": "a/b", "X-Amzn-Bedrock-Trace": "ENABLED", "X-Custom": "one"})
    check(call)

    refusal(with_headers(call, **headers))


def test_a_signed_header_that_was_taken_away_is_named() -> None:
    call = signed(headers={"X-Amzn-Bedrock-Trace": "ENABLED"})

    assert "x-amzn-bedrock-trace" in refusal(with_headers(call, x_amzn_bedrock_trace=None)).message


@pytest.mark.parametrize(
    "name",
    [
        *("x-amz-target", "x-amzn-bedrock-guardrailidentifier", "x-amz-security-token", "x-amzx"),
        *("x-litellm-tags", "x-outcrop-anything"),
    ],
)
def test_a_header_that_was_added_and_counts_is_named(name: str) -> None:
    call = with_headers(signed(), **{name.replace("-", "_"): "added"})

    assert f"The header {name} must be signed" in refusal(call).message


@pytest.mark.parametrize("name", ["x-amzn-trace-id", "x-amz-cf-id", "x-forwarded-for", "user-agent", "x-request-id"])
def test_a_header_that_routers_add_may_be_unsigned(name: str) -> None:
    check(with_headers(signed(), **{name.replace("-", "_"): "added"}))


@pytest.mark.parametrize(("name", "old"), [("host", "host;"), ("x-amz-date", ";x-amz-date")])
def test_host_and_date_must_be_signed(name: str, old: str) -> None:
    assert f"The header {name} must be signed" in refusal(claiming(signed(), old, "")).message


@pytest.mark.parametrize(
    "names",
    ["x-amz-date;host", "host;host;x-amz-date", "Host;x-amz-date", "host;x-amz-date;", "host;x_amz_date", "", "host x"],
)
def test_signed_headers_are_lower_case_sorted_and_once_each(names: str) -> None:
    call = claiming(signed(), "SignedHeaders=host;x-amz-date", f"SignedHeaders={names}")

    assert "SignedHeaders must name" in refusal(call).message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/us-east-1/", "/us-east-2/"),
        ("/bedrock/", "/bedrock-agentcore/"),
        ("Signature=", "Signature=0"),
        ("Signature=", "Signature=é"),
        (ID, ID),
    ],
)
def test_another_scope_or_signature_does_not_hold(old: str, new: str) -> None:
    call = claiming(signed(secret=SECRET if old != ID else "another"), old, new)

    assert "not that of this call" in refusal(call).message


def test_a_refusal_does_not_show_what_would_have_held() -> None:
    """Else whoever tries learns it."""
    call = signed()
    right = call.signature.hexadecimal
    changed = claiming(call, right, "0" * 64)

    assert right not in refusal(changed).message
    assert SECRET not in repr(call) + refusal(changed).message


def test_either_of_two_secrets_holds() -> None:
    for secrets in (("another", SECRET), (SECRET, "another")):
        check(signed(), BODY, None, *secrets)


@pytest.mark.parametrize("minutes", [-5, -4, 0, 4, 5])
def test_a_clock_may_be_five_minutes_off(minutes: int) -> None:
    check(signed(), BODY, signed_at(signed()) + minutes * MINUTE)


@pytest.mark.parametrize("off", [5 * MINUTE + timedelta(seconds=1), -5 * MINUTE - timedelta(seconds=1), 60 * MINUTE])
def test_a_clock_that_is_further_off_is_told_both_times(off: timedelta) -> None:
    call = signed()
    now = signed_at(call) + off
    error = refusal(call, BODY, now)

    assert isinstance(error, ClockOff)
    assert call.headers["x-amz-date"] in error.message
    assert now.strftime("%Y%m%dT%H%M%SZ") in error.message


def test_the_scope_is_of_the_same_day() -> None:
    call = signed()
    scope = call.signature.scope
    other = replace(call.signature, scope=Scope("20200101", scope.region, scope.service))

    assert "Credential" in refusal(replace(call, signature=other)).message


@pytest.mark.parametrize("date", ["", "today", "20261122T101500", "2026-11-22T10:15:00Z", "20261322T101500Z", "٢٠٢٦"])
def test_a_date_that_is_none_is_told_how_one_looks(date: str) -> None:
    assert "must be a time such as" in refusal(with_headers(signed(), x_amz_date=date)).message


def signed_at(call: SignedCall) -> datetime:
    return datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def by_date_header() -> SignedCall:
    """botocore signs Date where it is given, instead of x-amz-date."""
    return signed(headers={"Date": "Sun, 22 Nov 2026 10:15:00 GMT"})


def test_the_date_header_will_do() -> None:
    call = by_date_header()
    assert "x-amz-date" not in call.headers

    check(call)


@pytest.mark.parametrize("date", ["Sun, 22 Nov 2026", "x", "", "Sun, 22 Nov 99999 10:15:00 GMT"])
def test_a_date_header_that_is_none_is_refused(date: str) -> None:
    refusal(with_headers(by_date_header(), date=date))


def stating(payload: str) -> SignedCall:
    return signed(headers={"X-Amz-Content-SHA256": payload})


HASH_OF_ANOTHER = "0cfb06dc0e7e5ef1b4ed2fd9bdc5d1a4b2ebb3b2d9d9e6e45a7b1c0d0f6d0f00"


@pytest.mark.parametrize(
    "payload",
    ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "", "A" * 64],
)
def test_a_body_must_be_signed(payload: str) -> None:
    assert (
        "must be the SHA-256 of the body" in refusal(with_headers(stating("x"), x_amz_content_sha256=payload)).message
    )


def test_a_stated_hash_must_be_the_bodys() -> None:
    assert "The body that arrived" in refusal(with_headers(stating("x"), x_amz_content_sha256=HASH_OF_ANOTHER)).message


def other_signer(names: str, extra: Callable[[SignedCall], dict[str, str]]) -> SignedCall:
    """Headers that botocore does not sign, signed by its own rules: it is handed them under names that it does."""
    call = signed()
    request = AWSRequest(call.method, f"http://{HOST}{call.raw_target}", {}, BODY)
    auth = SigV4Auth(Credentials(ID, SECRET), "bedrock", "us-east-1")
    request.context["timestamp"] = call.headers["x-amz-date"]
    covered = {**call.headers, **extra(call)}
    lines = "".join(f"{name}:{covered[name]}\n" for name in names.split(";"))
    path, _, query = call.raw_target.partition("?")
    payload = auth.payload(request)
    canonical = "\n".join(["POST", canonical_path(path), canonical_query(query), lines, names, payload])
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    credential = call.headers["authorization"].partition("Credential=")[2].partition(",")[0]
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return with_headers(call, authorization=authorization)


def test_a_signed_length_is_that_of_the_body() -> None:
    """AWS's JavaScript SDK signs it, and a router may have sent the body on in chunks, without one."""
    call = other_signer("content-length;host;x-amz-date", lambda call: {"content-length": str(len(BODY))})

    check(call)


def test_another_signed_length_does_not_hold() -> None:
    refusal(other_signer("content-length;host;x-amz-date", lambda call: {"content-length": str(len(BODY) + 1)}))


def test_http2s_name_of_host_counts_as_host() -> None:
    """AWS's JavaScript SDK signs it over HTTP/2, which a router in front turns into HTTP/1.1."""
    check(other_signer(":authority;x-amz-date", lambda call: {":authority": call.headers["host"]}))


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/a//b/./c/../d", "/a/b/d"),
        ("/a/b/", "/a/b/"),
        ("/../..", "/"),
        ("/a%2Fb", "/a%252Fb"),
        ("/a:b~c", "/a%3Ab~c"),
    ],
)
def test_a_path_is_canonical_by_awss_rules(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical
