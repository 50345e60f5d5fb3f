"""While the database or Redis is away: who goes on, who is told so soon, and that nothing is lost in the end."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.accounts import Limits
from tests.end_to_end.fleet import COST, calling, held_back, statuses
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.ledger_sums import LedgerSums, eventually, ledger_sums
from tests.end_to_end.outage import Outage
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange
from tests.redis_server import RedisServer
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate

LIMITED = Limits(max_budget=Decimal(1), rpm_limit=100_000)
# a quarter of a second is promised; machines may be busy
SOON_SECONDS = 1.0
# how long a worker may not know that keys were changed: then those are unknown until the database is asked
LOOKED_WITHIN_SECONDS = 1.2
CHOICES = ("refuse", "allow")
CALLS = 8
CALLERS = 6
# a dead worker is missed after 20 s, which is too long for every run: LIMIT_KILLS=1 waits for it
KILLS = os.environ.get("LIMIT_KILLS") == "1"


def environment(folder: Path, when_down: str) -> dict[str, str | None]:
    """A gateway that believes in the keys it knows, however long it is alone."""
    return {
        "OUTCROP_KNOWN_KEY_SECONDS": "300",
        "OUTCROP_SPOOL_DIR": str(folder / "spool"),
        "OUTCROP_LIMITS_WHEN_DOWN": when_down,
    }


@pytest.fixture(scope="module")
def outage(standin_for_all: StandinBedrock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    """A PostgreSQL that can be stopped, and a gateway on it that refuses what it cannot check."""
    with ExitStack() as stack:
        yield Outage(stack, standin_for_all, environment(tmp_path_factory.mktemp("outage"), "refuse"))


class Caller:
    """Calls of several keys through one gateway, each with the seconds that it took."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._port = gateway.port
        self.served: dict[str, int] = {}
        self.seconds: list[float] = []

    def call(self, issued: Issued) -> RawReply:
        began = time.monotonic()
        reply = exchange(self._port, calling(issued.text))
        self.seconds.append(time.monotonic() - began)
        if reply.status == 200:
            self.served[issued.key.id] = self.served.get(issued.key.id, 0) + 1
        return reply

    def calls(self, issued: Issued, count: int = CALLS) -> list[RawReply]:
        return [self.call(issued) for _ in range(count)]

    @contextmanager
    def under_way(self, issued: Issued, standin: StandinBedrock) -> Iterator[None]:
        """A call that has its ticket already, and ends afterwards."""
        gate = Gate()
        standin.script(held_back(gate))
        with RawConnection(self._port) as connection:
            connection.send(calling(issued.text))
            gate.wait_reached()
            yield
            gate.open()
            assert connection.read_reply().status == 200
        self.served[issued.key.id] += 1

    def check_books(self, sums: LedgerSums) -> None:
        """All that was served is booked, once."""
        eventually(lambda: all(sums.rows_of(key) >= count for key, count in self.served.items()))
        assert {key: sums.rows_of(key) for key in self.served} == self.served
        costs = {key: (int(COST.scaleb(12)) * count,) * 2 for key, count in self.served.items()}
        eventually(lambda: sums.held() == (0, 0) and sums.tickets() == 0)
        assert {key: sums.spend("key", key) for key in self.served} == costs
        assert sums.disagreements() == []


def check_away(caller: Caller, limited: Issued, free: Issued, when_down: str) -> None:
    """What callers see meanwhile, from the first call on."""
    caller.seconds.clear()
    first = caller.call(limited)
    replies = [first, *caller.calls(limited)]
    if when_down == "allow":
        assert statuses(replies) == {200: 1 + CALLS}
    else:
        assert statuses(replies) == {503: 1 + CALLS}
        assert "The limits of this key cannot be checked at the moment" in first.body.decode()
        assert (first.header("Retry-After"), first.header("x-amz-retry-after")) == ("1", "1000")
        assert first.header("x-amzn-ErrorType") == "ServiceUnavailableException"
    assert statuses(caller.calls(free)) == {200: CALLS}
    *others, slowest = sorted(caller.seconds)  # a machine stands still once
    assert (others[-1] < SOON_SECONDS, slowest < 5 * SOON_SECONDS) == (True, True), caller.seconds


