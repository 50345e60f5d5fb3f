"""The part of RESULTS.md that `make bench` writes, and its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.bounds import bounds
from bench.document import held
from bench.machine import describe
from bench.plots import bars, lines
from bench.samples import CONNECTIONS, Samples, calls_key, streams_key
from bench.sections import Field
from bench.tables import NAMES, Row, call_rows, life_rows, stream_rows, table

CALLS_PICTURE, DELAYS_PICTURE = "calls.svg", "delays.svg"
_HOW_TO_READ = """\
Each number is the median of the rounds; `added` and `times` compare within each round and are medians again. The
upstream answers at once, with 560 bytes of JSON or a stream of ten events a second; calls are plain HTTP on both sides.

- `straight`: the load at the upstream with nothing between, so also the most that this load can ask for.
- `nginx`: its proxy_pass, with connections to the upstream kept.
- `floor`: the least that the given libraries can do: gunicorn with gevent, Flask, an adapter of requests, AWS4Auth; no
  keys and no ledger.
- `Outcrop`: called with a virtual key, policy and ledger on. `limits`: on PostgreSQL, with a key that has a budget and
  a rate.
- `LiteLLM`: its lightest setting, a master key and no database.

Everybody has one worker, pinned to a core that it shares with nothing else that works, and its CPU alone is counted.
PostgreSQL, with its own defaults, runs on the upstream's core, and is not counted as the worker's. Where `busy` is near
100 % of their core, or 200 % where load and upstream have one each, it is they who are measured. Memory per stream is
what the worker has with the streams open, less what it had before the first of them."""


@dataclass(frozen=True, slots=True)
class Report:
    """`streams`: numbers that were measured; `versions`: of what is no Python package."""

    field: Field
    streams: Sequence[int]
    versions: Sequence[str]

    def tables(self) -> str:
        """Of the sections that were measured."""
        life = life_rows(self.field.calls, self.field.few_calls)
        sections: list[tuple[str, Sequence[Row], Sequence[str]]] = [
            ("Calls", call_rows(), self._measured("calls ")),
            ("Streams", stream_rows(self.streams), self._measured("streams ")),
            ("Start and memory", life, self._measured("start_")),
        ]
        told = [f"### {title}\n\n{table(self._samples, rows, names)}\n" for title, rows, names in sections if names]
        return "\n".join([*told, self._samples.others()])

    def bounds(self) -> str:
        return held(bounds(self._samples))

    def pictures(self) -> dict[str, str]:
        key = calls_key(CONNECTIONS[-1]) + "per_second"
        calls = {name: self._samples.median(name, key) for name in self._measured("calls ")}
        delays = {name: self._delays(name) for name in self._measured("streams ")}
        title = f"Calls per second through one worker, {CONNECTIONS[-1]} connections (logarithmic)"
        return {
            CALLS_PICTURE: bars(title, {name: found for name, found in calls.items() if found}),
            DELAYS_PICTURE: lines(
                "Delay of an event, p99, ms (logarithmic)",
                "streams at once, ten events a second each",
                delays,
                logarithmic=True,
            ),
        }

    def part(self) -> str:
        shared = "share a core" if self.field.cores.load == self.field.cores.upstream else "have a core each"
        machine = ", ".join([describe(), *self.versions])
        return "\n".join(
            [
                "## Calls, streams, start and memory\n",
                f"{datetime.now(UTC):%Y-%m-%d}, {machine}; the load and the upstream {shared}; {self.field.rounds} "
                f"rounds of calls, {self.field.seconds:g} s a measurement.\n",
                f"{self.bounds()}\n",
                f"![Calls per second](results/{CALLS_PICTURE})",
                f"![Delays of events](results/{DELAYS_PICTURE})\n",
                f"{self.tables()}\n",
                _HOW_TO_READ,
            ]
        )

    @property
    def _samples(self) -> Samples:
        return self.field.samples

    def _measured(self, key: str) -> list[str]:
        return self._samples.contenders(NAMES, key)

    def _delays(self, name: str) -> list[tuple[float, float]]:
        found = [(count, self._samples.median(name, streams_key(count) + "delay_p99_ms")) for count in self.streams]
        return [(count, delay) for count, delay in found if delay is not None]
