"""What a soak tells: its samples judged, and the part of RESULTS.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from statistics import median

from bench.document import Held, held
from bench.machine import describe
from bench.plots import lines
from bench.trend import Trend, trend

# connections to the database and to the upstream come and go
_DESCRIPTORS_APART = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """At `seconds` since the begin. `calls`, `streams`, `failed`: so far; the delays: of the last second, in ms."""

    seconds: float
    memory_mb: float
    descriptors: int
    threads: int
    rows: int
    tickets: int
    calls: int
    streams: int
    failed: int
    took_p99_ms: float
    delay_p99_ms: float

    def line(self) -> str:
        return (
            f"{self.seconds:7.0f} s: {self.memory_mb:6.1f} MB, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.rows:,} rows, {self.tickets} tickets, {self.calls:,} calls, {self.streams:,} streams, "
            f"{self.failed} failed; p99: calls {self.took_p99_ms:.1f} ms, events {self.delay_p99_ms:.1f} ms"
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """Once all was over. `sent`: calls and streams; `held`: 10^-12 US dollars; `disagreements`: of sums and rows."""

    sent: int
    failed: int
    first_failure: str
    rows: int
    tickets: int
    held: int
    in_flight: int
    disagreements: tuple[str, ...]
    worker_lived: bool


@dataclass(frozen=True, slots=True)
class SoakReport:
    """`database`: its name; `warm_up`: seconds of which samples do not count."""

    database: str
    samples: Sequence[Sample]
    ending: Ending
    warm_up: float
    streams: int
    calls_per_second: int

    @property
    def name(self) -> str:
        return f"soak-{self.database.lower()}"

    @property
    def good(self) -> bool:
        return all(one.holds for one in self._held())

    def table(self) -> str:
        """In Markdown: what samples said in the first and in the last third of what counts, and at most."""
        measures: tuple[tuple[str, int, Callable[[Sample], float]], ...] = (
            ("memory, MB", 1, lambda sample: sample.memory_mb),
            ("descriptors", 0, lambda sample: sample.descriptors),
            ("threads", 0, lambda sample: sample.threads),
            ("tickets", 0, lambda sample: sample.tickets),
            ("calls p99, ms", 1, lambda sample: sample.took_p99_ms),
            ("event delay p99, ms", 1, lambda sample: sample.delay_p99_ms),
        )
        rows = ["| | first third | last third | most |", "|---|---:|---:|---:|"]
        for label, places, of in measures:
            numbers = [self._middle(part, of) for part in (self._thirds()[0], self._thirds()[-1])]
            most = max((of(sample) for sample in self._counted() if isfinite(of(sample))), default=float("nan"))
            cells = " | ".join(f"{number:,.{places}f}" for number in (*numbers, most))
            rows.append(f"| {label} | {cells} |")
        return "\n".join(rows)

    def holds(self) -> str:
        return held(self._held())

    def part(self) -> str:
        picture = f"![Memory of the worker](results/{self.name}.svg)"
        took = self.samples[-1].seconds
        text = (
            f"{datetime.now(UTC):%Y-%m-%d}, {describe()}; {took / 60:.0f} minutes, {self.streams} streams and "
            f"{self.calls_per_second} calls a second through one worker, with a key that has a budget and a rate: "
            f"{self.ending.sent:,} calls in all. The first {self.warm_up / 60:.1f} minutes do not count; medians of "
            "what was sampled."
        )
        return f"## Soak, {self.database}\n\n{text}\n\n{self.holds()}\n\n{picture}\n\n{self.table()}\n"

    def pictures(self) -> dict[str, str]:
        points = [(sample.seconds / 60, sample.memory_mb) for sample in self.samples]
        open_ = [(sample.seconds / 60, float(sample.descriptors)) for sample in self.samples]
        title = f"The worker over a soak on {self.database}"
        return {f"{self.name}.svg": lines(title, "minutes", {"memory, MB": points, "descriptors": open_})}

    def _held(self) -> list[Held]:
        end, what = self.ending, f"Soak, {self.database}: "
        slope = self._slope()
        first, last = (self._middle(part, lambda sample: sample.descriptors) for part in self._ends())
        interval = f"{slope.slope:+.1f} kB a minute, 95 %: {slope.low:+.1f} to {slope.high:+.1f}"
        failures = f"{end.failed} of {end.sent:,}" + (f", the first: {end.first_failure}" if end.failed else "")
        left = f"{end.tickets} tickets, {end.in_flight} in flight, {end.held} held"
        sums = "; ".join(end.disagreements[:3]) or "all agree"
        return [
            Held(what + "memory does not grow", interval, not slope.rises),
            Held(what + "descriptors flat", f"{first:.0f}, then {last:.0f}", last - first <= _DESCRIPTORS_APART),
            Held(what + "no call fails, the worker lives", failures, not end.failed and end.worker_lived),
            Held(what + "a row for each call", f"{end.rows:,} of {end.sent:,}", end.rows == end.sent),
            Held(what + "no ticket and no hold is left", left, not (end.tickets or end.held or end.in_flight)),
            Held(what + "rows add up to what accounts spent", sums, not end.disagreements),
        ]

    def _slope(self) -> Trend:
        """In kB a minute."""
        return trend([(sample.seconds / 60, sample.memory_mb * 1000) for sample in self._counted()])

    def _counted(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.seconds >= self.warm_up]

    def _ends(self) -> tuple[Sequence[Sample], Sequence[Sample]]:
        first, *_, last = self._thirds()
        return first, last

    def _thirds(self) -> list[Sequence[Sample]]:
        counted = self._counted()
        third = max(1, len(counted) // 3)
        return [counted[:third], counted[third:-third], counted[-third:]]

    @staticmethod
    def _middle(part: Sequence[Sample], of: Callable[[Sample], float]) -> float:
        return median([of(sample) for sample in part if isfinite(of(sample))] or [float("nan")])
