"""S3 locations in bodies: refused unless a list has them, however they are hidden."""

import gzip
import json

import pytest

from app.core.accounts import Rights
from app.core.errors import MalformedRequest
from app.core.operations import Operation
from tests.core.judging import NOVA, TABLE, body_with, caller, judge, refusal, target_of, with_key

INVOKE = NOVA.replace("/converse", "/invoke")
HIDDEN = {"source": {"s3Location": {"uri": "s3://theirs/key"}}}
PLACES = [
    (operation, path)
    for operation in TABLE.operations
    for path in operation.resources
    if path.startswith("s3:") and not operation.bidirectional
]


def video(location: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": [{"video": {"source": {"s3Location": {"uri": location}}}}]}]}


@pytest.mark.parametrize(
    ("pattern", "location", "passes"),
    [
        ("s3://ours", "s3://ours", True),
        ("s3://ours", "s3://ours/key", True),
        ("s3://ours", "s3://ours/deep/key", True),
        ("s3://ours", "s3://ours-too/key", False),
        ("s3://ours", "s3://our", False),
        ("s3://ours/", "s3://ours/key", True),
        ("s3://ours/", "s3://ours", False),
        ("s3://ours/in", "s3://ours/in", True),
        ("s3://ours/in", "s3://ours/in/key", True),
        ("s3://ours/in", "s3://ours/input", False),
        ("s3://ours/in*", "s3://ours/input", True),
        ("s3://ours*", "s3://ours-too/key", True),
        ("s3://*", "s3://theirs/key", True),
        ("*", "s3://theirs/key", False),
        ("ours", "s3://ours/key", False),
        ("s3://ours", "S3://ours/key", True),
        ("s3://ours", "S3://theirs/key", False),
        ("s3://ours/in", "s3://ours/in/../out", False),
        ("s3://ours/in", "s3://ours/in/%2e%2e/out", False),
        ("s3://ours/in", "s3://ours/in/..%2fout", False),
        ("s3://ours/in", "s3://ours/in/..\\out", False),
        ("s3://ours/in", "s3://ours/in/..key", True),
        ("s3://ours", "s3://ours@theirs/key", False),
        ("s3://ours", "https://ours.s3.amazonaws.com/key", False),
        ("s3://ours", "ours", True),
        ("s3://ours/in", "ours", False),
        ("s3://ours", "arn:aws:s3:::ours", True),
        ("s3://ours", "arn:aws:s3:::ours/key", True),
        ("s3://ours", "arn:aws:s3:::theirs", False),
        ("arn:aws:s3:::ours", "arn:aws:s3:::ours", True),
        ("s3://ours", "arn:aws:s3:us-east-1:123456789012:accesspoint/ours", False),
        ("s3://ours", "", False),
        ("s3://ours", " s3://ours", False),
    ],
)
def test_a_prefix_lets_pass_what_lies_within_it(pattern: str, location: str, passes: bool) -> None:
    assert (refusal(with_key(resources=(pattern,)), NOVA, video(location)) is None) is passes


@pytest.mark.parametrize(("operation", "path"), PLACES, ids=lambda value: getattr(value, "operation", value))
def test_every_place_for_a_location_is_refused_where_no_list_has_it(operation: Operation, path: str) -> None:
    raw, headers = target_of(operation, {})
    body = body_with(path, "s3://theirs/key")

    for granted, passes in (((operation.operation,), False), (("all", operation.operation), True)):
        told = refusal(with_key(operations=granted), raw, body, method=operation.method, headers=headers)
        assert (told is None) is passes
        assert passes or "The key's resources do not include the S3 location s3://theirs/key" in (told or "")


@pytest.mark.parametrize("layer", ["key", "team"])
def test_a_key_and_its_team_must_each_let_a_location_pass(layer: str) -> None:
    for good in (Rights(resources=("s3://theirs",)), Rights(operations=("all",))):
        layers = dict.fromkeys(("key", "team", "user"), good)
        assert refusal(caller(**layers), NOVA, video("s3://theirs/key")) is None
        assert f"The {layer}'s resources" in (
            refusal(caller(**{**layers, layer: Rights()}), NOVA, video("s3://theirs/key")) or ""
        )


def test_a_users_list_binds_locations_only_where_there_is_one() -> None:
    good = Rights(resources=("s3://theirs",))

    assert refusal(caller(key=good, user=Rights()), NOVA, video("s3://theirs/key")) is None
    assert "The user's resources" in (
        refusal(caller(key=good, user=Rights(resources=("s3://ours",))), NOVA, video("s3://theirs/key")) or ""
    )
    assert "The key's resources" in (refusal(caller(key=Rights(), user=good), NOVA, video("s3://theirs/key")) or "")


def test_a_list_of_resources_binds_also_where_all_is_granted() -> None:
    who = with_key(operations=("all",), resources=("s3://ours",))

    assert refusal(who, NOVA, video("s3://ours/key")) is None
    assert refusal(who, NOVA, video("s3://theirs/key"))


PLAIN = json.dumps(video("s3://theirs/key"))
DENIED = {
    "another case": PLAIN.replace("s3Location", "S3LOCATION").replace('"uri"', '"URI"').encode(),
    "an escaped letter": PLAIN.replace("s3Location", "s3\\u004cocation").encode(),
    "an escaped digit": PLAIN.replace("s3Location", "s\\u0033Location").encode(),
    "an escape in capitals": PLAIN.replace("s3Location", "s3Lo\\u0063atio\\u006E").encode(),
    "every letter escaped": "".join(f"\\u{ord(c):04x}" for c in "s3Location").join(PLAIN.split("s3Location")).encode(),
    "an escaped parent": PLAIN.replace("source", "\\u0073ource").encode(),
    "nested lists": json.dumps(video([["s3://theirs/key"]])).encode(),
    "lists around parents": json.dumps(
        {"messages": [[video(0)["messages"]], video("s3://theirs/key")["messages"]]}
    ).encode(),
    "blanks": PLAIN.replace('"s3Location":', '"s3Location"  \n:').encode(),
    "beyond the first window": (PLAIN[:-1] + ', "x": "' + "a" * 200_000 + '"}').encode(),
    "after many windows": ('{"x": "' + "a" * 200_000 + '", ' + PLAIN[1:]).encode(),
    "a number": json.dumps(video(7)).encode(),
}
UNREADABLE = {
    "a key twice": PLAIN.replace('{"uri": "s3://theirs/key"}', '{"uri": "s3://ours", "uri": "s3://theirs"}').encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32-le"),
    "not UTF-8": PLAIN.replace("user", "us\xff").encode("latin-1"),
    "a mark in front": b"\xef\xbb\xbf" + PLAIN.encode(),
    "no quotes": PLAIN.replace('"s3Location"', "s3Location").encode(),
    "single quotes": PLAIN.replace('"s3Location"', "'s3Location'").encode(),
    "a comment": PLAIN.replace('"s3Location"', '/**/"s3Location"').encode(),
    "a list": f"[{PLAIN}]".encode(),
    "two documents": f"{{}}{PLAIN}".encode(),
    "a NUL": PLAIN.replace("user", "us\x00er").encode(),
}


@pytest.mark.parametrize("body", DENIED.values(), ids=DENIED)
def test_a_hidden_location_is_found(body: bytes) -> None:
    assert "S3 location" in (refusal(with_key(), NOVA, body) or "")


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_two_parsers_may_read_otherwise_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        judge(with_key(), NOVA, body)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "gzip"},
        {"content-encoding": "GZIP"},
        {"content-encoding": "identity, gzip"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=utf-8; charset=utf-16"},
        {"content-type": "application/cbor"},
        {"content-type": "application/x-amz-cbor-1.1"},
    ],
)
def test_a_body_that_is_to_be_read_otherwise_is_refused(headers: dict[str, str]) -> None:
    for body in (gzip.compress(PLAIN.encode()), b"\xa1aa\x01"):
        with pytest.raises(MalformedRequest):
            judge(with_key(), NOVA, body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff no JSON",
        b'{"a": 1, "a": 2}',
        b'{"text": "\\u003cb\\u003e \\u00e9 \\ud83d\\ude00"}',
        b"[" * 300_000,
    ],
)
def test_a_body_that_can_hold_no_location_goes_on_as_it_is(body: bytes) -> None:
    judge(with_key(), NOVA, body)
    judge(with_key(), INVOKE, body)


