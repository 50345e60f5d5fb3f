"""The load: sockets, epoll and next to no parsing, so that python's own clients are not what is measured.

Each measurement runs in a process of its own (`run`), takes a Job as JSON and answers with numbers as JSON.
"""

import gc
import json
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Literal

from bench.machine import core_seconds, raise_file_limit, rss_kib, used_seconds

Numbers = dict[str, float]
EVENT_SECONDS = 0.1  # between the events of a stream
MODEL = "amazon.nova-lite-v1%3A0"
_WARM_UP_SECONDS = 0.3
# streams begin one after another, at no multiple of the time between events, so that these do not come in step
_STREAMS_OPENED_PER_SECOND = 197
_SETTLE_SECONDS = 0.3
_SILENCE_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SENT = re.compile(rb'"sent": "(\d{20})"')
# one byte short of a stamp: one that two reads share is found, and none is found twice
_TAIL_BYTES = len('"sent": ""') + 20 - 1
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement. `workers` and `upstream` are the processes whose CPU is read; `core` is the workers'.

    `beside`: processes that work for the workers on the load's core, such as a database's. `slack`: seconds that the
    first byte of a stream may take before it is measured without it.
    """

    kind: Literal["calls", "streams"]
    port: int
    prefix: str
    key: str
    connections: int
    seconds: float
    workers: Sequence[int]
    upstream: int
    core: int
    beside: Sequence[int] = ()
    slack: float = 0.0


def run(job: Job) -> Numbers:
    """Measure in a process of its own, on the core that this thread is pinned to."""
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(job))]
    timeout = 2 * _PATIENCE_SECONDS + 3 * job.seconds + 3 * job.slack + job.connections / _STREAMS_OPENED_PER_SECOND
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=timeout, check=True)
    numbers: Numbers = json.loads(done.stdout)
    return numbers


def request(job: Job, operation: str, max_tokens: int) -> bytes:
    """What an SDK sends, less some headers that nothing depends on."""
    content = {
        "messages": [{"role": "user", "content": [{"text": "What is an outcrop? Answer in one sentence."}]}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }
    body = json.dumps(content).encode()
    head = (
        f"POST {job.prefix}/model/{MODEL}/{operation} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\n"
        f"Authorization: Bearer {job.key}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"User-Agent: Boto3/1.44.5 md/Botocore#1.44.5\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(job: Job) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", job.port), timeout=_SILENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def is_whole(answer: bytes) -> bool:
    """Whether an answer with a Content-Length is all there."""
    head_end = answer.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _LENGTH.search(answer)
    return length is not None and len(answer) >= head_end + 4 + int(length[1])


class _Window:
    """The time that is measured: what the processes used from its begin to its end."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.began = self.ended = 0.0
        self._used = self._beside = self._core = 0.0

    def begin(self) -> None:
        self._used, self._beside, self._core = self._cpu()
        self.began = time.monotonic()

    def end(self) -> None:
        self.ended = time.monotonic()
        used, beside, core = self._cpu()
        self._used, self._beside, self._core = used - self._used, beside - self._beside, core - self._core

    def numbers(self, count: int) -> Numbers:
        """`count`: the calls or events that were answered in it."""
        elapsed = self.ended - self.began
        numbers = {
            "per_second": count / elapsed,
            "busy_percent": 100 * self._beside / elapsed,
            "others_percent": max(0.0, 100 * (self._core - self._used) / elapsed),
        }
        if self._job.workers:
            numbers["cpu_us"] = 1e6 * self._used / max(count, 1)
            numbers["worker_percent"] = 100 * self._used / elapsed
        return numbers

    def _cpu(self) -> tuple[float, float, float]:
        beside = used_seconds([self._job.upstream, *self._job.beside])
        return used_seconds(self._job.workers), time.process_time() + beside, core_seconds(self._job.core)


class Caller:
    """One connection, one call after the other."""

    def __init__(self, job: Job, message: bytes) -> None:
        self.connection = connect(job)
        self._message = message
        self.answer = b""
        self.called_at = 0.0

    def call(self) -> None:
        self.answer = b""
        self.called_at = time.monotonic()
        self.connection.send(self._message)

    def receive(self) -> bool | None:
        """None while there is more to come, else whether the answer was as it should be."""
        data = self.connection.recv(65536)
        self.answer = self.answer + data if self.answer else data
        if data and not is_whole(self.answer):
            return None
        return self.answer.startswith(b"HTTP/1.1 200 ")


def calls(job: Job) -> Numbers:
    """Unary calls: each connection calls again as soon as it is answered."""
    message = request(job, "converse", 512)
    callers = [Caller(job, message) for _ in range(job.connections)]
    by_descriptor = {caller.connection.fileno(): caller for caller in callers}
    epoll = select.epoll()
    for caller in callers:
        epoll.register(caller.connection.fileno(), select.EPOLLIN)
        caller.call()
    _answers(epoll, by_descriptor, time.monotonic() + _WARM_UP_SECONDS)
    window = _Window(job)
    window.begin()
    took, failed = _answers(epoll, by_descriptor, window.began + job.seconds)
    window.end()
    return {**window.numbers(len(took)), "failed": failed, **percentiles("took", took)}