def test_while_the_database_is_away_limited_keys_are_refused_unless_allowed(
    outage: Outage, standin: StandinBedrock
) -> None:
    """It freezes, comes back, is stopped and is started again."""
    with key_ring(outage.url) as ring:
        keys = {choice: (ring.issue(limits=LIMITED), ring.issue()) for choice in CHOICES}
    with GatewayProcess(outage.settings | {"OUTCROP_LIMITS_WHEN_DOWN": "allow"}, standin) as allowing:
        callers = {"refuse": Caller(outage.gateway), "allow": Caller(allowing)}

        def all_served() -> bool:
            return {callers[choice].call(key).status for choice in CHOICES for key in keys[choice]} == {200}

        assert all_served()
        time.sleep(LOOKED_WITHIN_SECONDS)
        assert all_served()
        with callers["refuse"].under_way(keys["refuse"][0], standin):
            outage.freeze()
        try:
            for choice in CHOICES:
                check_away(callers[choice], *keys[choice], choice)
        finally:
            outage.thaw()
        eventually(all_served, 5)
        with callers["refuse"].under_way(keys["refuse"][0], standin):
            outage.stop()
        for choice in CHOICES:
            check_away(callers[choice], *keys[choice], choice)
        outage.start()
        eventually(all_served, 5)

        with ledger_sums(outage.url) as sums:
            for caller in callers.values():
                caller.check_books(sums)


@pytest.mark.parametrize("when_down", CHOICES)
def test_while_redis_is_away_keys_with_rates_are_refused_unless_allowed(
    when_down: str, standin: StandinBedrock, sqlite_url: str, tmp_path: Path
) -> None:
    """Budgets need it not. It freezes, comes back, is stopped and is started again, knowing nothing."""
    with RedisServer() as redis, key_ring(sqlite_url) as ring:
        rated, budgeted = ring.issue(limits=LIMITED), ring.issue(limits=Limits(max_budget=Decimal(1)))
        settings = {"DATABASE_URL": sqlite_url, "REDIS_URL": redis.url, **environment(tmp_path, when_down)}
        with GatewayProcess(settings, standin) as gateway, ledger_sums(sqlite_url) as sums:
            caller = Caller(gateway)
            assert statuses([caller.call(rated), caller.call(budgeted)]) == {200: 2}
            redis.freeze()
            check_away(caller, rated, budgeted, when_down)
            redis.thaw()
            eventually(lambda: caller.call(rated).status == 200, 5)
            redis.stop()
            check_away(caller, rated, budgeted, when_down)
            redis.start()
            eventually(lambda: caller.call(rated).status == 200, 5)
            caller.check_books(sums)


class Load:
    """Callers that never pause, until their gateway is gone; `seen`: the calls whose whole reply they have."""

    def __init__(self, gateway: GatewayProcess, keys: list[Issued]) -> None:
        self._port = gateway.port
        self.seen: list[str] = []
        self._threads = [
            threading.Thread(target=self._call, args=(keys[number % len(keys)],)) for number in range(CALLERS)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(20)

    def _call(self, issued: Issued) -> None:
        try:
            with RawConnection(self._port) as connection:
                while True:
                    connection.send(calling(issued.text))
                    reply = connection.read_reply()
                    if reply.status == 200 and reply.ended == "clean":
                        self.seen.append(str(reply.header("x-litellm-call-id")))
                    elif reply.status != 503:
                        return
        except OSError:
            pass  # the gateway is gone


def test_a_gateway_that_is_killed_loses_no_call_whose_reply_was_read(outage: Outage, standin: StandinBedrock) -> None:
    """Under load, also while its database is frozen, so that calls stand on its disk alone."""
    with key_ring(outage.url) as ring:
        keys = [ring.issue(), ring.issue(limits=LIMITED)]
    with GatewayProcess(outage.settings, standin) as gateway, Load(gateway, keys) as load:
        eventually(lambda: len(load.seen) > 100)
        outage.freeze()
        frozen_at = len(load.seen)
        try:
            eventually(lambda: len(load.seen) > frozen_at + 50)
        finally:
            gateway.kill()
            outage.thaw()
    with GatewayProcess(outage.settings, standin), ledger_sums(outage.url) as sums:
        eventually(lambda: set(load.seen) <= set(sums.request_ids()))
        if KILLS:
            eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0), 60)

        ids = sums.request_ids()
        assert len(ids) == len(set(ids))
        assert sums.disagreements() == []