@pytest.mark.parametrize("text", ["about s3Location", '"s3Location": {"uri": "s3://x"}', "s3://theirs/key"])
def test_text_that_speaks_of_locations_is_no_location(text: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": text}]}]}

    assert refusal(with_key(), NOVA, body) is None
    assert refusal(with_key(), INVOKE, body) is None


@pytest.mark.parametrize("depth", [0, 1, 50, 400])
def test_a_location_is_found_at_any_depth_of_a_models_own_body(depth: int) -> None:
    body: object = HIDDEN
    for _ in range(depth):
        body = {"x": [body]}

    assert refusal(with_key(), INVOKE, body if depth else HIDDEN)
    assert refusal(with_key(), NOVA, {"additionalModelRequestFields": body})


def test_a_tool_whose_schema_has_such_names_is_no_location() -> None:
    schema = {"s3Location": {"type": "object", "properties": {"uri": {"type": "string"}}, "uri": {"type": "string"}}}

    assert refusal(with_key(), INVOKE, {"tools": [{"input_schema": {"properties": schema}}]}) is None


def test_a_deeply_nested_body_is_refused_and_breaks_nothing() -> None:
    with pytest.raises(MalformedRequest):
        judge(with_key(), INVOKE, b'{"s3Location":' + b"[" * 90_000 + b"]" * 90_000 + b"}")


def test_the_body_of_a_call_without_places_for_locations_is_not_looked_at() -> None:
    judge(with_key(), "/bedrock/guardrail/g/version/1/apply", PLAIN.encode("utf-16"))


@pytest.mark.parametrize(("count", "passes"), [(999, True), (1000, True), (1001, False)])
def test_a_body_names_at_most_so_many_locations(count: int, passes: bool) -> None:
    """A million fit in a body, and each is compared with every entry: the worker would do nothing else for minutes."""
    body = video([f"s3://ours/{number}" for number in range(count)])

    if passes:
        assert refusal(with_key(resources=("s3://ours",)), NOVA, body) is None
    else:
        with pytest.raises(MalformedRequest, match="names more models, resources or locations than AWS takes"):
            judge(with_key(resources=("s3://ours",)), NOVA, body)


@pytest.mark.parametrize(("length", "passes"), [(2047, True), (2048, True), (2049, False)])
def test_a_location_is_at_most_as_long_as_any(length: int, passes: bool) -> None:
    body = video("s3://ours/".ljust(length, "x"))

    if passes:
        assert refusal(with_key(resources=("s3://ours",)), NOVA, body) is None
    else:
        with pytest.raises(MalformedRequest, match="is longer than any id, ARN or location"):
            judge(with_key(resources=("s3://ours",)), NOVA, body)
