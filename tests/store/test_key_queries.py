"""Lists of keys: each filter, each order, and the ends of pages."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Stamps
from app.core.registry_messages import KeyQuery, Page
from app.store.registry import Registry
from tests.store.conftest import Put, Spend
from tests.store.samples import NOW, plain_key

List = Callable[..., list[int]]


@pytest.fixture
def listed(registry: Registry) -> List:
    """Ask with a KeyQuery's fields; answered with the numbers of the keys, in order."""

    def listed(**fields: Any) -> list[int]:
        query = KeyQuery(**{"now": NOW, "size": 100, **fields})
        page = registry.read(lambda records: records.keys(query))
        assert page.total == len(page.items)
        return [int(key.token, 16) for key in page.items]

    return listed


def test_the_newest_come_first(put: Put, listed: List) -> None:
    put(plain_key(2), plain_key(1), plain_key(3))

    assert listed() == [3, 2, 1]


@pytest.mark.parametrize("field", ["user_id", "team_id", "budget_id", "alias"])
def test_keys_are_filtered_by_what_they_name(put: Put, listed: List, field: str) -> None:
    put(plain_key(1, **{field: "one"}), plain_key(2, **{field: "on"}), plain_key(3))

    assert listed(**{field: "one"}) == [1]
    assert listed(**{field: "nobody"}) == []


def test_keys_are_filtered_by_their_token_and_their_maker(put: Put, listed: List) -> None:
    put(plain_key(1), plain_key(2, stamps=Stamps(NOW, "ops", NOW, "master")))

    assert listed(token=f"{1:064x}") == [1]
    assert listed(created_by="ops") == [2]


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (("key-001", frozenset()), [1]),
        ((None, frozenset({"a"})), [3, 2]),
        (("key-001", frozenset({"a", "b"})), [4, 3, 2, 1]),
        ((None, frozenset()), []),
        (None, [5, 4, 3, 2, 1]),
    ],
)
def test_only_visible_keys_are_listed(put: Put, listed: List, visible: Any, seen: list[int]) -> None:
    put(plain_key(1), plain_key(2, team_id="a"), plain_key(3, team_id="a"), plain_key(4, team_id="b"), plain_key(5))

    assert listed(visible=visible) == seen


def test_filters_narrow_each_other(put: Put, listed: List) -> None:
    put(plain_key(1, team_id="a", user_id="u"), plain_key(2, team_id="a"), plain_key(3, user_id="u"))

    assert listed(team_id="a", user_id="u") == [1]
    assert listed(team_id="a", visible=("key-003", frozenset())) == []


def test_only_named_keys_are_listed_where_that_is_asked(put: Put, listed: List) -> None:
    put(plain_key(1, alias="a"), plain_key(2))

    assert listed(named=True) == [1]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("build", [1]),
        ("BUILD", [1]),
        ("key-00", [3, 2, 1]),
        ("%", [2]),
        ("_", [2]),
        ("/", [3]),
        ("\\", [3]),
        ("x'", []),
    ],
)
def test_a_search_looks_in_aliases_and_ids_as_it_stands(put: Put, listed: List, search: str, found: list[int]) -> None:
    put(plain_key(1, alias="nightly Build"), plain_key(2, alias="100%_safe"), plain_key(3, alias="a/b\\c"))

    assert listed(search=search) == found


@pytest.mark.parametrize(("seconds", "expired"), [(-1, True), (0, True), (1, False)])
def test_a_key_expires_at_its_moment(put: Put, listed: List, seconds: int, expired: bool) -> None:
    put(plain_key(1, expires_at=NOW + timedelta(seconds=seconds)))

    assert listed(status="expired") == ([1] if expired else [])
    assert listed(status="active") == ([] if expired else [1])


def test_every_key_has_one_status(put: Put, listed: List) -> None:
    put(
        plain_key(1),
        plain_key(2, blocked=True),
        plain_key(3, blocked=True, expires_at=NOW),
        plain_key(4, expires_at=NOW),
    )

    assert [listed(status=status) for status in ("active", "blocked", "expired")] == [[1], [3, 2], [4]]


@pytest.mark.parametrize(
    ("sort_by", "up"),
    [
        ("created_at", [1, 2, 3, 4]),
        ("updated_at", [4, 3, 2, 1]),
        ("key_alias", [4, 2, 3, 1]),
        ("spend", [1, 2, 4, 3]),
        ("expires", [3, 2, 1, 4]),
    ],
)
def test_keys_are_sorted_and_those_without_the_value_come_last(
    put: Put, spend: Spend, listed: List, sort_by: str, up: list[int]
) -> None:
    moment = [NOW + timedelta(seconds=number) for number in range(5)]
    stamps = [Stamps(moment[number], "m", moment[4 - number], "m") for number in range(5)]
    put(
        plain_key(1, stamps=stamps[1], alias="\N{LATIN SMALL LETTER E WITH ACUTE}", expires_at=moment[3]),
        plain_key(2, stamps=stamps[2], alias="a", expires_at=moment[2]),
        plain_key(3, stamps=stamps[3], alias="a b", expires_at=moment[1]),
        plain_key(4, stamps=stamps[4], alias="B"),
    )
    for number, spent in ((2, "0.000000000001"), (3, "1000"), (4, "999")):
        spend(plain_key(number), Decimal(spent))

    assert listed(sort_by=sort_by, descending=False) == up
    last = [4] if sort_by == "expires" else []
    assert listed(sort_by=sort_by) == [number for number in reversed(up) if number not in last] + last


def test_ties_are_broken_by_id_so_that_pages_never_overlap(registry: Registry, put: Put) -> None:
    same = Stamps(NOW, "master", NOW, "master")
    put(*(plain_key(number, stamps=same) for number in range(25)))

    pages = registry.read(lambda records: [records.keys(KeyQuery(NOW, page=page)) for page in (1, 2, 3)])
    assert [key.id for page in pages for key in page.items] == [f"key-{number:03}" for number in range(25)]
    assert [page.total for page in pages] == [25, 25, 25]


@pytest.mark.parametrize(
    ("page", "size", "count"),
    [(1, 1, 1), (1, 2, 2), (1, 3, 3), (1, 4, 3), (2, 2, 1), (3, 1, 1), (4, 1, 0), (2, 3, 0), (10**40, 10**40, 0)],
)
def test_a_page_ends_where_the_list_does(registry: Registry, put: Put, page: int, size: int, count: int) -> None:
    put(*(plain_key(number) for number in range(3)))

    found = registry.read(lambda records: records.keys(KeyQuery(NOW, page=page, size=size)))
    assert (len(found.items), found.total) == (count, 3)


def test_an_empty_list_is_an_empty_page(registry: Registry) -> None:
    assert registry.read(lambda records: records.keys(KeyQuery(NOW))) == Page((), 0)


def test_a_keys_whole_record_is_listed(registry: Registry, put: Put) -> None:
    key = replace(plain_key(1), tags=("a", "b"), metadata={"x": 1})
    put(key)

    assert registry.read(lambda records: records.keys(KeyQuery(NOW))).items == (key,)
