"""Reads and changes of the registry, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.accounts import KeySecret, Member, Record, Team, User, VirtualKey
from app.core.errors import InvalidField
from app.core.registry_messages import AuditQuery, KeyQuery
from app.store.registry import Change, Registry, Snapshot
from tests.store.conftest import Put
from tests.store.samples import (
    ALL,
    BUDGET,
    CUSTOMER,
    ENTRY,
    KEY,
    LATER,
    MEMBER,
    NOW,
    SECRET,
    TEAM,
    USER,
    plain_key,
    plain_team,
    plain_user,
)


def _everything(records: Snapshot) -> list[object]:
    return [
        records.key("key-1"),
        records.secrets("key-1")[1],
        records.team("team-1"),
        records.members("team-1")[0],
        records.user("user-1"),
        records.customer("customer-1"),
        records.budget("budget-1"),
    ]


def test_every_field_of_every_record_comes_back_as_it_was(registry: Registry, put: Put) -> None:
    put(*ALL)

    assert registry.read(_everything) == list(ALL)


def test_records_with_nothing_in_them_come_back_as_they_were(registry: Registry, put: Put) -> None:
    records = plain_key(1), plain_team(1), plain_user(1)
    put(*records)

    assert registry.read(lambda r: (r.key("key-001"), r.team("team-001"), r.user("user-001"))) == records


def test_moments_come_back_aware_and_in_utc(registry: Registry, put: Put) -> None:
    put(KEY)

    found = registry.read(lambda records: records.key("key-1"))
    assert found
    assert found.expires_at
    assert found.expires_at.utcoffset() == timedelta(0)
    assert found.stamps.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_what_is_put_again_is_replaced(registry: Registry, put: Put, record: Record) -> None:
    put(*ALL)
    others: dict[type[Record], Record] = {
        VirtualKey: replace(KEY, alias=None, tags=(), metadata={}),
        KeySecret: replace(SECRET, expires_at=LATER + timedelta(seconds=1)),
        Team: replace(TEAM, alias="Find"),
        Member: replace(MEMBER, role="user"),
        User: replace(USER, email=None),
        type(CUSTOMER): replace(CUSTOMER, blocked=False),
        type(BUDGET): replace(BUDGET, limits=replace(BUDGET.limits, rpm_limit=None)),
    }
    put(others[type(record)])

    assert others[type(record)] in registry.read(_everything)


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_what_is_removed_is_gone(registry: Registry, put: Put, record: Record) -> None:
    put(*ALL)
    registry.change(lambda change: change.remove(record))

    def left(records: Snapshot) -> list[object]:
        return [
            records.key("key-1"),
            *records.secrets("key-1"),
            records.team("team-1"),
            *records.members("team-1"),
            records.user("user-1"),
            records.customer("customer-1"),
            records.budget("budget-1"),
        ]

    assert record not in registry.read(left)


@pytest.mark.parametrize("name", ["key-1", KEY.token, SECRET.token])
def test_a_key_is_found_by_its_id_its_token_and_a_token_in_its_grace(registry: Registry, put: Put, name: str) -> None:
    put(KEY, SECRET)

    assert registry.read(lambda records: records.key(name)) == KEY


@pytest.mark.parametrize(("seconds", "found"), [(-1, False), (0, False), (1, True)])
def test_a_token_whose_grace_is_over_finds_no_key(registry: Registry, put: Put, seconds: int, found: bool) -> None:
    put(KEY, replace(SECRET, expires_at=NOW + timedelta(seconds=seconds)))

    assert (registry.read(lambda records: records.key(SECRET.token)) is not None) == found


@pytest.mark.parametrize("name", ["", "nobody", "x" * 5000, "' OR 1=1 --", "%", "\N{SNOWMAN}"])
def test_a_name_that_nothing_has_finds_nothing(registry: Registry, put: Put, name: str) -> None:
    put(*ALL)

    def look(records: Snapshot) -> list[object]:
        return [records.key(name), records.team(name), records.user(name), records.customer(name), records.budget(name)]

    assert registry.read(look) == [None] * 5
    assert registry.read(lambda records: (records.members(name), records.secrets(name), records.keys_named(name))) == (
        (),
        (),
        (),
    )


def test_the_keys_of_a_name_come_newest_first_expired_ones_too(registry: Registry, put: Put) -> None:
    keys = [plain_key(number, alias="ours", expires_at=NOW) for number in range(3)]
    put(*keys, plain_key(9, alias="Ours"))

    assert registry.read(lambda records: records.keys_named("ours")) == tuple(reversed(keys))


def test_a_deleted_key_is_found_by_nothing(registry: Registry, put: Put) -> None:
    put(KEY, SECRET)
    registry.change(lambda change: change.remove(KEY))

    def look(records: Snapshot) -> list[object]:
        return [
            records.key("key-1"),
            records.key(KEY.token),
            records.key(SECRET.token),
            *records.keys_named("batch jobs"),
        ]

    assert registry.read(look) == [None, None, None]
    assert registry.read(lambda records: records.keys(KeyQuery(NOW)).total) == 0
    assert registry.by_token(KEY.token).grant is None


def test_a_deleted_keys_row_stays_for_history(registry: Registry, put: Put) -> None:
    put(KEY)
    registry.change(lambda change: change.remove(KEY))
    put(KEY)

    assert registry.read(lambda records: records.key("key-1")) == KEY


def test_a_new_text_ends_the_one_before_it(registry: Registry, put: Put) -> None:
    put(KEY)
    put(replace(KEY, token="d" * 64, access_key_id=None))

    assert registry.read(lambda records: records.secrets("key-1")) == (KeySecret("d" * 64, "key-1"),)


def test_a_new_text_leaves_the_one_before_it_its_grace(registry: Registry, put: Put) -> None:
    put(KEY)
    earlier = KeySecret(KEY.token, "key-1", KEY.access_key_id, LATER)
    rotated = replace(KEY, token="d" * 64, access_key_id="AKIAOUTCROP000000009")
    current = KeySecret(rotated.token, "key-1", rotated.access_key_id)
    put(earlier, rotated, current)

    assert registry.read(lambda records: records.secrets("key-1")) == (current, earlier)


def test_a_text_may_be_put_before_its_key(registry: Registry, put: Put) -> None:
    put(SECRET, KEY)

    assert registry.read(lambda records: records.key(SECRET.token)) == KEY


def test_a_teams_members_go_with_it_and_so_do_a_users_memberships(registry: Registry, put: Put) -> None:
    members = Member("team-1", "user-1"), Member("team-1", "user-2"), Member("team-2", "user-2")
    put(TEAM, USER, *members)
    registry.change(lambda change: change.remove(TEAM))
    assert registry.read(lambda records: records.memberships("user-2")) == (members[2],)

    put(plain_user(2), replace(members[0], team_id="team-3", user_id="user-002"))
    registry.change(lambda change: change.remove(plain_user(2)))
    assert registry.read(lambda records: records.members("team-3")) == ()


def test_a_change_that_fails_leaves_nothing(registry: Registry, put: Put) -> None:
    put(TEAM)

    def work(change: Change) -> None:
        change.put(KEY)
        change.remove(TEAM)
        change.note(ENTRY)
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        registry.change(work)
    assert registry.read(lambda records: (records.key("key-1"), records.team("team-1"))) == (None, TEAM)
    assert registry.read(lambda records: records.audit(AuditQuery()).total) == 0
    assert registry.changes_since(1).names == frozenset()


def test_a_change_reads_what_it_wrote(registry: Registry) -> None:
    def work(change: Change) -> VirtualKey | None:
        change.put(KEY)
        return change.key("key-1")

    assert registry.change(work) == KEY


def test_a_change_hands_back_what_its_work_returns(registry: Registry) -> None:
    assert registry.change(lambda change: 7) == 7
    assert registry.read(lambda records: 8) == 8


@pytest.mark.parametrize(("length", "fits"), [(511, True), (512, True), (513, False)])
def test_a_name_that_is_looked_up_has_a_longest_length(registry: Registry, put: Put, length: int, fits: bool) -> None:
    # four bytes each, and incompressible, which is the worst for PostgreSQL's index
    alias = "".join(chr(0x10000 + number * 37 % 60000) for number in range(length))
    if fits:
        put(replace(KEY, alias=alias))
        assert registry.read(lambda records: len(records.keys_named(alias))) == 1
    else:
        with pytest.raises(InvalidField, match="alias must be at most 512 characters"):
            put(replace(KEY, alias=alias))


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_text_that_no_database_takes_is_the_callers_mistake(registry: Registry, put: Put, name: str) -> None:
    for key in (replace(KEY, alias=name), replace(KEY, id=name), replace(KEY, key_name=name)):
        with pytest.raises(InvalidField, match="NUL"):
            put(key)
    with pytest.raises(InvalidField, match="NUL"):
        registry.read(lambda records: records.team(name))


def test_metadata_of_a_megabyte_comes_back(registry: Registry, put: Put) -> None:
    large = replace(KEY, metadata={"text": "\N{SNOWMAN}" * 1_000_000})
    put(large)

    assert registry.read(lambda records: records.key("key-1")) == large


def test_what_json_cannot_hold_is_the_callers_mistake(put: Put) -> None:
    with pytest.raises(InvalidField, match="cannot be stored"):
        put(replace(KEY, metadata={"x": float("nan")}))
