"""Rates and places in a real Redis: exact however many ask at once, and free again when a worker dies."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from threading import Event
from time import monotonic

import pytest

from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Account
from app.core.tickets import Claim, Refusal, Ticket
from app.store.batching import SILENCE_SECONDS
from app.store.redis_counters import RedisCounters
from tests.databases import PATIENCE_SECONDS
from tests.redis_server import RedisServer

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
KEY, TEAM = Account("key", "k1"), Account("team", "t{1}:x")
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One for all tests of this file."""
    with RedisServer() as running:
        yield running


@pytest.fixture
def counters(server: RedisServer) -> Iterator[RedisCounters]:
    """Of one worker, on a Redis that knows nothing, its scripts neither; with most of a minute before it."""
    with server.client() as client:
        client.flushall()
        client.script_flush()
    _wait_until(lambda: int(datetime.now(UTC).timestamp()) % 60 < 57)
    made = RedisCounters(server.url, silence_seconds=PATIENCE_SECONDS)
    yield made
    made.close()


def ticket(*claims: Claim) -> Ticket:
    return Ticket(f"call-{os.getpid()}-{next(_numbers)}", NOW, claims)


def reason(refusal: Refusal | None) -> str | None:
    return refusal.reason if refusal else None


def at_once(counters: RedisCounters, times: int, *claims: Claim) -> Counter[str | None]:
    with ThreadPoolExecutor(32) as pool:
        return Counter(pool.map(lambda _: reason(counters.take(ticket(*claims))), range(times)))


@pytest.mark.parametrize(("claim", "refused"), [(Claim(KEY, rpm=7), "rpm"), (Claim(KEY, parallel=7), "parallel")])
def test_exactly_as_many_pass_at_once_as_a_limit_lets(counters: RedisCounters, claim: Claim, refused: str) -> None:
    assert at_once(counters, 200, claim) == {None: 7, refused: 193}


def test_a_ticket_takes_all_that_it_asks_for_or_nothing(counters: RedisCounters) -> None:
    assert counters.take(ticket(Claim(TEAM, parallel=1))) is None

    refusal = counters.take(ticket(Claim(KEY, rpm=1, parallel=1), Claim(TEAM, parallel=1)))

    assert refusal
    assert (refusal.reason, refusal.claim.account, refusal.balance.in_flight) == ("parallel", TEAM, 1)
    assert counters.take(ticket(Claim(KEY, rpm=1, parallel=1))) is None


def test_tokens_count_once_their_call_has_ended(counters: RedisCounters) -> None:
    first, second = ticket(Claim(KEY, tpm=100)), ticket(Claim(KEY, tpm=100))
    assert [counters.take(first), counters.take(second)] == [None, None]

    counters.settle(first, 99)
    assert counters.take(ticket(Claim(KEY, tpm=100))) is None
    counters.settle(second, 1)
    refusal = counters.take(ticket(Claim(KEY, tpm=100)))

    assert refusal
    assert (refusal.reason, refusal.balance.tokens) == ("tpm", 100)


def test_what_is_given_back_was_never_asked_for(counters: RedisCounters) -> None:
    claim = Claim(KEY, rpm=1, parallel=1)
    taken = ticket(claim)
    assert counters.take(taken) is None

    counters.give_back(taken)
    counters.give_back(taken)

    assert counters.take(ticket(claim)) is None
    assert reason(counters.take(ticket(claim))) == "rpm"


def test_an_ended_call_frees_its_place_and_keeps_its_request(counters: RedisCounters) -> None:
    claim = Claim(KEY, rpm=2, parallel=1)
    taken = ticket(claim)
    assert counters.take(taken) is None
    assert reason(counters.take(ticket(claim))) == "parallel"

    counters.settle(taken, 5)

    assert counters.take(ticket(claim)) is None
    assert reason(counters.take(ticket(claim))) == "rpm"


