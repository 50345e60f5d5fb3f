"""Redis away, emptied, or unable to write, under load: limited keys are refused, or go on where that is allowed, and
afterwards counts are exact again, and no place is taken for calls that have ended."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import pytest

from app.core.accounts import Limits
from tests.end_to_end.fleet import Crowd, calling, held_back, statuses
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.ledger_sums import eventually, ledger_sums
from tests.faults.counts import count
from tests.faults.mixed_load import Keys, Load, answer, check_delay, of, some_keys, spread
from tests.gateway_process import GatewayProcess
from tests.raw_client import exchange
from tests.redis_server import RedisServer
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate

FAULT_SECONDS = count("OUTAGE_SECONDS", 6) / 6
RECOVERY_SECONDS = 5
PAUSE_SECONDS = 0.03
PLACES = 8
# leases are renewed at each beat, every 5 s
BEAT_SECONDS = 5.5
CHOICES = ("refuse", "allow")
# connections to AWS and to Redis that a worker keeps
POOLED = 8


@dataclass
class House:
    """A gateway of one worker on its own SQLite file, with Redis for rates and places."""

    gateway: GatewayProcess
    url: str
    keys: Keys
    placed: Issued

    def load(self) -> Load:
        return Load(self.gateway, (*self.keys.all, self.placed), callers=3, pause=PAUSE_SECONDS)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture(scope="module")
def houses(
    redis: RedisServer, standin_for_all: StandinBedrock, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, House]]:
    """One that refuses what it cannot check, and one that allows it, both warm."""
    standin_for_all.answer = answer
    with ExitStack() as stack:
        made = {}
        for choice in CHOICES:
            file = tmp_path_factory.mktemp(choice) / "outcrop.db"
            copyfile(sqlite_template, file)
            url = f"sqlite:///{file}"
            environment = {"DATABASE_URL": url, "REDIS_URL": redis.url, "OUTCROP_LIMITS_WHEN_DOWN": choice}
            gateway = stack.enter_context(GatewayProcess(environment, standin_for_all))
            with key_ring(url) as ring:
                placed = ring.issue(limits=Limits(max_parallel_requests=PLACES, rpm_limit=10**6))
            made[choice] = House(gateway, url, some_keys(url), placed)
            with made[choice].load() as load:
                load.warm_up()
        yield made


@contextmanager
def frozen(redis: RedisServer) -> Iterator[None]:
    redis.freeze()
    try:
        yield
    finally:
        redis.thaw()


@contextmanager
def stopped(redis: RedisServer) -> Iterator[None]:
    """And started again, knowing nothing."""
    redis.stop()
    yield
    redis.start()


@contextmanager
def emptied(redis: RedisServer) -> Iterator[None]:
    """Its scripts are gone too."""
    with redis.client() as client:
        client.flushall()
        client.script_flush()
    yield


@contextmanager
def out_of_memory(redis: RedisServer) -> Iterator[None]:
    with redis.client() as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@contextmanager
def read_only(redis: RedisServer) -> Iterator[None]:
    """As a replica is whose master is gone."""
    with redis.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        yield
        client.execute_command("REPLICAOF", "NO", "ONE")


Fault = Callable[[RedisServer], AbstractContextManager[None]]
FAULTS: dict[str, tuple[Fault, bool]] = {
    "frozen": (frozen, True),
    "stopped": (stopped, True),
    "emptied": (emptied, False),
    "out of memory": (out_of_memory, True),
    "read only": (read_only, True),
}


@pytest.mark.parametrize("name", FAULTS)
def test_limited_keys_are_refused_or_go_on_while_redis_is(
    name: str,
    redis: RedisServer,
    houses: dict[str, House],
    standin: StandinBedrock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    standin.answer = answer
    fault, is_away = FAULTS[name]
    descriptors = {choice: len(house.gateway.open_files()) for choice, house in houses.items()}
    with ExitStack() as stack:
        loads = {choice: stack.enter_context(house.load()) for choice, house in houses.items()}
        eventually(lambda: all(len(load.served()) > 30 for load in loads.values()))
        began = time.monotonic()
        with fault(redis):
            eventually(lambda: time.monotonic() > began + FAULT_SECONDS, FAULT_SECONDS + 1)
            if is_away:
                eventually(lambda: any(not call.served for call in loads["refuse"].since(began)), RECOVERY_SECONDS)
        back_at = time.monotonic()
        for choice, house in houses.items():
            eventually(lambda: _served_again(loads[choice], house, back_at), RECOVERY_SECONDS)  # noqa: B023  # called at once
    with capsys.disabled():
        for choice, load in loads.items():
            limited = of(load.since(began), houses[choice].keys.limited)
            refused = [call for call in limited if call.status == 503]
            sys.stdout.write(f"\n    Redis {name}, {choice}: limited {spread(limited)}, {len(refused)} refused")

    for choice, load in loads.items():
        check(load, houses[choice], began, choice, is_away=is_away)
        eventually(lambda: len(houses[choice].gateway.open_files()) <= descriptors[choice] + POOLED)  # noqa: B023  # called at once


def _served_again(load: Load, house: House, since: float) -> bool:
    return any(call.served for call in of(load.since(since), house.keys.limited))


def check(load: Load, house: House, began: float, choice: str, *, is_away: bool) -> None:
    """Who was served, and how soon; and that all rows are there."""
    free, limited = of(load.calls, house.keys.free), of(load.calls, (*house.keys.limited, house.placed))
    refused = [call for call in limited if not call.served]
    assert [call for call in free if not call.served] == []
    assert {(call.status, call.whole, call.retry_after) for call in refused} <= {(503, True, "1")}
    if is_away or choice == "allow":
        assert bool(refused) == (choice == "refuse")
    else:  # a busy machine may have held it up for a moment
        assert len(refused) <= len(limited) // 10
    check_delay(load.since(began), load.before(began))
    with ledger_sums(house.url) as sums:
        ids = {str(call.id) for call in load.served()}
        eventually(lambda: ids <= set(sums.request_ids()))
        eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0))
        assert sums.disagreements() == []


@pytest.mark.parametrize("choice", CHOICES)
def test_places_of_calls_that_ended_while_redis_was_away_are_free_again_and_no_more_than_there_are(
    choice: str, redis: RedisServer, houses: dict[str, House], standin: StandinBedrock
) -> None:
    """Leases of which Redis did not hear that they end run out, as nobody renews them: here at once."""
    house = houses[choice]
    key = f"{{outcrop}}:leases:key:{house.placed.key.id}"
    with crowd_at_aws(house, standin, 3) as (crowd, gates):
        redis.freeze()
        for gate in gates:
            gate.open()
        assert statuses(crowd.replies()) == {200: 3}
    redis.thaw()
    with redis.client() as client:
        left: dict[str, float] = dict(client.zrange(key, 0, -1, withscores=True))
        time.sleep(BEAT_SECONDS)
        now: dict[str, float] = dict(client.zrange(key, 0, -1, withscores=True))
        assert now.items() <= left.items()
        if left:
            client.zadd(key, dict.fromkeys(left, 1), xx=True)
    with crowd_at_aws(house, standin, PLACES) as (crowd, gates):
        refused = exchange(house.gateway.port, calling(house.placed.text))
        for gate in gates:
            gate.open()
        assert statuses(crowd.replies()) == {200: PLACES}
    assert refused.status == 429


@contextmanager
def crowd_at_aws(house: House, standin: StandinBedrock, size: int) -> Iterator[tuple[Crowd, list[Gate]]]:
    """So many calls at once of the key whose places are limited, all of them under way."""
    gates = [Gate() for _ in range(size)]
    standin.script(*map(held_back, gates))
    with Crowd([house.gateway.port], [calling(house.placed.text)] * size) as crowd:
        for gate in gates:
            gate.wait_reached()
        yield crowd, gates
