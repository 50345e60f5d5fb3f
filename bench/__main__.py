"""python -m bench: measure Outcrop beside nothing, nginx, the floor of its libraries and LiteLLM, round by round.

python -m bench estimates: how far off the usage of cut streams is estimated; tap: what metering adds to a call.
"""

import argparse
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from bench import estimates, tap
from bench.contenders import Contender, running_upstream, straight
from bench.document import RESULTS, write_part
from bench.gateways import LIMITED, ON_SQLITE, POSTGRESQL, Setting, running_gateway
from bench.litellm import LITELLM, found, installed_version, running_litellm
from bench.machine import describe, pinned, share_out
from bench.postgres import Postgres, running_postgres
from bench.profiling import profiled
from bench.progress import say
from bench.proxies import nginx_version, running_floor, running_nginx
from bench.report import Report
from bench.samples import Samples
from bench.sections import LITELLM_STREAMS, Field, Streams, measure_calls, measure_life
from bench.tables import OURS

SECTIONS = ("calls", "streams", "life")
_STREAMS, _FEW_STREAMS = (100, 200, 300, 600, 1000), (100,)
_LIFE_ROUNDS = 3
_CALLS, _QUICK_CALLS = 10_000, 300


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.what == "estimates":
        say(estimates.report())
        return 0
    if options.what == "tap":
        return tap.main()
    cores = share_out()
    say(f"{describe()}; {cores.count} of the cores may be used")
    with pinned(cores.load), running_upstream(cores) as upstream:
        if options.profile:
            say(profiled(upstream, cores, options.seconds))
            return 0
        field = Field(cores, upstream, Samples(), options.seconds, options.rounds, options.calls, options.calls // 10)
        with ExitStack() as stack:
            _Run(options, field, stack).measure()
    return _told(options, field)


class _Run:
    """All that is measured in one run, in order."""

    def __init__(self, options: argparse.Namespace, field: Field, stack: ExitStack) -> None:
        self._options = options
        self._field = field
        self._running = (field.upstream, field.cores)
        self._stack = stack

    def measure(self) -> None:
        only, field = self._options.only, self._field
        litellm = self._stack.enter_context(running_litellm(self._options.litellm, *self._running))
        say(f"LiteLLM: {'measured' if litellm else 'left out, see --litellm'}")
        postgres = self._stack.enter_context(running_postgres(field.cores)) if {"calls", "life"} & {*only} else None
        beside = list(self._beside()) if {"calls", "streams"} & {*only} else []
        others = [*beside, *([litellm] if litellm else [])]
        if "life" in only and postgres:
            rounds = min(_LIFE_ROUNDS, field.rounds)
            measure_life(field, [ON_SQLITE, Setting(POSTGRESQL, postgres)], litellm, rounds)
        if "calls" in only and postgres:
            self._calls(others, postgres)
        if "streams" in only:  # last, as those who cannot keep up with them are still busy afterwards
            Streams(field, others, self._options.streams, (field.rounds + 1) // 2).run()

    def _beside(self) -> Iterator[Contender]:
        yield straight(self._field.upstream)
        nginx = self._stack.enter_context(running_nginx(*self._running))
        if nginx:
            yield nginx
        yield self._stack.enter_context(running_floor(*self._running))

    def _calls(self, others: Sequence[Contender], postgres: Postgres) -> None:
        settings = (ON_SQLITE, Setting(POSTGRESQL, postgres), Setting(LIMITED, postgres, limited=True))
        with ExitStack() as stack:
            ours = [stack.enter_context(running_gateway(*self._running, setting)).contender for setting in settings]
            measure_calls(self._field, [*others, *ours])


def _told(options: argparse.Namespace, field: Field) -> int:
    streams = sorted({*options.streams, *(LITELLM_STREAMS if field.samples.contenders([LITELLM], "streams") else ())})
    report = Report(field, streams, _versions(options.litellm))
    say(f"\n{report.tables()}\n\n{report.bounds()}")
    if options.write:
        write_part("bench", report.part(), report.pictures())
        say(f"written to bench/{RESULTS}")
    return 1 if field.samples.failures(OURS) else 0


def _versions(litellm: str | None) -> list[str]:
    """Of what is no package of this environment."""
    others = [nginx_version(), f"LiteLLM {installed_version(litellm)}" if litellm else ""]
    return [f"SQLite {sqlite3.sqlite_version}", *(version for version in others if version)]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "estimates", "tap"), default="all")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="some of it (all)")
    parser.add_argument("--seconds", type=float, help="of each measurement (2; quick: 0.5)")
    parser.add_argument("--rounds", type=int, help="of calls (5; quick: 1); streams have half as many")
    parser.add_argument("--streams", type=int, nargs="+", help="how many at once, up to 1000 (quick: 100)")
    parser.add_argument("--litellm", help="where its program is, or `no` ($LITELLM, else on the PATH; quick: no)")
    parser.add_argument("--quick", action="store_true", help="under a minute, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"write bench/{RESULTS}; needs all of it")
    parser.add_argument("--profile", action="store_true", help="where the worker's CPU goes, by py-spy")
    options = parser.parse_args(arguments)
    if options.write and set(options.only) != set(SECTIONS):
        parser.error("--write needs all of it: its numbers are of one run")
    options.seconds = options.seconds or (0.5 if options.quick else 2.0)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.streams = sorted(options.streams or (_FEW_STREAMS if options.quick else _STREAMS))
    options.calls = _QUICK_CALLS if options.quick else _CALLS
    options.litellm = found(options.litellm or ("no" if options.quick else None))
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
