"""The machine under a measurement: which core runs what, what a process has used, and what is installed. Linux only."""

import os
import platform
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("gunicorn", "gevent", "requests", "urllib3", "requests-aws4auth", "flask", "SQLAlchemy", "psycopg2-binary")


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core is whose. `count`: how many this process may use."""

    count: int
    worker: int
    load: int
    upstream: int


def share_out() -> Cores:
    """The worker has a core to itself where there are two; load and upstream share one where there are not three."""
    usable = sorted(os.sched_getaffinity(0))
    load = usable[0]
    worker = usable[1 % len(usable)]
    return Cores(len(usable), worker, load, usable[2] if len(usable) > 2 else load)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What this thread does, and what it starts, stays on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, core: int) -> None:
    """All threads of a running process; those that it starts later follow."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used, to the nanosecond: /proc/<pid>/stat counts in steps of 10 ms.

    The clock's number is made as clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime(~pid << 3 | 2)


def core_seconds(core: int) -> float:
    """What all processes and the kernel have used of one core, in steps of 10 ms (proc(5): /proc/stat)."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _waiting, *others = [int(ticks) for ticks in line.split()[1:9]]
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid: int) -> int:
    """Resident memory."""
    return _status(pid, "VmRSS:")


def megabytes(pids: Iterable[int]) -> float:
    """Resident memory of several processes, in 10^6 bytes."""
    return sum(rss_kib(pid) for pid in pids) * 1024 / 1e6


def thread_count(pid: int) -> int:
    return _status(pid, "Threads:")


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _status(pid: int, name: str) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition(name)[2].split()[0])


def used_seconds(pids: Iterable[int]) -> float:
    """CPU of all of these that still run."""
    used = 0.0
    for pid in pids:
        try:
            used += cpu_seconds(pid)
        except OSError:
            pass  # it has ended
    return used


def raise_file_limit() -> None:
    """Many systems begin with a soft limit of 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def describe() -> str:
    """The processor, Linux, and the versions that matter."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = models[0].partition(":")[2].strip() if models else platform.machine()
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    system = f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({processor}), {system}, {versions}"
