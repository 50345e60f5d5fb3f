"""A load that goes on: streams that follow one another, and calls at a steady pace. Says each second what came of it.

It begins with as many calls at once as there may ever be: a connection's first call costs memory that stays, and each
time that the machine stalls more are open than ever before, which would look like a leak.

Runs in a process of its own, takes a Plan as JSON and writes lines of JSON; the last one comes when all it began is
over.
"""

import gc
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil

from bench.load import EVENT_SECONDS, Caller, Job, Listener, percentiles, request
from bench.machine import raise_file_limit

_REPORT_SECONDS = 1.0
_END_SECONDS = 30.0  # for what is under way at the end, on top of a stream's own time
_MAX_TOKENS = 512
# What lay idle for longer is not used again: the gateway closes a connection after 95 s.
_KEPT_SECONDS = 60.0
# calls that are not begun on time because so many wait are left out: a soak is no trial of overload
_MOST_IN_FLIGHT = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """`streams` at once, of `stream_seconds` each; `calls` a second; all this for `seconds`."""

    port: int
    prefix: str
    key: str
    streams: int
    stream_seconds: float
    calls: float
    seconds: float

    def job(self) -> Job:
        return Job("calls", self.port, self.prefix, self.key, 1, 0, (), 0, 0)


def started(plan: Plan) -> subprocess.Popen[str]:
    """On the core that this thread is pinned to."""
    command = [sys.executable, "-m", "bench.steady", json.dumps(asdict(plan))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class _Steady:
    """All connections of the load."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._job = plan.job()
        self._message = request(self._job, "converse", _MAX_TOKENS)
        self._epoll = select.epoll()
        self._idle: list[Caller] = []
        self._callers: dict[int, Caller] = {}
        self._listeners: dict[int, Listener] = {}
        self._counts = dict.fromkeys(("sent", "answered", "failed", "streams_sent", "streams_whole"), 0)
        self._first_failure = ""
        self._reported = time.monotonic()
        self._took: list[float] = []
        self._delays: list[float] = []

    def run(self) -> None:
        for _ in range(_MOST_IN_FLIGHT):
            self._guarded(self._call)
        began = time.monotonic()
        ends = began + self._plan.seconds
        calls = 0  # begun so far
        while (now := time.monotonic()) < ends:
            while calls < (now - began) * self._plan.calls:
                calls += 1
                if len(self._callers) < _MOST_IN_FLIGHT:
                    self._guarded(self._call)
            # one after another at first, so that they do not end together; then each as one ends
            due = min(self._plan.streams, 1 + int((now - began) * self._plan.streams / self._plan.stream_seconds))
            for _ in range(due - len(self._listeners)):
                self._guarded(self._stream)
            self._receive(min(1 / self._plan.calls, 0.1))
            self._report(over=False)
        self._end()

    def _end(self) -> None:
        ends = time.monotonic() + self._plan.stream_seconds + _END_SECONDS
        while (self._callers or self._listeners) and time.monotonic() < ends:
            self._receive(0.1)
            self._report(over=False)
        self._counts["failed"] += len(self._callers) + len(self._listeners)
        self._report(over=True)

    def _call(self) -> None:
        self._counts["sent"] += 1
        caller = self._idle_caller() or Caller(self._job, self._message)
        descriptor = caller.connection.fileno()
        caller.call()
        self._callers[descriptor] = caller
        self._epoll.register(descriptor, select.EPOLLIN)

    def _idle_caller(self) -> Caller | None:
        """The one that was idle for the shortest time, unless the gateway may be about to close its connection."""
        if not self._idle:
            return None
        if time.monotonic() - self._idle[-1].called_at < _KEPT_SECONDS:
            return self._idle.pop()
        while self._idle:
            self._idle.pop().connection.close()
        return None

    def _stream(self) -> None:
        self._counts["streams_sent"] += 1
        listener = Listener(self._job, ceil(self._plan.stream_seconds / EVENT_SECONDS))
        self._listeners[listener.connection.fileno()] = listener
        self._epoll.register(listener.connection.fileno(), select.EPOLLIN)

    def _receive(self, seconds: float) -> None:
        for descriptor, _ in self._epoll.poll(seconds):
            caller = self._callers.get(descriptor)
            if caller:
                self._answered(descriptor, caller)
            else:
                self._heard(descriptor, self._listeners[descriptor])

    def _answered(self, descriptor: int, caller: Caller) -> None:
        good = self._guarded(caller.receive)
        if good is None:
            return
        del self._callers[descriptor]
        self._epoll.unregister(descriptor)
        if good:
            self._counts["answered"] += 1
            self._took.append(time.monotonic() - caller.called_at)
            self._idle.append(caller)
        else:
            self._failed(f"a call was answered with {caller.answer[:200]!r}")
            caller.connection.close()

    def _heard(self, descriptor: int, listener: Listener) -> None:
        good = self._guarded(lambda: listener.receive(self._delays))
        if good is None:
            return
        del self._listeners[descriptor]
        self._epoll.unregister(descriptor)
        listener.connection.close()
        self._counts["streams_whole"] += good
        if not good:
            self._failed("a stream ended early")

    def _guarded(self, work: Callable[[], bool | None]) -> bool | None:
        """A connection that breaks is a failure of its call, and the others go on."""
        try:
            return work()
        except OSError as error:
            self._failed(repr(error))
            return False

    def _failed(self, how: str) -> None:
        self._counts["failed"] += 1
        self._first_failure = self._first_failure or how

    def _report(self, *, over: bool) -> None:
        """Once a second."""
        if not over and time.monotonic() - self._reported < _REPORT_SECONDS:
            return
        self._reported = time.monotonic()
        told: dict[str, object] = {"over": over, "first_failure": self._first_failure, **self._counts}
        told |= {**percentiles("took", self._took), **percentiles("delay", self._delays)}
        self._took, self._delays = [], []
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise_file_limit()
    gc.disable()  # nothing here is a cycle, and its pauses would be measured as delays
    _Steady(Plan(**json.loads(sys.argv[1]))).run()
