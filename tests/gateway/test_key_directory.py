"""The keys a worker knows: no query for those, one for those it does not, and none of a state that is over."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event

import pytest

from app.core.accounts import KeyGrant
from app.core.errors import GatewayError, StoreUnavailable, WorkerFull
from app.core.registry_messages import ChangedName
from app.gateway.key_directory import KeyDirectory
from tests.fake_keys import PAIR_ID, FakeKeySource, a_key, a_team, a_user
from tests.fakes import Clock

KEY = a_key(team_id="team-1", user_id="user-1", access_key_id=PAIR_ID, budget_id="budget-1")
GRANT = KeyGrant(KEY, a_team(), a_user(), admin_of=frozenset({"team-9"}))
KNOWN_SECONDS = 300


class House:
    """A directory over a registry in memory, and a clock that stands still."""

    def __init__(self, *grants: KeyGrant) -> None:
        self.source = FakeKeySource(*grants)
        self.clock = Clock()
        self.directory = KeyDirectory(self.source, KNOWN_SECONDS, self.clock)
        self.directory.poll()

    def find(self, token: str = KEY.token) -> KeyGrant | None:
        return self.directory.by_token(token)

    def later(self, seconds: float) -> None:
        """Time in which the poller does its work."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            wait = self.directory.poll()
            self.clock.now = min(end, self.clock.now + wait)


@pytest.fixture
def house() -> House:
    return House(GRANT)


def refused(house: House, token: str = "unknown") -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        house.find(token)
    return caught.value


def test_a_warm_key_makes_no_query(house: House) -> None:
    house.find()
    house.source.look_ups.clear()
    house.source.polls.clear()

    assert [house.find() for _ in range(100)] == [GRANT] * 100
    assert house.source.look_ups == []
    assert house.source.polls == []


def test_a_pair_is_found_by_its_id(house: House) -> None:
    assert house.directory.by_access_key_id(PAIR_ID) == GRANT
    assert house.source.look_ups == [("access_key_id", PAIR_ID)]


def test_a_pair_and_its_key_are_known_side_by_side(house: House) -> None:
    for _ in range(3):
        house.directory.by_access_key_id(PAIR_ID)
        house.find()

    assert len(house.source.look_ups) == 2


def test_a_key_that_does_not_exist_is_asked_for_once(house: House) -> None:
    assert [house.find("unknown") for _ in range(100)] == [None] * 100
    assert len(house.source.look_ups) == 1


CHANGES: list[ChangedName] = [
    ("key", KEY.id),
    ("token", KEY.token),
    ("access_key_id", PAIR_ID),
    ("team", "team-1"),
    ("user", "user-1"),
    ("budget", "budget-1"),
    ("team", "team-9"),
]


@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("how", ["token", "access_key_id"])
def test_a_change_of_anything_above_a_key_is_seen(house: House, changed: ChangedName, how: str) -> None:
    """However the key was presented: its team narrows it, and its user's role."""

    def find() -> KeyGrant | None:
        return house.find() if how == "token" else house.directory.by_access_key_id(PAIR_ID)

    find()
    blocked = replace(GRANT, key=replace(KEY, blocked=True))
    house.source.put(blocked, changed)
    house.directory.poll()

    assert find() == blocked


def test_a_change_of_something_else_costs_nothing(house: House) -> None:
    house.find()
    house.source.look_ups.clear()
    house.source.put(KeyGrant(a_key("sk-another-0123456789")), ("key", "another"), ("team", "another"))
    house.directory.poll()
    house.find()

    assert house.source.look_ups == []


def test_where_the_registry_forgot_what_changed_all_is_asked_for_again(house: House) -> None:
    house.find()
    house.source.forgets_changes = True
    house.directory.poll()
    house.source.look_ups.clear()
    house.find()

    assert len(house.source.look_ups) == 1


def test_a_database_put_back_to_what_it_was_is_believed(house: House) -> None:
    """Its version is an older one."""
    house.source.version = 50
    house.directory.poll()
    house.find()
    house.source.version = 7
    house.directory.poll()
    house.source.look_ups.clear()
    house.find()

    assert len(house.source.look_ups) == 1


def test_a_key_that_did_not_exist_is_found_once_it_does(house: House) -> None:
    """A chosen text may have been tried before."""
    late = KeyGrant(a_key("sk-late-0123456789abc"))
    house.find(late.key.token)
    house.source.put(late)
    house.directory.poll()

    assert house.find(late.key.token) == late


def test_a_worker_sees_its_own_change_at_once(house: House) -> None:
    """Before it answers that it is made."""
    house.find()
    house.source.remove(GRANT)
    house.directory.refresh()

    assert house.find() is None


def test_a_look_up_under_way_does_not_bring_back_what_was_revoked(house: House) -> None:
    """It had read the key before; the poll that told of the change is over when it comes back."""

    def revoke() -> None:
        house.source.during = lambda: None
        house.source.remove(GRANT)
        house.directory.poll()

    house.source.during = revoke

    assert house.find() is None
    assert len(house.source.look_ups) == 2
    assert house.find() is None


