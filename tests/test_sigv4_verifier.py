"""The verifier agrees with botocore on what is right, and lets no part of a signed request be changed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.sigv4_verifier import Verdict, canonical_path, canonical_query, verify

KEY_ID = "AKIAVERIFIER"
SECRET = "secret/with+signs="
TOKEN = "session//token+with=signs"
HOST = "127.0.0.1:4000"

TARGETS = [
    "/",
    "/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
    "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse",
    "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fabc/invoke",
    "/model/a%20b%252F%2B~%C3%A9/converse",
    "/model/raw-\xc3\xa9/converse",
    "/model/%e6%97%a5%E6%9C%AC/converse",
    "/model/a+b=c;d=e,f@g$h&i!j'k(l)m*n/converse",
    "/bedrock/model/x;version=1/converse",
    "/agents/",
    "/agents/ABCDEFGHIJ/",
    "/model//x///converse",
    "/model/./a/../b/converse",
    "/model/%2e%2e/converse",
    "/flows/?maxResults=2",
    "/async-invoke?maxResults=5&statusEquals=Completed&sortBy=SubmissionTime",
    "/tags/arn%3Aaws%3Abedrock?tagKeys=b&tagKeys=a%20b&tagKeys=B&tagKeys=a",
    "/x?nextToken=AAA%2BBBB%2FCCC%3D%3D&a=1",
    "/x?a-b=1&a=2&a%20c=3&A=4&a=1",
    "/x?empty=&z=%C3%A9&colon=%3A&semi=%3B",
    "/x?tilde=~&dot=.&under=_&dash=-",
]


@dataclass(frozen=True)
class Wire:
    """A request as it stands on the wire."""

    method: str = "POST"
    target: str = "/model/anthropic.claude-v1%3A0/converse?a=1&b=2"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b'{"messages":[]}'


@dataclass(frozen=True)
class Credential:
    """What botocore signs with in these tests."""

    token: str | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def signed(wire: Wire, credential: Credential | None = None) -> Wire:
    """Sign with botocore, and return the request as botocore would put it on the wire."""
    credential = credential or Credential()
    target = wire.target.encode("latin-1").decode()
    request = AWSRequest(wire.method, f"http://{HOST}{target}", {**credential.headers}, wire.body)
    SigV4Auth(Credentials(KEY_ID, SECRET, credential.token), "bedrock", "us-east-1").add_auth(request)
    return replace(wire, headers=(("Host", HOST), *request.headers.items()))


def judged(wire: Wire, token: str | None = None, secret: str = SECRET, now: datetime | None = None) -> Verdict:
    return verify(wire, {KEY_ID: secret}.get, lambda access_key_id: token, now)


def with_header(wire: Wire, name: str, value: str) -> Wire:
    kept = tuple(pair for pair in wire.headers if pair[0].lower() != name.lower())
    return replace(wire, headers=(*kept, (name, value)))


def without_signing(wire: Wire, name: str) -> Wire:
    """Take a name out of SignedHeaders, as a signer would that forgot it."""
    [authorization] = [value for header, value in wire.headers if header == "Authorization"]
    return with_header(wire, "Authorization", authorization.replace(f";{name}", "").replace(f"{name};", ""))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_agrees_with_botocore(method: str, target: str) -> None:
    """Each target that botocore signs is right here too."""
    body = b"" if method == "GET" else b'{"text":"\xc3\xa9"}'

    assert judged(signed(Wire(method, target, body=body))).reason == ""


def test_tells_what_was_claimed() -> None:
    """A verdict holds the parts of the Authorization header."""
    verdict = judged(signed(Wire()))

    assert verdict.ok
    assert (verdict.access_key_id, verdict.region, verdict.service) == (KEY_ID, "us-east-1", "bedrock")
    assert verdict.date == datetime.now(UTC).strftime("%Y%m%d")
    assert verdict.signed_headers == ("content-type", "host", "x-amz-date")


def test_collapses_white_space_and_joins_repeats_in_header_values() -> None:
    """Header values are trimmed, inner runs of spaces count as one, repeats are joined by commas."""
    wire = signed(Wire(), Credential(headers={"X-Amz-Note": "a  b", "X-Amzn-Two": "1,2"}))
    changed = with_header(with_header(wire, "X-Amz-Note", " a b  "), "X-Amzn-Two", "1")

    assert judged(replace(changed, headers=(*changed.headers, ("x-amzn-two", "2")))).ok


def test_a_key_id_may_hold_slashes() -> None:
    """The scope is read from its end."""
    request = AWSRequest("GET", f"http://{HOST}/x", {}, b"")
    SigV4Auth(Credentials("sk-a/b", SECRET), "bedrock", "us-east-1").add_auth(request)
    wire = Wire("GET", "/x", (("Host", HOST), *request.headers.items()), b"")

    assert verify(wire, {"sk-a/b": SECRET}.get).access_key_id == "sk-a/b"
    assert verify(wire, {"sk-a/b": SECRET}.get).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda wire: replace(wire, body=wire.body + b" "),
        lambda wire: replace(wire, body=b""),
        lambda wire: replace(wire, method="PUT"),
        lambda wire: replace(wire, target=wire.target.replace("%3A", ":")),
        lambda wire: replace(wire, target="/bedrock" + wire.target),
        lambda wire: replace(wire, target=wire.target.replace("/converse", "/converse/")),
        lambda wire: replace(wire, target=wire.target.replace("a=1", "a=2")),
        lambda wire: replace(wire, target=wire.target + "&c="),
        lambda wire: replace(wire, target=wire.target.partition("?")[0]),
        lambda wire: replace(wire, target=f"http://{HOST}{wire.target}"),
        lambda wire: with_header(wire, "Host", "127.0.0.1:4001"),
        lambda wire: with_header(wire, "Content-Type", "text/plain"),
        lambda wire: with_header(wire, "X-Amz-Date", f"{datetime.now(UTC) - timedelta(minutes=1):%Y%m%dT%H%M%SZ}"),
        lambda wire: replace(wire, headers=tuple(pair for pair in wire.headers if pair[0] != "Content-Type")),
        lambda wire: replace(wire, headers=(*wire.headers, ("content-type", "text/plain"))),
    ],
)
def test_no_part_of_a_signed_request_can_be_changed(change: Callable[[Wire], Wire]) -> None:
    """A changed body, method, path, query, host or signed header breaks the signature."""
    assert not judged(change(signed(Wire()))).ok


def test_another_secret_does_not_verify() -> None:
    """The signature depends on the secret, and an unknown access key id has none."""
    wire = signed(Wire())

    assert judged(wire, secret=SECRET + "x").reason == "the signature does not match the request"
    assert "not known" in verify(wire, lambda access_key_id: None).reason


def test_the_order_of_the_query_does_not_matter() -> None:
    """The canonical query is sorted, so that its wire order is free."""
    wire = signed(Wire(target="/x?b=2&a=1"))

    assert judged(replace(wire, target="/x?a=1&b=2")).ok


@pytest.mark.parametrize(("raw", "encoded"), [("a=x+y", "a=x%20y"), ("a==", "a=%3D"), ("a=/:;", "a=%2F%3A%3B")])
def test_a_raw_sign_in_the_query_is_signed_encoded(raw: str, encoded: str) -> None:
    """Decoding and encoding again makes raw signs what AWS signs; a plus is a space."""
    assert canonical_query(raw) == encoded
    assert judged(replace(signed(Wire(target=f"/x?{encoded}")), target=f"/x?{raw}")).ok


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/a%2Fb/", "/a%252Fb/"),
        ("//a/./b/../c", "/a/c"),
        ("/..", "/"),
        ("/a:b;c", "/a%3Ab%3Bc"),
        ("/\xc3\xa9", "/%C3%A9"),
    ],
)
def test_the_path_is_quoted_once_more(path: str, canonical: str) -> None:
    """Dot and empty segments go, a trailing slash stays, percent signs are quoted again."""
    assert canonical_path(path) == canonical


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_host_and_every_amz_header_must_be_signed(name: str) -> None:
    """A header that AWS acts upon must not be free for others to change."""
    wire = signed(Wire(), Credential(headers={"X-Amz-Target": "Service.Operation", "X-Amzn-Free": "1"}))

    assert f"headers must be signed and are not: ['{name}']" in judged(without_signing(wire, name)).reason


def test_an_amz_header_added_afterwards_is_refused() -> None:
    """Only what was signed may be there."""
    assert not judged(with_header(signed(Wire()), "X-Amz-Target", "Service.Other")).ok


def test_a_stated_payload_hash_must_be_that_of_the_body() -> None:
    """Neither another hash nor UNSIGNED-PAYLOAD passes, though they are signed."""
    for stated in ("0" * 64, "UNSIGNED-PAYLOAD"):
        wire = signed(Wire(), Credential(headers={"X-Amz-Content-SHA256": stated}))

        assert "is not the hash of the body" in judged(wire).reason


def test_a_session_token_must_be_sent_and_signed() -> None:
    """A credential with a session token is worth nothing without it."""
    wire = signed(Wire(), Credential(token=TOKEN))

    assert judged(wire, token=TOKEN).ok
    assert "has none" in judged(wire).reason
    assert "must be sent" in judged(signed(Wire()), token=TOKEN).reason
    assert "must be sent" in judged(wire, token="another").reason
    unsigned = without_signing(wire, "x-amz-security-token")
    assert "must be signed and are not: ['x-amz-security-token']" in judged(unsigned, token=TOKEN).reason


@pytest.mark.parametrize(("seconds", "ok"), [(299, True), (302, False), (-298, True), (-302, False)])
def test_the_clocks_may_be_five_minutes_apart(seconds: int, ok: bool) -> None:
    """A request is good for five minutes either way."""
    assert judged(signed(Wire()), now=datetime.now(UTC) + timedelta(seconds=seconds)).ok is ok


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer sk-1",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=x;host, Signature=0",
    ],
)
def test_a_malformed_authorization_is_refused_with_a_reason(authorization: str) -> None:
    """Nothing that is sent can raise."""
    verdict = judged(with_header(signed(Wire()), "Authorization", authorization))

    assert not verdict.ok
    assert verdict.reason


def test_one_authorization_and_one_date_are_needed() -> None:
    """Without them, or with two of them, it is not clear what was signed."""
    wire = signed(Wire())

    assert "one authorization header" in judged(Wire()).reason
    assert "one authorization header" in judged(replace(wire, headers=wire.headers * 2)).reason
    for value in ("yesterday", "20200101T000000Z"):
        assert "x-amz-date" in judged(with_header(wire, "X-Amz-Date", value)).reason