def _answers(epoll: select.epoll, callers: dict[int, Caller], until: float) -> tuple[list[float], int]:
    """Seconds that each answer took, and how many calls failed."""
    took: list[float] = []
    failed = 0
    while time.monotonic() < until:
        ready = epoll.poll(_SILENCE_SECONDS)
        if not ready:
            raise TimeoutError(f"no answer within {_SILENCE_SECONDS} s")
        for caller in [callers[descriptor] for descriptor, _ in ready]:
            good = caller.receive()
            if good:
                took.append(time.monotonic() - caller.called_at)
            if good is not None:
                failed += not good
                caller.call()
    return took, failed


class Listener:
    """One stream, read to its end."""

    def __init__(self, job: Job, events: int) -> None:
        self.connection = connect(job)
        self._events_left = events
        self._tail = b""
        self.first_byte: float | None = None
        self._opened_at = time.monotonic()
        self.connection.sendall(request(job, "converse-stream", events))

    def receive(self, delays: list[float]) -> bool | None:
        """Add the delay of each event; None while there is more to come, else whether all came."""
        data = self.connection.recv(65536)
        now = time.monotonic_ns()
        if self.first_byte is None:
            self.first_byte = now / 1e9 - self._opened_at
            if not data.startswith(b"HTTP/1.1 200 "):
                return False
        stamps = _SENT.findall(self._tail + data)
        delays += [(now - int(stamp)) / 1e9 for stamp in stamps]
        self._events_left -= len(stamps)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if self._tail.endswith(_LAST_CHUNK):
            return self._events_left == 0
        return None if data else False


class _Streams:
    """All streams of a measurement: opened one after another, measured while all are open, read to their ends."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._epoll = select.epoll()
        self._open: dict[int, Listener] = {}
        self._window = _Window(job)
        self._first_bytes: list[float] = []
        self._failed = 0

    def run(self) -> Numbers:
        started = time.monotonic()
        begins = started + self._job.connections / _STREAMS_OPENED_PER_SECOND + _SETTLE_SECONDS
        ends = begins + self._job.seconds
        for number in range(self._job.connections):
            self._listen_until(started + number / _STREAMS_OPENED_PER_SECOND)
            self._add(ceil((ends + _SETTLE_SECONDS + self._job.slack - time.monotonic()) / EVENT_SECONDS))
        self._listen_until(begins)
        while any(listener.first_byte is None for listener in self._open.values()) and self._late(begins):
            self._listen_until(time.monotonic() + EVENT_SECONDS)
        self._window.begin()
        delays = self._listen_until(self._window.began + self._job.seconds)
        self._window.end()
        rss = float(sum(rss_kib(pid) for pid in self._job.workers))
        self._finish()
        spread = {**percentiles("first_byte", self._first_bytes), **percentiles("delay", delays)}
        return {**self._window.numbers(len(delays)), "failed": self._failed, "rss_kib": rss, **spread}

    def _finish(self) -> None:
        """Read to the ends, however late they are, as long as anything comes."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until and self._listen_until(time.monotonic() + _SILENCE_SECONDS):
            pass
        for descriptor in list(self._open):
            self._end(descriptor, good=False)

    def _late(self, begins: float) -> bool:
        return time.monotonic() < begins + self._job.slack

    def _add(self, events: int) -> None:
        listener = Listener(self._job, events)
        self._open[listener.connection.fileno()] = listener
        self._epoll.register(listener.connection.fileno(), select.EPOLLIN)

    def _listen_until(self, until: float) -> list[float]:
        """The delays of the events that came, in seconds. Returns early once no stream is open."""
        delays: list[float] = []
        while self._open and (left := until - time.monotonic()) > 0:
            for descriptor, _ in self._epoll.poll(left):
                good = self._open[descriptor].receive(delays)
                if good is not None:
                    self._end(descriptor, good=good)
        return delays

    def _end(self, descriptor: int, *, good: bool) -> None:
        listener = self._open.pop(descriptor)
        self._first_bytes.append(listener.first_byte or _SILENCE_SECONDS)
        self._failed += not good
        listener.connection.close()


def percentiles(name: str, seconds: list[float]) -> Numbers:
    """In milliseconds."""
    ordered = sorted(seconds) or [float("nan")]
    return {f"{name}_p{part}_ms": 1000 * ordered[(len(ordered) - 1) * part // 100] for part in (50, 99)}


if __name__ == "__main__":
    raise_file_limit()
    gc.disable()  # its pauses would be measured as delays
    given = Job(**json.loads(sys.argv[1]))
    measured = calls(given) if given.kind == "calls" else _Streams(given).run()
    sys.stdout.write(json.dumps(measured))
