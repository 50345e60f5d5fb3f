"""Questions in batches: who spoils one is told so alone, and a worker that is held up takes nobody for away."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

import pytest

from app.core.errors import InvalidField, StoreUnavailable
from app.store.batching import SILENCE_SECONDS, Batching
from app.store.breaker import Breaker
from tests.gateway_process import REPOSITORY


class Doubling:
    """Answers twice the number; refuses 13; waits while it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go = Event(), Event()
        self.go.set()
        self.lost: list[tuple[str, int]] = []
        self.away = False

    def answer(self, questions: Sequence[int]) -> Sequence[int]:
        self.begun.set()
        assert self.go.wait(10)
        self.batches.append(list(questions))
        if self.away:
            raise StoreUnavailable("away", reason="gone")
        if 13 in questions:
            raise InvalidField("not this number")
        return [2 * number for number in questions]

    def unheard(self, question: int, answer: int) -> None:
        self.lost.append(("unheard", question))

    def failed(self, question: int) -> None:
        self.lost.append(("failed", question))


def asking(source: Doubling) -> Batching[int, int]:
    return Batching(source, Breaker("the source", monotonic), monotonic)


def test_who_waits_meanwhile_makes_the_next_batch() -> None:
    source = Doubling()
    batching = asking(source)
    source.go.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(batching.ask, 1)
        assert source.begun.wait(5)
        others = [pool.submit(batching.ask, number) for number in (2, 3, 4)]
        _until_waiting(batching, 3)
        source.go.set()

        assert [first.result(), *(other.result() for other in others)] == [2, 4, 6, 8]
    assert [len(batch) for batch in source.batches] == [1, 3]


def test_who_spoils_a_batch_is_told_so_alone() -> None:
    source = Doubling()
    batching = asking(source)
    source.go.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(batching.ask, 1)
        assert source.begun.wait(5)
        others = [pool.submit(batching.ask, number) for number in (2, 13, 4)]
        _until_waiting(batching, 3)
        source.go.set()

        assert first.result() == 2
        assert [type(other.exception()) for other in others] == [type(None), InvalidField, type(None)]
    assert source.lost == [("failed", 13)]


def test_where_a_batch_fails_those_behind_it_do_not_wait_for_the_same() -> None:
    source = Doubling()
    batching = asking(source)
    source.go.clear()
    source.away = True
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(batching.ask, 1)]
        assert source.begun.wait(5)
        asked += [pool.submit(batching.ask, number) for number in (2, 3)]
        _until_waiting(batching, 2)
        source.go.set()

        assert {type(one.exception()) for one in asked} == {StoreUnavailable}
    assert source.batches == [[1]]
    assert sorted(source.lost) == [("failed", 1), ("failed", 2), ("failed", 3)]


def test_an_answer_that_came_too_late_is_handed_back() -> None:
    source = Doubling()
    batching = asking(source)
    source.go.clear()
    with pytest.raises(StoreUnavailable):
        batching.ask(1)

    source.go.set()
    deadline = monotonic() + 5
    while not batching.idle:
        assert monotonic() < deadline
        Event().wait(0.002)

    assert source.lost == [("unheard", 1)]


def test_the_answer_of_whoever_was_interrupted_is_handed_back() -> None:
    class Interrupted(Batching[int, int]):
        def _wait(self, waiting: object) -> None:
            raise KeyboardInterrupt

    source = Doubling()
    batching = Interrupted(source, Breaker("the source", monotonic), monotonic)
    with pytest.raises(KeyboardInterrupt):
        batching.ask(1)
    deadline = monotonic() + 5
    while not source.lost:
        assert monotonic() < deadline
        Event().wait(0.002)

    assert source.lost == [("unheard", 1)]


HELD_UP = """
from gevent import monkey
monkey.patch_all()
import collections, sys, time, types, gevent
sys.modules["app"] = types.ModuleType("app")  # without its wiring, which takes long to import
sys.modules["app"].__path__ = ["app"]
from app.store.batching import SILENCE_SECONDS, Batching
from app.store.breaker import Breaker

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

class Remote:
    def answer(self, questions):
        for _ in range(4):  # round trips
            gevent.sleep(0.001)
            batching.hear()
        return questions
    def unheard(self, question, answer): print("unheard")
    def failed(self, question): print("failed")

batching = Batching(Remote(), Breaker("the source", time.monotonic), time.monotonic)

def call(number):
    burn(0.004)
    gevent.sleep(0.001)
    burn(0.004)
    assert batching.ask(number) == number
    return "answered"

jobs = [gevent.spawn(call, number) for number in range(60)]
print(dict(collections.Counter(job.get() for job in gevent.joinall(jobs))))
"""


def test_a_worker_that_is_busy_with_other_calls_takes_no_source_for_away() -> None:
    """Each turn of its loop takes longer than a source may be silent."""
    command = [sys.executable, "-c", HELD_UP]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)

    assert done.stderr == ""
    assert done.stdout.strip() == str(dict(Counter(["answered"] * 60)))


def _until_waiting(batching: Batching[int, int], number: int) -> None:
    deadline = monotonic() + 5
    while len(batching._queue) < number:
        assert monotonic() < deadline
        Event().wait(0.002)


class Fading(Doubling):
    """Says something a moment after it was asked, and nothing more for as long as it is told to wait."""

    batching: Batching[int, int]

    def answer(self, questions: Sequence[int]) -> Sequence[int]:
        Event().wait(0.01)
        self.batching.hear()
        return super().answer(questions)


def test_a_source_that_spoke_a_moment_before_is_waited_for_no_longer_than_another() -> None:
    waits = []
    for _ in range(3):  # the best of three: the machine of a test has other work to do
        source = Fading()
        source.batching = batching = asking(source)
        source.go.clear()
        began = monotonic()
        with pytest.raises(StoreUnavailable):
            batching.ask(1)
        waits.append(monotonic() - began)
        source.go.set()
        assert batching.wait_until_idle(10)

    assert SILENCE_SECONDS < min(waits) < 1.3 * SILENCE_SECONDS
