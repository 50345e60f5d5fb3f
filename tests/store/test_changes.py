"""The registry's version: when it moves, and what it says has changed."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from app.core.accounts import KeySecret, Member, Record
from app.core.registry_messages import ChangedName, Changes
from app.store.changes import KEPT_VERSIONS
from app.store.database import Database
from app.store.registry import Change, Registry
from app.store.rows import CHANGES
from tests.store.conftest import Put
from tests.store.samples import BUDGET, CUSTOMER, ENTRY, KEY, MEMBER, SECRET, TEAM, USER, plain_key

OLD_NAMES: set[ChangedName] = {("token", KEY.token), ("access_key_id", "AKIAOUTCROP000000001")}
SECRET_NAMES: set[ChangedName] = {("token", SECRET.token), ("access_key_id", "AKIAOUTCROP000000002")}


def _names(registry: Registry, since: int) -> set[ChangedName]:
    found = registry.changes_since(since).names
    assert found is not None
    return set(found)


def test_nothing_changed_on_an_empty_registry(registry: Registry) -> None:
    assert registry.changes_since(0) == Changes(0, frozenset())


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (KEY, {("key", "key-1"), *OLD_NAMES}),
        (plain_key(1), {("key", "key-001"), ("token", f"{1:064x}")}),
        (TEAM, {("team", "team-1")}),
        (MEMBER, {("team", "team-1"), ("user", "user-1")}),
        (USER, {("user", "user-1")}),
        (CUSTOMER, {("customer", "customer-1")}),
        (BUDGET, {("budget", "budget-1")}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_put_and_what_is_removed_is_named(registry: Registry, record: Record, names: set[ChangedName]) -> None:
    registry.change(lambda change: change.put(record))
    assert registry.changes_since(0) == Changes(1, frozenset(names))

    registry.change(lambda change: change.remove(record))
    assert registry.changes_since(1) == Changes(2, frozenset(names))


def test_a_key_that_keeps_its_text_is_named_by_its_id_alone(registry: Registry, put: Put) -> None:
    put(KEY)
    put(replace(KEY, blocked=False))

    assert _names(registry, 1) == {("key", "key-1")}


def test_a_new_text_names_the_old_one_and_itself(registry: Registry, put: Put) -> None:
    put(KEY)
    put(replace(KEY, token="d" * 64, access_key_id="AKIANEW"))

    new = {("token", "d" * 64), ("access_key_id", "AKIANEW")}
    assert _names(registry, 1) == {("key", "key-1"), *OLD_NAMES, *new}


def test_a_pair_that_comes_to_a_text_or_leaves_it_is_named(registry: Registry, put: Put) -> None:
    put(KEY)
    put(replace(KEY, access_key_id="AKIANEW"))

    assert _names(registry, 1) == {("key", "key-1"), *OLD_NAMES, ("access_key_id", "AKIANEW")}


def test_an_earlier_text_is_named_with_its_key(registry: Registry, put: Put) -> None:
    put(KEY)
    put(SECRET)
    assert _names(registry, 1) == {("key", "key-1"), *SECRET_NAMES}

    registry.change(lambda change: change.remove(SECRET))
    assert _names(registry, 2) == {("key", "key-1"), *SECRET_NAMES}


def test_a_deleted_key_is_named_with_all_its_texts(registry: Registry, put: Put) -> None:
    put(KEY, SECRET)
    registry.change(lambda change: change.remove(KEY))

    assert _names(registry, 1) == {("key", "key-1"), *OLD_NAMES, *SECRET_NAMES}


def test_a_removed_team_is_named_with_its_members(registry: Registry, put: Put) -> None:
    put(TEAM, MEMBER, Member("team-1", "user-2"))
    registry.change(lambda change: change.remove(TEAM))

    assert _names(registry, 1) == {("team", "team-1"), ("user", "user-1"), ("user", "user-2")}


def test_changes_add_up_since_the_version_that_was_seen(registry: Registry, put: Put) -> None:
    for record in (TEAM, USER, BUDGET):
        put(record)

    assert registry.changes_since(1) == Changes(3, frozenset({("user", "user-1"), ("budget", "budget-1")}))
    assert registry.changes_since(3) == Changes(3, frozenset())


def test_the_version_stays_where_nothing_was_put_or_removed(registry: Registry) -> None:
    registry.change(lambda change: change.note(ENTRY))
    registry.change(lambda change: change.team("team-1"))

    assert registry.changes_since(0) == Changes(0, frozenset())


def test_the_version_stays_where_a_change_failed(registry: Registry) -> None:
    def work(change: Change) -> None:
        change.put(TEAM)
        raise LookupError

    with pytest.raises(LookupError):
        registry.change(work)
    assert registry.changes_since(0) == Changes(0, frozenset())


def test_a_version_from_before_a_restore_says_that_anything_may_have_changed(registry: Registry, put: Put) -> None:
    put(TEAM)

    assert registry.changes_since(2) == Changes(1, None)


@pytest.mark.parametrize(
    ("behind", "names"), [(-1, frozenset({("team", "team-1")})), (0, frozenset({("team", "team-1")})), (1, None)]
)
def test_only_the_latest_changes_are_named(
    registry: Registry, database: Database, put: Put, behind: int, names: frozenset[ChangedName] | None
) -> None:
    put(BUDGET)
    with database.change() as connection:
        connection.execute(text(f"UPDATE registry_version SET version = {KEPT_VERSIONS + 4}"))
    put(TEAM)

    current = KEPT_VERSIONS + 5
    assert registry.changes_since(current - KEPT_VERSIONS - behind) == Changes(current, names)
    with database.statement() as connection:
        assert connection.execute(select(func.min(CHANGES.c.version))).scalar() == current


def test_putting_the_same_text_twice_names_it_once(registry: Registry, put: Put) -> None:
    put(KEY, KeySecret(KEY.token, KEY.id, KEY.access_key_id), KEY)

    assert registry.changes_since(0) == Changes(1, frozenset({("key", "key-1"), *OLD_NAMES}))