def test_the_places_of_a_worker_that_died_are_free_once_its_leases_ran_out(
    counters: RedisCounters, server: RedisServer
) -> None:
    dying, living = (RedisCounters(server.url, lease_seconds=2.0, silence_seconds=PATIENCE_SECONDS) for _ in range(2))
    began = monotonic()
    claim = Claim(KEY, parallel=2)
    assert [dying.take(ticket(claim)), living.take(ticket(claim))] == [None, None]
    assert reason(counters.take(ticket(claim))) == "parallel"

    def freed() -> bool:
        living.renew()
        return counters.take(ticket(claim)) is None

    _wait_until(freed)

    assert monotonic() - began >= 2.0
    assert reason(counters.take(ticket(claim))) == "parallel"
    for one in (dying, living):
        one.close()


def test_every_key_ends_by_itself_and_lives_on_one_node_of_a_cluster(
    counters: RedisCounters, server: RedisServer
) -> None:
    taken = ticket(Claim(KEY, rpm=9, parallel=9), Claim(TEAM, tpm=9, parallel=9))
    counters.take(taken)
    with server.client() as client:
        keys = list(client.scan_iter())
        assert len(keys) == 4
        assert all(key.startswith("{outcrop}:") and 0 < client.ttl(key) <= 120 for key in keys)
        counters.settle(taken, 1)
        assert not any(key.startswith("{outcrop}:leases:") for key in client.scan_iter())


def _take_in_a_process(url: str, begin: Event, results: "multiprocessing.Queue[object]") -> None:
    counters = RedisCounters(url, silence_seconds=PATIENCE_SECONDS)
    begin.wait()
    results.put(dict(at_once(counters, 50, Claim(KEY, rpm=60), Claim(TEAM, parallel=30))))


def test_four_processes_never_take_more_than_there_is(counters: RedisCounters, server: RedisServer) -> None:
    context = multiprocessing.get_context("fork")
    begin, results = context.Event(), context.Queue()
    workers = [context.Process(target=_take_in_a_process, args=(server.url, begin, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    begin.set()
    outcomes: Counter[object] = Counter()
    for _ in workers:
        outcomes.update(results.get(timeout=30))
    for worker in workers:
        worker.join(10)

    assert outcomes == {None: 30, "parallel": 170}


def test_a_redis_that_says_nothing_is_waited_for_a_quarter_of_a_second_and_asked_again_later() -> None:
    clock = Clock()
    with RedisServer() as server:
        counters = RedisCounters(server.url, clock=clock)
        others = [RedisCounters(server.url) for _ in range(2)]
        taken = ticket(Claim(KEY, parallel=1))
        assert counters.take(taken) is None
        server.freeze()
        twice = [(_seconds_until_refused(one), _seconds_until_refused(one)) for one in (counters, *others)]
        first, then = zip(*twice, strict=True)
        counters.settle(taken, 1)  # which is told to nobody
        server.thaw()

        # the best of three: the machine of a test has other work to do
        assert 0.95 * SILENCE_SECONDS <= min(first) < 0.25
        assert min(then) < 0.01
        clock.ahead = 1.0
        assert reason(counters.take(ticket(Claim(KEY, parallel=1)))) == "parallel"
        for one in (counters, *others):
            one.close()


def _seconds_until_refused(counters: RedisCounters) -> float:
    began = monotonic()
    with pytest.raises(StoreUnavailable):
        counters.take(ticket(Claim(KEY, parallel=1)))
    return monotonic() - began


def test_a_redis_that_was_started_anew_is_used_again_without_its_scripts() -> None:
    clock = Clock()
    with RedisServer() as server:
        counters = RedisCounters(server.url, clock=clock)
        assert counters.take(ticket(Claim(KEY, rpm=5))) is None
        server.stop()
        with pytest.raises(StoreUnavailable):
            counters.take(ticket(Claim(KEY, rpm=5)))
        server.start()
        clock.ahead = 1.0
        assert counters.take(ticket(Claim(KEY, rpm=1))) is None
        counters.close()


def test_a_wrong_url_is_told_without_its_password() -> None:
    with pytest.raises(ValueError, match="no URL of a Redis") as raised:
        RedisCounters("redis://:pass/word@host:6379/0")

    assert "pass" not in str(raised.value).replace(":password@", "")


class Clock:
    """Seconds: those that pass, and those that a test adds."""

    ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not holds():
        assert monotonic() < deadline
        Event().wait(0.01)
