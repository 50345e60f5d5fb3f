"""Canonical targets against botocore, AWS's rules of signing, and everything a random target could hide."""

import random
import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode, percent_encode_sequence
from requests_aws4auth import AWS4Auth

from app.core.errors import MalformedRequest
from app.core.targets import Target, parse
from tests import sigv4_verifier

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
LABELS = [
    *("amazon.nova-lite-v1:0", ARN, "a b%2F+~é", "100%", "%", "%zz", "a%2Fb", "%41", "actor//1", "/", "a/"),
    *("a;b", "a=b&c", "a?b#c", "(x)", "'\"`", "*!$,@", "[x]{y}|^<>", "日本", "\U0001f600", "~", "..."),
    *(".hidden", "..hidden", "ends.", "ends..", "-_", "us-east-1", "%2G", "\u2024\u2024", "\uff0e\uff0e"),
]
QUERIES = [
    [("maxResults", "5"), ("byProvider", "Anthropic")],
    [("nextToken", "AAA+BBB/CCC==")],
    [("tagKeys", "b"), ("tagKeys", "a b"), ("tagKeys", "a"), ("tagKeys", "A")],
    [("a;b", "c;d"), ("é", "日本"), ("~", "'()*!"), ("a b", "?/#:@")],
    [("empty", ""), ("", "nameless"), ("x", "%2F"), ("x%", "100%")],
    [("a", "1"), ("a-b", "2"), ("a.b", "3"), ("aa", "4"), ("A", "5")],
]


def parsed(raw: str) -> Target:
    return parse(raw, frozenset({"bedrock"}))


def wire_path(label: str) -> str:
    return f"/model/{percent_encode(label)}/converse"


def by_botocore(target: str) -> tuple[str, str]:
    signer, url = SigV4Auth(Credentials("AKID", "secret"), "bedrock", "us-east-1"), "https://host" + target
    return signer._normalize_url_path(urlsplit(url).path), signer.canonical_query_string(AWSRequest("GET", url))


def by_the_gateways_signer(target: Target) -> tuple[str, str]:
    signer = AWS4Auth("AKID", "secret", "us-east-1", "bedrock")
    return signer.amz_cano_path(target.path), signer.amz_cano_querystring(target.query)


def by_the_specification(target: Target) -> tuple[str, str]:
    return sigv4_verifier.canonical_path(target.path), sigv4_verifier.canonical_query(target.query)


@pytest.mark.parametrize("label", LABELS)
def test_what_botocore_puts_on_the_wire_is_already_canonical(label: str) -> None:
    assert parsed("/bedrock" + wire_path(label)).path == wire_path(label)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_decoded_once(label: str) -> None:
    assert parsed("/bedrock" + wire_path(label)).segments == ("model", label, "converse")


@pytest.mark.parametrize("pairs", QUERIES)
def test_a_query_of_botocores_is_already_canonical(pairs: list[tuple[str, str]]) -> None:
    query = percent_encode_sequence(pairs)

    assert parsed("/bedrock/tags?" + query).query == query


@pytest.mark.parametrize("label", LABELS)
def test_gateway_botocore_and_aws_sign_the_same_path(label: str) -> None:
    target = parsed("/bedrock" + wire_path(label))

    assert by_the_gateways_signer(target) == by_botocore(target.path_and_query) == by_the_specification(target)


@pytest.mark.parametrize("pairs", QUERIES)
def test_gateway_botocore_and_aws_sign_the_same_query(pairs: list[tuple[str, str]]) -> None:
    target = parsed("/bedrock/tags/x?" + percent_encode_sequence(pairs))

    assert by_the_gateways_signer(target) == by_botocore(target.path_and_query) == by_the_specification(target)


NASTY = (
    *(
        "a",
        "b",
        "model",
        ".",
        "..",
        "...",
        "/",
        "/",
        "//",
        "%2e",
        "%2E",
        "%252e",
        "%25252E",
        "%2f",
        "%2F",
        "%252F",
        "%25",
    ),
    *(
        "%5c",
        "%255c",
        "\\",
        "%00",
        "%2500",
        "%0a",
        "%7f",
        "%c3%a9",
        "%ff",
        "%41",
        "%",
        "%2",
        "?",
        "&",
        "=",
        "+",
        ";",
        "#",
    ),
    *(":", "~", "%7e", "%3A", "us-east-1", "X-Amz-Signature", "@", "[", " ", "é", "2e", "52e", "\uff0e"),
)
CANONICAL_PATH = re.compile(r"(/([A-Za-z0-9._~-]|%[0-9A-F]{2})*)+")


def random_targets(seed: int, count: int) -> list[Target]:
    """The accepted ones of so many random targets: all the others must raise MalformedRequest."""
    draw, found = random.Random(seed), []
    for _ in range(count):
        raw = "/bedrock/" + "".join(draw.choices(NASTY, k=draw.randint(1, 7)))
        try:
            found.append(parsed(raw))
        except MalformedRequest:
            continue
    assert len(found) > count / 20
    return found


def depths(segment: str) -> list[bytes]:
    layers = [segment.encode()]
    while (inner := unquote_to_bytes(layers[-1])) != layers[-1]:
        layers.append(inner)
    return layers


def test_no_accepted_path_hides_a_dot_segment_at_any_depth() -> None:
    for target in random_targets(seed=1, count=20_000):
        for segment in target.path.split("/"):
            parts = {part for layer in depths(segment) for part in layer.replace(b"\\", b"/").split(b"/")}
            assert not parts & {b".", b".."}, target


def test_every_accepted_path_is_canonical() -> None:
    for target in random_targets(seed=2, count=20_000):
        assert CANONICAL_PATH.fullmatch(target.path), target
        assert "//" not in target.path
        assert target.path == "/" + "/".join(quote(segment, safe="-_.~") for segment in target.segments)


def test_canonicalising_twice_gives_the_same() -> None:
    for target in random_targets(seed=3, count=20_000):
        again = parsed("/bedrock/eu-west-1" + target.path_and_query)
        assert (again.path, again.query, again.segments) == (target.path, target.query, target.segments)


def test_every_accepted_target_is_signed_as_aws_will_verify_it() -> None:
    for target in random_targets(seed=4, count=10_000):
        assert by_the_gateways_signer(target) == by_botocore(target.path_and_query) == by_the_specification(target)