def test_a_look_up_older_than_its_poll_is_not_kept(house: House) -> None:
    """A registry that moves at every look-up: the answer is the last one read, and is asked for again next time."""

    def move() -> None:
        house.source.put(GRANT, ("team", "another"))
        house.directory.poll()

    house.source.during = move

    assert house.find() == GRANT
    assert len(house.source.look_ups) == 3
    house.source.during = lambda: None
    house.find()
    assert len(house.source.look_ups) == 4


def test_a_look_up_newer_than_its_poll_is_dropped_when_the_poll_tells(house: House) -> None:
    blocked = replace(GRANT, key=replace(KEY, blocked=True))
    house.source.put(blocked)
    assert house.find() == blocked
    house.source.put(GRANT)
    house.directory.poll()

    assert house.find() == GRANT


def test_many_calls_with_one_cold_key_make_one_look_up(house: House) -> None:
    """They wait for it."""
    under_way, go_on = Event(), Event()

    def take_long() -> None:
        under_way.set()
        go_on.wait(10)

    house.source.during = take_long
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(house.find) for _ in range(20)]
        assert under_way.wait(10)
        go_on.set()

        assert [call.result(10) for call in calls] == [GRANT] * 20
    assert len(house.source.look_ups) == 1


def test_a_thousand_cold_keys_at_once_are_all_found() -> None:
    """After a start: none of them counts as one that does not exist."""
    grants = [KeyGrant(a_key(f"sk-cold-{number:012}", id=str(number))) for number in range(1000)]
    house = House(*grants)
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(house.find, [grant.key.token for grant in grants]))

    assert found == grants


@pytest.mark.parametrize(("unknown", "refusals"), [(19, 0), (20, 0), (21, 1), (200, 180)])
def test_twenty_look_ups_a_second_may_find_nothing(house: House, unknown: int, refusals: int) -> None:
    errors = []
    for number in range(unknown):
        try:
            house.find(f"unknown {number}")
        except WorkerFull as error:
            errors.append(error)

    assert len(house.source.look_ups) == unknown - refusals
    assert {error.retry_after for error in errors} <= {1}
    assert len(errors) == refusals


def test_no_second_has_more_than_twenty_of_them(house: House) -> None:
    """Not a calendar's second: any."""
    times = []
    for number in range(500):
        house.later(0.01)
        before = len(house.source.look_ups)
        try:
            house.find(f"unknown {number}")
        except WorkerFull:
            pass
        times += [house.clock.now] * (len(house.source.look_ups) - before)

    assert len(times) == 100
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[20:], strict=False))


def test_a_flood_of_unknown_keys_does_not_keep_known_ones_out(house: House) -> None:
    house.find()
    for number in range(20):
        house.find(f"unknown {number}")

    assert isinstance(refused(house), WorkerFull)
    assert house.find() == GRANT


def flood(house: House) -> None:
    """As many unknown keys as use up the second."""
    for number in range(20):
        house.find(f"unknown {number}")
    assert isinstance(refused(house), WorkerFull)


def test_a_flood_of_unknown_keys_does_not_keep_cold_keys_out(house: House) -> None:
    """Which keys were issued is known before any was looked up."""
    flood(house)

    assert house.find() == GRANT
    assert house.directory.by_access_key_id(PAIR_ID) == GRANT


def test_a_key_issued_since_gets_in_during_a_flood_once_the_poll_told_of_it(house: House) -> None:
    late = KeyGrant(a_key(id="late", token="late"))
    house.source.put(late)
    flood(house)
    assert isinstance(refused(house, "late"), WorkerFull)
    house.directory.poll()

    assert house.find("late") == late


def test_a_key_issued_within_the_last_moment_is_looked_up_all_the_same(house: House) -> None:
    """Before any poll told of it."""
    late = KeyGrant(a_key(id="late", token="late"))
    house.source.put(late)

    assert house.find("late") == late


def test_which_keys_were_issued_is_learnt_anew_where_changes_were_missed(house: House) -> None:
    late = KeyGrant(a_key(id="late", token="late"))
    house.source.put(late)
    house.source.forgets_changes = True
    house.directory.poll()
    flood(house)

    assert house.find("late") == late


def test_a_key_that_was_issued_and_is_gone_is_found_missing(house: House) -> None:
    house.source.remove(GRANT)
    house.directory.poll()

    assert house.find() is None


def test_what_is_known_is_bounded(house: House) -> None:
    """The least recently used goes; unknown keys push out no known one."""
    house.find()
    for number in range(10_100):
        house.later(0.06)
        house.find(f"unknown {number}")

    assert len(house.directory._keys._known) == 10_001
    house.source.look_ups.clear()
    house.find()
    house.find("unknown 10099")
    assert house.source.look_ups == []


def away(house: House) -> House:
    house.find()
    house.source.down = True
    house.later(1)
    house.source.look_ups.clear()
    return house


