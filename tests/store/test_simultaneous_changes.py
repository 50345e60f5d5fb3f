"""Changes and reads at the same time: changes happen one after the other, and each read sees one moment."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from app.core.accounts import Team
from app.store.database import Database
from app.store.registry import Change, Registry, Snapshot
from tests.store.conftest import Put
from tests.store.samples import KEY, NOW, TEAM, USER, plain_key, plain_team

PROCESSES, CHANGES_EACH = 2, 25


def _count(change: Change) -> None:
    team = change.team("team-1")
    assert team
    change.put(replace(team, metadata={"count": team.metadata["count"] + 1}))


def _count_in_a_process(url: str) -> None:
    database = Database.at(url)
    registry = Registry(database, lambda: NOW)
    for _ in range(CHANGES_EACH):
        registry.change(_count)
    database.close()


def _claim(number: int) -> Callable[[Change], bool]:
    def claim(change: Change) -> bool:
        if change.keys_named("the one"):
            return False
        change.put(plain_key(number, alias="the one"))
        return True

    return claim


def test_of_many_threads_that_want_an_alias_one_gets_it(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(registry.change, map(_claim, range(8))))

    assert sum(got) == 1
    assert registry.changes_since(0).version == 1


def test_no_change_of_several_processes_is_lost(database_url: str, registry: Registry, put: Put) -> None:
    put(replace(TEAM, metadata={"count": 0}))
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as processes:
        list(processes.map(_count_in_a_process, [database_url] * PROCESSES))

    team = registry.read(lambda records: records.team("team-1"))
    assert team
    assert team.metadata == {"count": PROCESSES * CHANGES_EACH}
    assert registry.changes_since(0).version == 1 + PROCESSES * CHANGES_EACH


def test_a_change_of_another_engine_waits_for_the_one_before_it(
    database_url: str, registry: Registry, put: Put
) -> None:
    put(replace(TEAM, metadata={"count": 0}))
    other = Registry(Database.at(database_url), lambda: NOW)
    inside, go_on = Event(), Event()

    def slow(change: Change) -> None:
        inside.set()
        assert go_on.wait(10)
        _count(change)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(registry.change, slow)
        assert inside.wait(10)
        second = threads.submit(other.change, _count)
        assert other.changes_since(0).version == 1, "readers do not wait"
        assert not second.done()
        go_on.set()
        first.result(10)
        second.result(10)

    team = registry.read(lambda records: records.team("team-1"))
    assert team
    assert team.metadata == {"count": 2}


def test_all_reads_of_one_snapshot_see_the_same_moment(database_url: str, registry: Registry, put: Put) -> None:
    put(TEAM)
    other = Registry(Database.at(database_url), lambda: NOW)

    def work(records: Snapshot) -> list[Team | None]:
        before = records.team("team-1")
        for team in (replace(TEAM, alias="another"), plain_team(2)):
            other.change(lambda change, team=team: change.put(team))  # type: ignore[misc]  # bound at once
        return [before, records.team("team-1"), records.team("team-002")]

    assert registry.read(work) == [TEAM, TEAM, None]
    assert registry.read(lambda records: records.team("team-002"))


@pytest.mark.parametrize("method", ["by_token", "by_access_key_id"])
def test_a_look_up_never_mixes_two_versions(registry: Registry, database_url: str, put: Put, method: str) -> None:
    put(KEY, TEAM, USER)
    writer = Registry(Database.at(database_url), lambda: NOW)
    presented = KEY.token if method == "by_token" else KEY.access_key_id

    def rename() -> None:
        for version in range(2, 60):
            name = str(version)

            def work(change: Change, name: str = name) -> None:
                change.put(replace(KEY, alias=name))
                change.put(replace(TEAM, alias=name))
                change.put(replace(USER, alias=name))

            writer.change(work)

    seen = set()
    with ThreadPoolExecutor(1) as threads:
        renaming = threads.submit(rename)
        while not renaming.done():
            found = getattr(registry, method)(presented)
            aliases = {found.grant.key.alias, found.grant.team.alias, found.grant.user.alias}
            assert found.version == 1 or aliases == {str(found.version)}
            seen.add(found.version)
        renaming.result()
    assert len(seen) > 3
