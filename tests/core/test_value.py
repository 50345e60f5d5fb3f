"""What is written down as a value, which mypy alone holds to be frozen."""

from dataclasses import field, replace

import pytest

from app.core.value import value


@value
class Point:
    x: int
    names: tuple[str, ...] = field(default=(), repr=False)


def test_a_value_is_equal_to_its_like_and_found_by_it() -> None:
    assert Point(1, ("a",)) == Point(1, ("a",)) != Point(2, ("a",))
    assert {Point(1): "found"}[Point(1)] == "found"


def test_a_changed_copy_leaves_a_value_as_it_was() -> None:
    point = Point(1)

    assert (replace(point, x=2), point) == (Point(2), Point(1))


def test_a_value_has_no_other_fields_and_shows_no_hidden_ones() -> None:
    with pytest.raises(AttributeError):
        Point(1).y = 2  # type: ignore[attr-defined]  # what is tested

    assert repr(Point(1, ("secret",))) == "Point(x=1)"
