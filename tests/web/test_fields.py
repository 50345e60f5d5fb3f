"""What fields of admin requests take, where databases and readers of JSON would not."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.web.admin_api.fields import Metadata, Moment, refused
from app.web.admin_api.wire_model import WireModel

METADATA = TypeAdapter[dict[str, Any]](Metadata)
MOMENT = TypeAdapter[Any](Moment)


def _nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    "value",
    [
        {"a": "\U0001f511"},
        {"a": "\\u0000"},
        {"a": "\\\\u0000"},
        {"a": "\\ud800"},
        {"a": "é" * 100},
        {"a": "x" * (65536 - 9)},
        _nested(31),
        _nested(32),
        {},
    ],
    ids=lambda value: str(value)[:30],
)
def test_metadata_is_taken_as_it_is(value: dict[str, Any]) -> None:
    assert METADATA.validate_python(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {"a": "\0"},
        {"a": "\\\0"},
        {"\0": 1},
        *({"a": [chr(code)]} for code in (0xD800, 0xD900, 0xDBFF, 0xDC00, 0xDFFF)),
        {"a": "x" * (65536 - 8)},
        {"a": float("nan")},
        _nested(33),
        _nested(34),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_metadata_that_could_not_be_kept_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        METADATA.validate_python(value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31", "9001-01-01"])
def test_a_moment_that_no_database_could_keep_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(text)


SAYS_NOTHING: list[Any] = [None, False, "", [], {}, {"a": [], "b": {"c": None}}]
SAYS_SOMETHING: list[Any] = [0, 0.0, True, "x", [None], {"a": 0}]


@pytest.mark.parametrize("value", SAYS_NOTHING)
def test_what_says_nothing_is_passed_over(value: Any) -> None:
    assert refused({"guardrails": value}, frozenset({"guardrails"})) == []


@pytest.mark.parametrize("value", SAYS_SOMETHING)
def test_what_says_something_is_refused(value: Any) -> None:
    assert refused({"guardrails": value}, frozenset({"guardrails"})) == ["guardrails"]


def test_what_is_nested_without_end_is_refused_too() -> None:
    assert refused({"guardrails": _nested(5000)}, frozenset({"guardrails"})) == ["guardrails"]


def forms(above: type[WireModel] = WireModel) -> Iterator[type[WireModel]]:
    """What is asked of the routes."""
    for model in above.__subclasses__():
        of_a_route = model.__module__.startswith("app.") and model.__module__.endswith("_forms")
        if of_a_route and not model.__name__.endswith(("Answer", "Blocked")):
            yield model
        yield from forms(model)


def built(model: type[WireModel]) -> Any:
    """Its core schema, which is made when it is first needed."""
    model.model_rebuild()
    return model.__pydantic_core_schema__


def lists_in(schema: Any) -> Iterator[dict[str, Any]]:
    """The lists in one of pydantic's core schemas."""
    if isinstance(schema, dict):
        if schema.get("type") == "list":
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from lists_in(part)


def test_every_list_of_a_request_ends_at_its_first_mistake() -> None:
    """Else one request has half a million, and the worker does nothing but tell of them."""
    found = {model.__name__: list(lists_in(built(model))) for model in forms()}

    assert len(found["KeyUpdates"]) > 5
    assert [name for name, lists in found.items() for one in lists if not one.get("fail_fast")] == []
