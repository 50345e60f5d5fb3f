"""A stop with calls under way: what was begun ends whole, nobody new is left without an answer, and it is over in time.

A PaaS sends SIGTERM and kills 30 s later.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.ledger_rows import ledger_rows
from tests.end_to_end.ledger_sums import ledger_sums
from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM, converse_request
from tests.faults.clock import STEPS, Clock
from tests.faults.counts import count
from tests.faults.ward import someone, ward
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_answers import INPUT_TOKENS, OUTPUT_TOKENS, converse_frames
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import EVENT_STREAM, Chunk, EndChunks, Gate, Step, Wait, chunked_answer, event_stream

STREAMS = count("STREAMS", 20)
# the longest of them; the shortest take a tenth
STREAM_SECONDS = count("STREAM_SECONDS", 2)
UPLOADS = count("UPLOADS", 10)
UPLOAD_SECONDS = count("UPLOAD_SECONDS", 2)
# to stop: of each sort the one that found most
WAYS = count("WAYS_TO_STOP", 1)
GRACE_SECONDS = 30.0
FRAMES = converse_frames()
WHOLE = b"".join(FRAMES)
USED = {"input": INPUT_TOKENS, "output": OUTPUT_TOKENS}


class Newcomers:
    """Callers who come all the while of a stop, each on a connection of its own; a context manager.

    `met`: how many got which status; "refused": there was nobody; "reset": taken and dropped.
    """

    def __init__(self, gateway: GatewayProcess) -> None:
        self.met: Counter[int | str] = Counter()
        self._gateway = gateway
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Newcomers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.02):
            self.met[self._call()] += 1

    def _call(self) -> int | str:
        try:
            reply = exchange(self._gateway.port, converse_request(CONVERSE))
        except ConnectionRefusedError:
            return "refused"
        except ConnectionError:
            return "reset"
        return reply.status if reply.ended == "clean" else reply.ended


def paced(number: int) -> float:
    """Seconds between two frames of the stream of this number."""
    longest = STREAM_SECONDS / (len(FRAMES) - 1)
    return longest / 10 + longest * 0.9 * number / STREAMS


@contextmanager
def stopping(standin: StandinBedrock, options: str = "") -> Iterator[GatewayProcess]:
    """A gateway that the test stops; what it left is looked at while its files are there."""
    gateway = GatewayProcess({"GUNICORN_CMD_ARGS": options}, standin)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def begin_streams(gateway: GatewayProcess, standin: StandinBedrock, stack: ExitStack) -> list[RawConnection]:
    """So many live streams, each of another length; all have reached AWS."""
    numbers = iter(range(STREAMS * 100))
    standin.answer = lambda request: event_stream(FRAMES, pace=paced(next(numbers) % STREAMS))
    streams = [stack.enter_context(RawConnection(gateway.port, timeout=60)) for _ in range(STREAMS)]
    for stream in streams:
        stream.send(converse_request(CONVERSE_STREAM))
    standin.wait_for_requests(STREAMS, timeout=30)
    return streams


def assert_all_whole(gateway: GatewayProcess, replies: list[RawReply]) -> None:
    """Every caller got every byte, and every row says so."""
    assert {(reply.status, reply.ended, reply.body == WHOLE) for reply in replies} == {(200, "clean", True)}
    with ledger_rows(gateway) as rows:
        for reply in replies:
            row = rows.of(reply.header("x-litellm-call-id"))
            assert (row.ended, row.source, row.counts) == ("complete", "reported", USED)


def _once(gateway: GatewayProcess) -> None:
    gateway.terminate()


def _twice(gateway: GatewayProcess) -> None:
    gateway.terminate()
    gateway.wait_for_output("")
    time.sleep(0.3)
    gateway.terminate()


def _all_processes(gateway: GatewayProcess) -> None:
    """As Heroku does: SIGTERM to every process of the dyno."""
    os.killpg(gateway.pid, signal.SIGTERM)


@pytest.mark.parametrize("stop", [_twice, _once, _all_processes][:WAYS])
def test_live_streams_end_whole_and_the_stop_is_over_in_time(
    standin: StandinBedrock, stop: Callable[[GatewayProcess], None]
) -> None:
    with stopping(standin) as gateway, ExitStack() as stack:
        streams = begin_streams(gateway, standin, stack)
        began = time.monotonic()
        stop(gateway)
        with Newcomers(gateway) as newcomers:
            replies = [stream.read_reply() for stream in streams]
            code = gateway.wait_exit(timeout=GRACE_SECONDS)
        seconds = time.monotonic() - began

        assert (code, seconds < GRACE_SECONDS) == (0, True)
        assert_all_whole(gateway, replies)
        assert newcomers.met.keys() <= {200, 503, "refused"}
        assert newcomers.met["refused"]
        with ledger_sums(gateway.environment["DATABASE_URL"]) as sums:
            assert (sums.tickets(), sums.held(), sums.disagreements()) == (0, (0, 0), [])


def test_bodies_that_are_on_their_way_arrive_and_are_answered(standin: StandinBedrock) -> None:
    request = converse_request(CONVERSE)
    head, _, body = request.partition(b"\r\n\r\n")
    padded = body + b" " * 30_000
    head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % len(padded))
    pieces = [padded[at : at + 1000] for at in range(0, len(padded), 1000)]

    with stopping(standin) as gateway, ExitStack() as stack:
        callers = [stack.enter_context(RawConnection(gateway.port, timeout=60)) for _ in range(UPLOADS)]
        for caller in callers:
            caller.send(head + b"\r\n\r\n" + pieces[0])
        gateway.terminate()
        for piece in pieces[1:]:
            time.sleep(UPLOAD_SECONDS / len(pieces))
            for caller in callers:
                caller.send(piece)
        replies = [caller.read_reply() for caller in callers]

        assert {(reply.status, reply.ended) for reply in replies} == {(200, "clean")}
        assert gateway.wait_exit(timeout=GRACE_SECONDS) == 0
        with ledger_rows(gateway) as rows:
            ids = [reply.header("x-litellm-call-id") for reply in replies]
            assert {(rows.of(one).ended, rows.of(one).source) for one in ids} == {("complete", "reported")}


def test_connections_that_wait_for_nothing_are_closed_and_hold_up_no_stop(standin: StandinBedrock) -> None:
    idle = count("IDLE", 100)
    with ward(standin) as found, ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(found.gateway.port, timeout=30)) for _ in range(idle)]
        for used in connections[::2]:
            used.send(found.request())
            assert used.read_reply().status == 200
        began = time.monotonic()
        for _ in range(10):
            end_user = someone()
            assert exchange(found.gateway.port, found.request("converse-stream", end_user)).body == WHOLE
            assert found.row_of(end_user).ended == "complete"
        found.probe.assert_served(since=began)
        found.gateway.terminate()

        assert {connection.wait_ended() for connection in connections} <= {"cut", "reset"}
        assert found.gateway.wait_exit(timeout=GRACE_SECONDS) == 0
        assert time.monotonic() - began < GRACE_SECONDS


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM, signal.SIGQUIT), (signal.SIGTERM, signal.SIGINT), (signal.SIGQUIT, signal.SIGQUIT)][:WAYS],
    ids=lambda signals: " then ".join(one.name for one in signals),
)
def test_a_second_signal_to_the_master_leaves_no_call_unbooked(
    standin: StandinBedrock, signals: tuple[signal.Signals, signal.Signals]
) -> None:
    first, second = signals
    standin.answer = lambda request: chunked_answer([*map(Chunk, FRAMES[:3]), Wait(Gate())], EVENT_STREAM)
    with stopping(standin, "--graceful-timeout 8") as gateway, ExitStack() as stack:
        streams = [stack.enter_context(RawConnection(gateway.port, timeout=60)) for _ in range(5)]
        for stream in streams:
            stream.send(converse_request(CONVERSE_STREAM))
            stream.read_until(FRAMES[2])
        os.kill(gateway.pid, first)
        _wait_until_refusing(gateway)
        os.kill(gateway.pid, second)

        assert {stream.wait_ended() for stream in streams} <= {"cut", "reset"}
        assert gateway.wait_exit(timeout=10) == 0
        assert "Traceback" not in gateway.output()
        with ledger_sums(gateway.environment["DATABASE_URL"]) as sums:
            assert sums.counted("ended") == {"stopped": 5}
            assert sums.counted("usage_source") == {"estimated": 5}


def _wait_until_refusing(gateway: GatewayProcess) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            exchange(gateway.port, raw_request("GET", "/health/liveliness"))
        except ConnectionError:
            return
        time.sleep(0.05)
    raise TimeoutError("it goes on taking connections")


@pytest.mark.parametrize("step", STEPS[:WAYS])
def test_a_stop_gives_the_calls_the_time_that_it_would(standin: StandinBedrock, tmp_path: Path, step: float) -> None:
    """One ends within the grace, one never would."""
    clock = Clock(tmp_path / "seconds")
    gate = Gate()
    gates = iter((gate, Gate()))
    rest: list[Step] = [*map(Chunk, FRAMES[3:]), EndChunks()]
    standin.answer = lambda request: chunked_answer([*map(Chunk, FRAMES[:3]), Wait(next(gates)), *rest], EVENT_STREAM)
    environment = clock.environment | {"GUNICORN_CMD_ARGS": "--graceful-timeout 8"}
    with ExitStack() as stack:
        gateway = stack.enter_context(GatewayProcess(environment, standin))
        live, stuck = (stack.enter_context(RawConnection(gateway.port, timeout=30)) for _ in range(2))
        for caller in (live, stuck):
            caller.send(converse_request(CONVERSE_STREAM))
            caller.read_until(FRAMES[2])
        began = time.monotonic()
        gateway.terminate()
        time.sleep(1.5)  # the worker has begun its grace
        clock.set(step)
        time.sleep(1.5)  # it has looked at the clock
        gate.open()

        assert live.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")
        assert stuck.wait_ended() in ("cut", "reset")
        assert gateway.wait_exit(timeout=20) == 0
        assert time.monotonic() - began < 15
        with ledger_sums(gateway.environment["DATABASE_URL"]) as sums:
            assert sums.counted("ended") == {"complete": 1, "stopped": 1}
