"""python -m bench.soak: half an hour of streams and calls through one worker, and whether anything grows.

50 streams at ten events a second, which follow one another, and 50 calls a second, with a key that has a budget and a
rate. Every few seconds: memory, descriptors, threads, rows and tickets. At the end every call must have its row, the
rows must add up to what accounts say was spent, and no ticket may be left.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from bench.contenders import running_upstream
from bench.document import RESULTS, write_part
from bench.gateways import Gateway, Setting, running_gateway
from bench.machine import describe, descriptors, megabytes, pinned, share_out, thread_count
from bench.postgres import running_postgres
from bench.progress import say
from bench.soak_report import Ending, Sample, SoakReport
from bench.steady import Plan, started
from tests.end_to_end.ledger_sums import LedgerSums, ledger_sums

_STREAM_SECONDS = 20.0
_SETTLED_SECONDS = 60.0
_POLL_SECONDS = 0.5
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    cores, name = share_out(), DATABASES[options.database]
    say(f"{describe()}; {options.seconds:g} s on {name}")
    on_postgres = running_postgres(cores) if options.database == "postgresql" else nullcontext()
    with pinned(cores.load), on_postgres as postgres, running_upstream(cores) as upstream:
        setting = Setting(f"Outcrop, {name}", postgres, limited=True)
        with running_gateway(upstream, cores, setting) as gateway, ledger_sums(gateway.database) as sums:
            samples, ending = _soaked(options, gateway, sums)
    report = SoakReport(name, samples, ending, options.warm_up, options.streams, options.calls)
    say(f"\n{report.table()}\n\n{report.holds()}")
    if options.write:
        write_part(report.name, report.part(), report.pictures())
        say(f"written to bench/{RESULTS}")
    return 0 if report.good else 1


def _soaked(options: argparse.Namespace, gateway: Gateway, sums: LedgerSums) -> tuple[list[Sample], Ending]:
    contender = gateway.contender
    rows = sums.rows()  # of the first answer
    whom = (contender.port, contender.prefix, contender.key)
    plan = Plan(*whom, options.streams, _STREAM_SECONDS, options.calls, options.seconds)
    samples: list[Sample] = []
    with _running(plan) as load:
        began = time.monotonic()
        while load.wait(options.sample):
            if time.monotonic() - began > options.seconds:
                continue  # streams end, and none follow
            samples.append(_sample(time.monotonic() - began, gateway, sums, load.told))
            contender.forget()
            if len(samples) % 6 == 1 or load.told["failed"]:
                say(samples[-1].line())
    if not load.told.get("over"):
        raise RuntimeError("the load ended before its time")
    return samples, _ended(load.told, sums, rows, gateway)


class _Load:
    """The load's process, and what it said last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.told: dict[str, Any] = {}
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, seconds: float) -> bool:
        """Whether it still runs after that time, and has begun."""
        while not self._over.wait(seconds):
            if self.told:
                return True
        return False

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.told = json.loads(line)
        self._over.set()


@contextmanager
def _running(plan: Plan) -> Iterator[_Load]:
    with started(plan) as process:
        try:
            yield _Load(process)
        finally:
            process.kill()


def _sample(seconds: float, gateway: Gateway, sums: LedgerSums, told: dict[str, Any]) -> Sample:
    [worker] = gateway.contender.workers
    return Sample(
        seconds=seconds,
        memory_mb=megabytes([worker]),
        descriptors=descriptors(worker),
        threads=thread_count(worker),
        rows=sums.rows(),
        tickets=sums.tickets(),
        calls=told["answered"],
        streams=told["streams_whole"],
        failed=told["failed"],
        took_p99_ms=told["took_p99_ms"],
        delay_p99_ms=told["delay_p99_ms"],
    )


def _ended(told: dict[str, Any], sums: LedgerSums, rows_before: int, gateway: Gateway) -> Ending:
    """Once no ticket is left, or a minute later."""
    sent = told["sent"] + told["streams_sent"]
    until = time.monotonic() + _SETTLED_SECONDS
    while (sums.tickets() or sums.rows() - rows_before < sent) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    worker_lived = tuple(gateway.process.worker_pids()) == gateway.contender.workers
    held = sums.held()
    return Ending(
        sent=sent,
        failed=told["failed"],
        first_failure=told["first_failure"],
        rows=sums.rows() - rows_before,
        tickets=sums.tickets(),
        held=held[0],
        in_flight=held[1],
        disagreements=tuple(sums.disagreements()),
        worker_lived=worker_lived,
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0, help="how long (1800)")
    parser.add_argument("--database", choices=tuple(DATABASES), default="sqlite")
    parser.add_argument("--streams", type=int, default=50, help="at once (50)")
    parser.add_argument("--calls", type=int, default=50, help="a second (50)")
    parser.add_argument("--sample", type=float, default=5.0, help="seconds between samples (5)")
    parser.add_argument("--warm-up", type=float, help="seconds that do not count (a third, at most 600)")
    parser.add_argument("--write", action="store_true", help=f"write bench/{RESULTS}")
    options = parser.parse_args(arguments)
    options.warm_up = min(options.seconds / 3, 600.0) if options.warm_up is None else options.warm_up
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
