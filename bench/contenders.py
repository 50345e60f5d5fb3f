"""Who is measured: where calls go, which processes carry them there, and whether they arrive."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.load import Job, connect, is_whole, request
from bench.machine import Cores, pin, pinned
from tests.gateway_process import MASTER_KEY, REPOSITORY

STRAIGHT = "straight"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.02
Receive = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Upstream:
    """The running stand-in."""

    port: int
    pid: int

    def calls(self) -> int:
        """How many have come."""
        job = Job("calls", self.port, "", "", 1, 0, (), self.pid, 0)
        with connect(job) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return int(_whole_answer(connection.recv).partition(b"\r\n\r\n")[2])


@dataclass(frozen=True, slots=True)
class Contender:
    """Where calls go. `workers`: the processes that carry them there; `beside`: those that do a part of their work.

    `forget`: drops what it logged meanwhile.
    """

    name: str
    port: int
    prefix: str = ""
    workers: tuple[int, ...] = ()
    key: str = MASTER_KEY
    beside: tuple[int, ...] = ()
    start_seconds: float = 0.0
    forget: Callable[[], object] = bool

    def job(self, upstream: Upstream, cores: Cores) -> Job:
        """One call; the rest is for dataclasses.replace."""
        return Job(
            "calls", self.port, self.prefix, self.key, 1, 0, self.workers, upstream.pid, cores.worker, self.beside
        )

    def settled(self, workers: tuple[int, ...], began: float, cores: Cores) -> "Contender":
        """The same once it has answered, on the worker's core. `began`: when its start did, by the monotonic clock."""
        took = time.monotonic() - began
        for pid in workers:
            pin(pid, cores.worker)
        return replace(self, workers=workers, start_seconds=took)


@contextmanager
def running_upstream(cores: Cores) -> Iterator[Upstream]:
    command = [sys.executable, "-m", "bench.upstream"]
    with (
        pinned(cores.upstream),
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        yield Upstream(int(process.stdout.readline()), process.pid)  # the end of its input ends it


def straight(upstream: Upstream) -> Contender:
    """Nothing between."""
    return Contender(STRAIGHT, upstream.port)


def first_answer(
    contender: Contender,
    upstream: Upstream,
    process: subprocess.Popen[bytes] | None = None,
    seconds: float = _START_SECONDS,
) -> None:
    """Ask until there is an answer, which must be the upstream's. Raises TimeoutError, also where the process ended,
    and ValueError where somebody else answered.
    """
    job = Job("calls", contender.port, contender.prefix, contender.key, 1, 0, (), upstream.pid, 0)
    calls, deadline = upstream.calls(), time.monotonic() + seconds
    while True:
        try:
            with connect(job) as connection:
                connection.sendall(request(job, "converse", 1))
                answer = _whole_answer(connection.recv)
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200 "):
            break
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise TimeoutError(f"no answer on port {job.port}: {answer[:200]!r}")
        time.sleep(_POLL_SECONDS)
    if upstream.calls() == calls:
        raise ValueError(f"{contender.name} answers without asking the upstream: {answer[:200]!r}")


def search_path() -> str:
    """Where programs are looked for: nginx is often where only administrators look."""
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin"


def _whole_answer(receive: Receive) -> bytes:
    answer = receive(65536)
    while answer and not is_whole(answer):
        data = receive(65536)
        if not data:
            break
        answer += data
    return answer