def test_without_the_database_a_known_key_goes_on(house: House) -> None:
    away(house)
    house.later(KNOWN_SECONDS - 5)

    assert house.find() == GRANT
    assert house.source.look_ups == []


def test_without_the_database_an_unknown_key_is_told_to_try_again(house: House) -> None:
    error = refused(away(house))

    assert isinstance(error, StoreUnavailable)
    assert error.retry_after == 1
    assert house.source.look_ups == []


def test_after_a_while_without_the_database_no_key_is_believed(house: House) -> None:
    away(house)
    house.later(KNOWN_SECONDS + 1)

    assert isinstance(refused(house, KEY.token), StoreUnavailable)
    assert house.directory.freshness().expired


def test_what_changed_meanwhile_is_not_missed(house: House) -> None:
    away(house)
    house.source.remove(GRANT)
    house.later(KNOWN_SECONDS + 1)
    house.source.down = False
    house.later(1.25)

    assert house.find() is None


def test_one_failed_look_up_is_not_repeated_by_every_call(house: House) -> None:
    """The poll comes to know soon enough whether the database is back."""
    house.source.down = True
    errors = [refused(house, f"cold {number}") for number in range(100)]

    assert {type(error) for error in errors} == {StoreUnavailable}
    assert len(house.source.look_ups) == 1


def test_without_the_database_it_is_asked_for_once_a_second(house: House) -> None:
    away(house)
    house.source.polls.clear()
    house.later(10)

    assert len(house.source.polls) in (10, 11)


def test_it_is_said_once_that_the_database_went_and_once_that_it_came(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    away(house)
    house.later(30)
    house.source.down = False
    house.later(30)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_worker_without_a_poller_asks_when_it_is_called(house: House) -> None:
    """As under `flask run`; and one too busy to poll does."""
    house.find()
    house.source.remove(GRANT)
    house.clock.advance(1)

    assert house.find() is None


def test_a_worker_that_never_reached_the_database_finds_its_keys_once_it_does() -> None:
    source, clock = FakeKeySource(GRANT), Clock()
    source.down = True
    directory = KeyDirectory(source, KNOWN_SECONDS, clock)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            directory.by_token(KEY.token)
    assert len(source.polls) == 1
    source.down = False
    clock.advance(2)

    assert directory.by_token(KEY.token) == GRANT


def test_an_error_nobody_foresaw_in_a_poll_is_not_swallowed(house: House) -> None:
    """And counts as one that did not come back."""

    def broken(version: int) -> None:
        raise ZeroDivisionError

    house.source.changes_since = broken  # type: ignore[method-assign,assignment]  # a fault of the store
    with pytest.raises(ZeroDivisionError):
        house.directory.poll()

    assert isinstance(refused(house), StoreUnavailable)


def test_an_error_nobody_foresaw_in_a_look_up_holds_nobody_up(house: House) -> None:
    """Its place comes free, and the next call looks up for itself."""

    def broken() -> None:
        house.source.during = lambda: None
        raise ZeroDivisionError

    house.source.during = broken
    with pytest.raises(ZeroDivisionError):
        house.find()

    assert house.find() == GRANT


@pytest.mark.parametrize(("seconds", "expired"), [(0, False), (299, False), (300, False), (300.1, True)])
def test_freshness_is_the_time_since_the_last_poll_that_came_back(seconds: float, expired: bool) -> None:
    house = House()
    house.source.down = True
    house.clock.advance(seconds)
    freshness = house.directory.freshness()

    assert freshness.age == pytest.approx(seconds)
    assert freshness.expired is expired


def test_freshness_says_whether_the_database_answers(house: House) -> None:
    """A look-up that failed counts, and so does the poll that comes back after it."""
    assert house.directory.freshness().answers
    house.source.down = True
    refused(house)
    assert not house.directory.freshness().answers
    house.source.down = False
    house.directory.poll()

    assert house.directory.freshness().answers


def test_polls_do_not_overtake_each_other(house: House) -> None:
    """An older answer that comes later would look like a database that was put back."""
    start = Barrier(8)

    def poll(_: int) -> None:
        start.wait(10)
        for number in range(50):
            house.source.put(GRANT, ("team", f"other {number}"))
            house.directory.poll()

    house.find()
    house.source.look_ups.clear()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(poll, range(8)))
    house.find()

    assert house.source.look_ups == []


def test_what_was_looked_up_since_it_changed_is_not_forgotten_when_that_is_told(house: House) -> None:
    """So a key that was made just before the database went away is served meanwhile."""
    house.source.put(GRANT)
    house.find()
    house.later(1)
    house.source.down = True

    assert house.find() == GRANT
    assert len(house.source.look_ups) == 1


def test_what_was_looked_up_before_it_changed_is_forgotten_when_that_is_told(house: House) -> None:
    house.find()
    house.source.put(GRANT)
    house.later(1)
    house.find()

    assert len(house.source.look_ups) == 2
