"""From what was measured, round by round, to a table. No number comes from anywhere else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Literal

STRAIGHT, NGINX, OUTCROP = "straight", "nginx", "Outcrop"
COLUMNS = ("", STRAIGHT, NGINX, OUTCROP, "range", "to straight", "to nginx")
CONNECTIONS = (1, 32)
HOW_TO_READ = """\
Each number is the median of the rounds, and `range` the least and most of Outcrop's. `straight` is the load at the
upstream with nothing between, so it is also the most that this load can ask for; `to straight` and `to nginx` compare
within each round and are medians again: `+` is added, `x` is times. Where `load and upstream busy` is near 100 % of
their core, or 200 % where they have one each, it is they who are measured. CPU is of the one worker, pinned to a core
of its own where there are two. Machines are noisy and differ: compare numbers of one run alone, and two versions of
the gateway only by runs that alternate."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what it is called, where its numbers are, and how they are told."""

    label: str
    key: str
    places: int = 0
    compared: Literal["added", "times"] | None = None


def rows(streams: Sequence[int]) -> list[Row]:
    """Every line, in order. `streams`: how many at once, for each measurement of streams."""
    return [
        *(row for count in CONNECTIONS for row in _call_rows(count)),
        *(row for count in streams for row in _stream_rows(count)),
        Row("start to first answer, s", "start_seconds", 2),
        Row("memory when idle, MiB", "idle_mib", 1),
        Row("memory after all that, MiB", "after_mib", 1),
    ]


def _call_rows(count: int) -> Iterator[Row]:
    what = "1 connection: " if count == 1 else f"{count} connections: "
    key = calls_key(count)
    yield Row(what + "calls per second", key + "per_second", 0, "times")
    yield Row(what + "p50, ms", key + "took_p50_ms", 3, "added")
    yield Row(what + "p99, ms", key + "took_p99_ms", 3, "added")
    yield Row(what + "CPU per call, us", key + "cpu_us", 0, "times")
    yield Row(what + "worker busy, %", key + "worker_percent")
    yield Row(what + "load and upstream busy, %", key + "busy_percent")
    yield Row(what + "failed calls", key + "failed")


def _stream_rows(count: int) -> Iterator[Row]:
    what, key = f"{count} streams: ", streams_key(count)
    yield Row(what + "events per second", key + "per_second")
    yield Row(what + "first byte p50, ms", key + "first_byte_p50_ms", 2, "added")
    yield Row(what + "first byte p99, ms", key + "first_byte_p99_ms", 2, "added")
    yield Row(what + "event delay p50, ms", key + "delay_p50_ms", 2, "added")
    yield Row(what + "event delay p99, ms", key + "delay_p99_ms", 2, "added")
    yield Row(what + "CPU per event, us", key + "cpu_us", 0, "times")
    yield Row(what + "memory per stream, KiB", key + "stream_kib")
    yield Row(what + "worker busy, %", key + "worker_percent")
    yield Row(what + "load and upstream busy, %", key + "busy_percent")
    yield Row(what + "failed streams", key + "failed")


def calls_key(count: int) -> str:
    return f"calls {count} "


def streams_key(count: int) -> str:
    return f"streams {count} "


class Samples:
    """What was measured: for each contender and key, a number a round."""

    def __init__(self) -> None:
        self._samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, contender: str, key: str, numbers: Mapping[str, float]) -> None:
        for name, number in numbers.items():
            self._samples[contender, key + name].append(number)

    def of(self, contender: str, key: str) -> list[float]:
        return self._samples.get((contender, key), [])

    def failures(self) -> int:
        return int(sum(sum(found) for (_, key), found in self._samples.items() if key.endswith(" failed")))

    def others(self) -> str:
        """How quiet the machine was."""
        found = [
            number for (_, key), all_ in self._samples.items() if key.endswith(" others_percent") for number in all_
        ]
        return (
            f"Processes that are no part of this used {median(found):.0f} % of the worker's core, "
            f"and {max(found):.0f} % at worst."
        )

    def ceiling(self) -> str:
        """How far the load was from being what is measured."""
        key = calls_key(CONNECTIONS[-1]) + "per_second"
        most, taken = median(self.of(STRAIGHT, key)), median(self.of(OUTCROP, key))
        return (
            f"The load's own ceiling, straight to the upstream, is {most:,.0f} calls per second: "
            f"{most / taken:.1f} times what Outcrop answered."
        )


def table(samples: Samples, streams: Sequence[int], *, has_nginx: bool) -> str:
    """In Markdown, its columns aligned."""
    lines = [COLUMNS, *(_cells(samples, row, has_nginx=has_nginx) for row in rows(streams))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    told = [" | ".join(_aligned(line, widths)) for line in lines]
    return "\n".join([f"| {told[0]} |", rule, *(f"| {line} |" for line in told[1:])])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    yield line[0].ljust(widths[0])
    yield from (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))


def _cells(samples: Samples, row: Row, *, has_nginx: bool) -> tuple[str, ...]:
    straight, nginx, outcrop = (samples.of(name, row.key) for name in (STRAIGHT, NGINX, OUTCROP))
    return (
        row.label,
        _median(straight, row.places),
        _median(nginx, row.places) if has_nginx else "not installed",
        _median(outcrop, row.places),
        _range(outcrop, row.places),
        _comparison(row, outcrop, straight),
        _comparison(row, outcrop, nginx),
    )


def _comparison(row: Row, ours: Sequence[float], theirs: Sequence[float]) -> str:
    if not theirs or row.compared is None:
        return "-"
    pairs = list(zip(ours, theirs, strict=True))
    if row.compared == "added":
        added = median(our - their for our, their in pairs)
        return f"{added:+,.{row.places}f}"
    return f"{median(our / their for our, their in pairs):.3g} x" if all(theirs) else "-"


def _median(found: Sequence[float], places: int) -> str:
    return _number(median(found), places) if found else "-"


def _range(found: Sequence[float], places: int) -> str:
    return f"{_number(min(found), places)} to {_number(max(found), places)}" if len(found) > 1 else "-"


def _number(number: float, places: int) -> str:
    return f"{number:,.{places}f}" if isfinite(number) else "-"
