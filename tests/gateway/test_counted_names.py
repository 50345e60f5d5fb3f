"""Names that are counted apart, and those that are too many."""

from datetime import date, timedelta

import pytest

from app.core.ledger_entries import OTHER
from app.gateway.counted_names import MOST_NAMES, CountedNames

DAY = date(2026, 11, 22)


def test_ten_thousand_end_users_of_a_key_are_counted_by_name_and_no_more() -> None:
    names = CountedNames()
    counted = [names.end_user("key-1", f"u{number}", DAY) for number in range(MOST_NAMES + 2)]

    assert counted[:MOST_NAMES] == [f"u{number}" for number in range(MOST_NAMES)]
    assert counted[MOST_NAMES:] == [OTHER, OTHER]
    assert names.end_user("key-1", "u0", DAY) == "u0"


@pytest.fixture
def full() -> CountedNames:
    """Two names a key, and three in all."""
    names = CountedNames(most=2, most_in_all=3)
    for name in ("a", "b", "c"):
        names.end_user("key-1", name, DAY)
    return names


def test_another_key_has_names_of_its_own(full: CountedNames) -> None:
    assert full.end_user("key-2", "c", DAY) == "c"


def test_the_master_keys_calls_have_names_too(full: CountedNames) -> None:
    assert full.end_user(None, "c", DAY) == "c"


def test_what_all_keys_name_together_is_bounded(full: CountedNames) -> None:
    assert [full.end_user("key-2", name, DAY) for name in ("x", "y", "x")] == ["x", OTHER, "x"]


def test_a_registered_customer_is_always_counted_by_name_and_takes_no_place(full: CountedNames) -> None:
    assert [full.end_user("key-1", f"c{number}", DAY, registered=True) for number in range(3)] == ["c0", "c1", "c2"]
    assert full.end_user("key-2", "x", DAY) == "x"


def test_a_new_day_begins_anew_and_what_ends_late_does_not_go_back(full: CountedNames) -> None:
    after = DAY + timedelta(days=1)

    assert full.end_user("key-1", "c", after) == "c"
    assert full.end_user("key-1", "d", DAY) == "d"
    assert full.end_user("key-1", "e", after) == OTHER


def test_tags_are_counted_apart_from_end_users_and_other_stands_once(full: CountedNames) -> None:
    assert full.tags("key-2", ["t", "u", "v", "t"], DAY) == ("t", OTHER)
