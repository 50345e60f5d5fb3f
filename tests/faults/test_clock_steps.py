"""Somebody sets the machine's clock by an hour while calls are under way.

Deadlines count by the monotonic clock; what is written down is what the clock says; AWS refuses what is signed with a
wrong time, and takes calls again once it is right.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.key_ring import key_ring
from tests.end_to_end.streams import converse_request
from tests.faults.clock import HOUR, STEPS, Clock
from tests.faults.large_streams import large_stream, read_all
from tests.faults.probe import MODEL
from tests.faults.victim import Victim
from tests.faults.ward import LIMITS, Ward, someone, ward
from tests.gateway_process import REPOSITORY
from tests.raw_client import RawConnection, exchange
from tests.standin_answers import converse_frames
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import EVENT_STREAM, Chunk, EndChunks, Gate, Step, Wait, chunked_answer

FRAMES = converse_frames()
WHOLE = b"".join(FRAMES)
DEADLINES = {
    "OUTCROP_FIRST_BYTE_TIMEOUT": "30",
    "OUTCROP_READ_TIMEOUT": "30",
    "OUTCROP_TOTAL_TIMEOUT": "60",
    "OUTCROP_WRITE_TIMEOUT": "30",
}


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock") / "seconds")


@pytest.fixture(scope="module")
def shifted_ward(standin_for_all: StandinBedrock, clock: Clock) -> Iterator[Ward]:
    """A gateway on that clock."""
    with ward(standin_for_all, DEADLINES | clock.environment) as found:
        yield found


@pytest.fixture(autouse=True)
def right_again(clock: Clock, standin: StandinBedrock) -> Iterator[None]:
    """AWS's own clock does not matter, but to the one test that is about it."""
    standin.lenient = True
    yield
    clock.set(0)


@pytest.mark.parametrize("step", STEPS)
def test_a_stream_goes_on_and_its_row_tells_how_long_it_took(
    shifted_ward: Ward, standin: StandinBedrock, clock: Clock, step: float
) -> None:
    gate = Gate()
    steps: list[Step] = [*map(Chunk, FRAMES[:3]), Wait(gate), *map(Chunk, FRAMES[3:]), EndChunks()]
    shifted_ward.break_victims(lambda request: chunked_answer(steps, EVENT_STREAM))
    with shifted_ward.watched(), RawConnection(shifted_ward.gateway.port) as caller:
        caller.send(shifted_ward.request("converse-stream", end_user := someone()))
        gate.wait_reached()
        clock.set(step)
        shifted_ward.probe.assert_served(since=time.monotonic())
        gate.open()

        assert caller.read_reply().body == WHOLE
        row = shifted_ward.row_of(end_user)
        assert (row.ended, row.source) == ("complete", "reported")
        assert 0 <= row.said["duration_ms"] < 60_000


@pytest.mark.parametrize("step", STEPS)
def test_a_reader_who_pauses_while_the_clock_is_set_is_not_taken_for_one_who_stalls(
    shifted_ward: Ward, standin: StandinBedrock, clock: Clock, step: float
) -> None:
    shifted_ward.break_victims(lambda request: large_stream())
    with shifted_ward.watched(), RawConnection(shifted_ward.gateway.port, timeout=60) as caller:
        caller.send(shifted_ward.request("converse-stream", end_user := someone()))
        caller.read_until(b"\r\n\r\n")
        time.sleep(1)  # the worker has filled what the kernel keeps for a reader, and waits
        clock.set(step)

        assert read_all(caller)
        assert shifted_ward.row_of(end_user).ended == "complete"


@pytest.mark.parametrize("step", STEPS)
def test_signatures_of_a_wrong_time_are_refused_by_aws_until_it_is_right(
    shifted_ward: Ward, standin: StandinBedrock, clock: Clock, step: float
) -> None:
    standin.lenient = False
    with Victim(shifted_ward) as victim:
        clock.set(step)
        met = victim.call("converse")
        row = shifted_ward.row_of(met.end_user)
        assert met.raised == "InvalidSignatureException"
        assert (row.said["status"], row.said["http_status"], row.cost) == ("failure", 403, Decimal(0))
        clock.set(0)

        assert victim.call("converse").raised == ""


@pytest.mark.parametrize("step", STEPS)
def test_budgets_and_rows_agree_and_nothing_stays_held(
    shifted_ward: Ward, standin: StandinBedrock, clock: Clock, step: float
) -> None:
    with key_ring(shifted_ward.gateway.environment["DATABASE_URL"]) as ring, shifted_ward.watched():
        key = ring.issue(limits=replace(LIMITS, budget_duration="1h"))
        request = converse_request(f"/bedrock/model/{MODEL}/converse", key.text)
        for seconds in (0, step, 0, -step, 0):
            clock.set(seconds)
            assert exchange(shifted_ward.gateway.port, request).status == 200
        spent, total = shifted_ward.sums.spend("key", key.key.id)

    assert total == 5 * 5_180_000  # 12 tokens at 0.035 and 34 at 0.14 US dollars a million, in pico-dollars
    assert 0 < spent <= total
    shifted_ward.wait_for_agreement()


def test_a_rate_is_kept_again_within_a_minute_after_the_clock_was_set_back(
    shifted_ward: Ward, standin: StandinBedrock, clock: Clock
) -> None:
    with key_ring(shifted_ward.gateway.environment["DATABASE_URL"]) as ring:
        key = ring.issue(limits=replace(LIMITS, rpm_limit=2))
    request = converse_request(f"/bedrock/model/{MODEL}/converse", key.text)
    clock.set(HOUR)
    statuses = [exchange(shifted_ward.gateway.port, request).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    # the next minute of the clock as it is now
    clock.set(60)

    assert exchange(shifted_ward.gateway.port, request).status == 200


def test_a_write_in_pieces_is_not_taken_to_last_an_hour(tmp_path: Path) -> None:
    environment = {**os.environ, **Clock(tmp_path / "seconds").environment}
    environment["PYTHONPATH"] += os.pathsep + str(REPOSITORY)
    command = [sys.executable, "-m", "tests.faults.writer_in_pieces"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
