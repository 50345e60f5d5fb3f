"""python -m bench: measure straight, nginx and Outcrop in turn, round by round, and print one table.

python -m bench estimates: how far off the usage of cut streams is estimated.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import estimates, load
from bench.contenders import (
    Contender,
    Gateway,
    Upstream,
    running_gateway,
    running_nginx,
    running_upstream,
)
from bench.machine import Cores, describe, pinned, rss_kib, share_out
from bench.profiling import profiled
from bench.results import CONNECTIONS, HOW_TO_READ, STRAIGHT, Samples, calls_key, streams_key, table

RESULTS = Path(__file__).with_name("RESULTS.md")
_WARM_UP_CALLS = 16
_WARM_UP_STREAMS = 4
_WARM_UP_SECONDS = 0.2


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.what == "estimates":
        say(estimates.report())
        return 0
    cores = share_out()
    say(f"{describe()}; {cores.count} of the cores may be used")
    samples = Samples()
    with pinned(cores.load), running_upstream(cores) as upstream, running_nginx(upstream, cores) as nginx:
        say("nginx is installed" if nginx else "nginx is not installed: that column stays empty")
        if options.profile:
            say(profiled(upstream, cores, options.seconds))
            return 0
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            with running_gateway(upstream, cores) as gateway:
                _Round(options, samples, gateway, Running(cores, upstream, nginx)).run(backwards=number % 2 == 1)
    found = table(samples, options.streams, has_nginx=nginx is not None)
    notes = samples.ceiling() + "\n" + samples.others()
    say(f"\n{found}\n\n{notes}")
    if options.write:
        RESULTS.write_text(_document(options, cores, notes, found))
        say(f"written to bench/{RESULTS.name}")
    return 1 if samples.failures() else 0


@dataclass(frozen=True, slots=True)
class Running:
    """What stays the same from round to round."""

    cores: Cores
    upstream: Upstream
    nginx: Contender | None


class _Round:
    """Every measurement once, against a gateway that has just started."""

    def __init__(
        self,
        options: argparse.Namespace,
        samples: Samples,
        gateway: Gateway,
        running: Running,
    ) -> None:
        self._options = options
        self._samples = samples
        self._gateway = gateway
        self._cores, self._upstream, nginx = running.cores, running.upstream, running.nginx
        straight = Contender(STRAIGHT, running.upstream.port)
        self._contenders = [straight, *([nginx] if nginx else []), gateway.contender]
        self._before = 0.0

    def run(self, *, backwards: bool) -> None:
        """Streams first, few before many: memory that calls or more streams had taken would hide what these take."""
        contenders = self._contenders[::-1] if backwards else self._contenders
        idle = _mib(self._gateway.contender)
        for contender in contenders:
            self._warm_up(contender)
        self._before = _mib(self._gateway.contender)
        for count in self._options.streams:
            for contender in contenders:
                self._streams(contender, count)
        for count in CONNECTIONS:
            for contender in contenders:
                self._calls(contender, count)
        once = {
            "start_seconds": self._gateway.start_seconds,
            "idle_mib": idle,
            "after_mib": _mib(self._gateway.contender),
        }
        self._samples.add(self._gateway.contender.name, "", once)

    def _warm_up(self, contender: Contender) -> None:
        """So that nothing is done for the first time while it is measured."""
        job = replace(contender.job(self._upstream, self._cores), seconds=_WARM_UP_SECONDS)
        load.run(replace(job, connections=_WARM_UP_CALLS))
        load.run(replace(job, kind="streams", connections=_WARM_UP_STREAMS))

    def _streams(self, contender: Contender, count: int) -> None:
        job = replace(
            contender.job(self._upstream, self._cores), kind="streams", connections=count, seconds=self._options.seconds
        )
        numbers = load.run(job)
        if contender is self._gateway.contender:  # the others may still have what an earlier round took
            numbers["stream_kib"] = (numbers["rss_kib"] - 1024 * self._before) / count
        self._samples.add(contender.name, streams_key(count), numbers)
        self._gateway.process.clear_log()
        say(
            f"  {contender.name:<9}{count} streams: {numbers['per_second']:,.0f} events per second, "
            f"delay p99 {numbers['delay_p99_ms']:.2f} ms"
        )

    def _calls(self, contender: Contender, count: int) -> None:
        numbers = load.run(
            replace(contender.job(self._upstream, self._cores), connections=count, seconds=self._options.seconds)
        )
        self._samples.add(contender.name, calls_key(count), numbers)
        self._gateway.process.clear_log()
        say(
            f"  {contender.name:<9}{count} connections: {numbers['per_second']:,.0f} calls per second, "
            f"p50 {numbers['took_p50_ms']:.3f} ms"
        )


def _mib(contender: Contender) -> float:
    return sum(rss_kib(pid) for pid in contender.workers) / 1024


def _document(options: argparse.Namespace, cores: Cores, notes: str, found: str) -> str:
    shared = "share a core" if cores.load == cores.upstream else "have a core each"
    return (
        f"# One run of `make bench`\n\n{datetime.now(UTC):%Y-%m-%d}, {describe()}; the load and the upstream {shared}; "
        f"{options.rounds} rounds, {options.seconds:g} s a measurement. The upstream answers at once, with 560 bytes "
        f"of JSON, or a stream of ten events a second; calls are plain HTTP on both sides.\n\n{found}\n\n{notes}\n\n"
        f"{HOW_TO_READ}\n"
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("load", "estimates"),
        default="load",
        help="load (the default); estimates: how far off they are, over recorded streams",
    )
    parser.add_argument("--seconds", type=float, help="of each measurement (3; quick: 0.5)")
    parser.add_argument("--rounds", type=int, help="of all measurements (5; quick: 1)")
    parser.add_argument("--streams", type=int, nargs="+", help="how many at once, up to 1000 (100 300; quick: 100)")
    parser.add_argument("--quick", action="store_true", help="under 20 s, to see that it works")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    parser.add_argument("--tap", action="store_true", help="what reading answers and pricing them adds")
    parser.add_argument("--profile", action="store_true", help="where the worker's CPU goes, by py-spy")
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (0.5 if options.quick else 3.0)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.streams = sorted(options.streams or ([100] if options.quick else [100, 300]))
    return options


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
