"""What a body names at a path: found wherever it hides, and parsed only where its bytes may hold it."""

import json
import time

import pytest

from app.core.body_references import BodyPaths, body_paths
from app.core.errors import MalformedRequest
from app.core.json_bodies import JsonBody, holds
from tests.core.judging import TABLE, body_with

PATHS = sorted({path for o in TABLE.operations for path in (*o.models, *o.resources) if "body." in path})
WINDOW = 64 * 1024
NAMES = (b"s3location", b"guardrailidentifier")


def paths_of(*paths: str) -> BodyPaths:
    found = body_paths(paths)
    assert found
    return found


def found(body: object, *paths: str) -> list[str]:
    content = JsonBody(json.dumps(body).encode(), {})
    return sorted(reference.value for reference in paths_of(*paths).references(content))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_table_finds_its_own_value(path: str) -> None:
    body = body_with(path, "here")

    assert found(body, path) == ["here"]
    assert found({**body, "other": "there"}, path) == ["here"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_table_finds_nothing_beside_its_place(path: str) -> None:
    assert found({"elsewhere": "here"}, path) == []
    assert found(body_with(f"{path}x", "here"), path) == []
    assert found(body_with(path, None), path) == []


@pytest.mark.parametrize(
    ("path", "body", "values"),
    [
        ("body.a", {"a": "1"}, ["1"]),
        ("body.a", {"A": "1", "a": "2"}, ["1", "2"]),
        ("body.a", {"a": ["1", ["2", "3"]]}, ["1", "2", "3"]),
        ("body.a", {"a": 7}, ["7"]),
        ("body.a", {"a": True}, ["True"]),
        ("body.a", {"a": ""}, [""]),
        ("body.a", {"a": None}, []),
        ("body.a", {"b": {"a": "1"}}, []),
        ("body.a[]", {"a": "1"}, ["1"]),
        ("body.a[].b", {"a": [{"b": "1"}, {"b": "2"}]}, ["1", "2"]),
        ("body.a[].b", {"a": {"b": "1"}}, ["1"]),
        ("body.a.b", {"a": [{"b": "1"}]}, ["1"]),
        ("body.a.b", {"a": "1"}, []),
        ("body.a{}.b", {"a": {"x": {"b": "1"}, "y": {"b": "2"}}}, ["1", "2"]),
        ("body.a{}.b", {"a": {"b": "1"}}, []),
        ("body.a{}[]", {"a": {"x": ["1"], "y": ["2"]}}, ["1", "2"]),
        ("body.**.a", {"a": "1", "b": {"a": "2", "c": [{"a": "3"}]}}, ["1", "2", "3"]),
        ("body.x.**.a", {"a": "1", "x": {"a": "2", "c": [[{"a": "3"}]]}}, ["2", "3"]),
        ("body.**.a.b", {"a": {"a": {"b": "1"}}, "b": "2"}, ["1"]),
        ("body.**.a", {"a": {"a": "1"}}, ["1"]),
    ],
)
def test_lists_maps_and_depths_are_looked_through(path: str, body: object, values: list[str]) -> None:
    assert found(body, path) == values


def test_several_paths_are_found_in_one_walk_each_under_its_own_name() -> None:
    paths = paths_of("body.a.b", "s3:body.a.**.c", "body.d", "path.e")
    body = JsonBody(json.dumps({"a": {"b": "1", "x": {"c": "2"}}, "d": "3", "e": "4"}).encode(), {})

    assert {(r.path, r.value) for r in paths.references(body)} == {
        ("body.a.b", "1"),
        ("s3:body.a.**.c", "2"),
        ("body.d", "3"),
    }


def test_an_object_where_text_should_be_is_refused_but_in_what_is_not_modelled() -> None:
    with pytest.raises(MalformedRequest, match=r"body\.a must be text"):
        found({"a": {"b": "1"}}, "s3:body.a")
    assert found({"x": {"a": {"b": "1"}}}, "body.**.a") == []


def test_paths_outside_the_body_are_nothing_to_it() -> None:
    assert body_paths(("path.a", "query.b", "header.c")) is None
    assert body_paths(()) is None


def test_a_body_is_parsed_once_at_most() -> None:
    body = JsonBody(b'{"a": "1"}', {})

    assert body.content() is body.content()


def test_a_name_that_every_body_with_the_path_holds_is_looked_for() -> None:
    assert paths_of("s3:body.messages[].content[].image.source.s3Location.uri").names == (b"s3location",)
    assert paths_of("body.guardrailConfig.guardrailIdentifier").names == (b"guardrailidentifier",)
    for path in PATHS:
        assert all(holds(json.dumps(body_with(path, "x")).encode(), (name,)) for name in paths_of(path).names)


@pytest.mark.parametrize("at", [0, 1, WINDOW - 11, WINDOW - 10, WINDOW - 9, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW])
@pytest.mark.parametrize("name", [b"s3Location", b"S3LOCATION", b"guardrailIdentifier"])
def test_a_name_is_found_wherever_windows_meet(at: int, name: bytes) -> None:
    for body in (b"x" * at + name, b"x" * at + name + b"x" * WINDOW):
        assert holds(body, NAMES)
        assert holds(bytearray(body), NAMES)
        assert not holds(body.replace(name, name[:-1]), NAMES)


@pytest.mark.parametrize(
    "escape", [r"\u0030", r"\u0039", r"\u0041", r"\u004F", r"\u005a", r"\u0061", r"\u006f", r"\u007A", r"\u007a"]
)
def test_an_escaped_letter_or_digit_may_be_any_name(escape: str) -> None:
    assert holds(b"x" * 100 + escape.encode(), NAMES)


@pytest.mark.parametrize(
    "escape", [r"\u002f", r"\u003a", r"\u003c", r"\u0026", r"\u0040", r"\u005b", r"\u0060", r"\u007b", r"\u00e9", r"\n"]
)
def test_other_escapes_are_part_of_no_name(escape: str) -> None:
    assert not holds(b"x" * 100 + escape.encode(), NAMES)


def test_a_large_body_is_looked_through_in_a_moment_and_in_little_memory() -> None:
    body = bytearray(b"QUJDREVGR0hJSktMTU5PUA" * 900_000)
    started = time.process_time()

    assert not holds(body, NAMES)
    assert time.process_time() - started < 1.0
