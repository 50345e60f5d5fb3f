"""From what was measured to tables in Markdown: a line for each number, a column for each contender."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from bench.contenders import STRAIGHT
from bench.gateways import LIMITED, POSTGRESQL, SQLITE
from bench.litellm import LITELLM
from bench.proxies import FLOOR, NGINX
from bench.samples import CONNECTIONS, Samples, calls_key, streams_key

OURS = (SQLITE, POSTGRESQL, LIMITED)
NAMES = (STRAIGHT, NGINX, FLOOR, *OURS, LITELLM)
_ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what it is called, which numbers it tells, and how.

    `how`: their median, their least and most, or the median of what they are more than, or how many times, those of
    `to` were in the same round.
    """

    label: str
    key: str
    places: int = 0
    how: Literal["median", "range", "added", "times"] = "median"
    to: str = ""


def call_rows() -> list[Row]:
    return [row for count in CONNECTIONS for row in _call_rows(count)]


def stream_rows(counts: Sequence[int]) -> list[Row]:
    return [row for count in counts for row in _stream_rows(count)]


def life_rows(calls: int, few_calls: int) -> list[Row]:
    """`few_calls`: LiteLLM's, to whom the others' would take minutes."""
    return [
        Row("start to first answer, s", "start_seconds", 2),
        Row("the same, least to most", "start_seconds", 2, "range"),
        Row("memory after the start, MB", "idle_mb", 1),
        Row(f"memory after {calls:,} calls (LiteLLM: {few_calls:,}), MB", "after_mb", 1),
    ]


def _call_rows(count: int) -> Iterator[Row]:
    what = "1 connection: " if count == 1 else f"{count} connections: "
    key = calls_key(count)
    yield Row(what + "calls per second", key + "per_second")
    yield Row(what + "the same, least to most", key + "per_second", 0, "range")
    yield Row(what + "the same, times LiteLLM's", key + "per_second", 1, "times", LITELLM)
    yield Row(what + "CPU per call, us", key + "cpu_us")
    yield Row(what + "the same, least to most", key + "cpu_us", 0, "range")
    yield Row(what + "the same, times the floor's", key + "cpu_us", 2, "times", FLOOR)
    yield Row(what + "p50, ms", key + "took_p50_ms", 3)
    yield Row(what + "p50, added to straight, ms", key + "took_p50_ms", 3, "added", STRAIGHT)
    yield Row(what + "p99, ms", key + "took_p99_ms", 3)
    yield Row(what + "p99, added to straight, ms", key + "took_p99_ms", 3, "added", STRAIGHT)
    yield Row(what + "worker busy, %", key + "worker_percent")
    yield Row(what + "load, upstream and database busy, %", key + "busy_percent")
    yield Row(what + "failed calls", key + "failed")


def _stream_rows(count: int) -> Iterator[Row]:
    what, key = f"{count} streams: ", streams_key(count)
    yield Row(what + "events per second", key + "per_second")
    yield Row(what + "first byte p50, ms", key + "first_byte_p50_ms", 2)
    yield Row(what + "first byte p99, ms", key + "first_byte_p99_ms", 2)
    yield Row(what + "event delay p50, ms", key + "delay_p50_ms", 2)
    yield Row(what + "event delay p99, ms", key + "delay_p99_ms", 2)
    yield Row(what + "CPU per event, us", key + "cpu_us")
    yield Row(what + "memory per stream, kB", key + "stream_kb", 1)
    yield Row(what + "worker busy, %", key + "worker_percent")
    yield Row(what + "load and upstream busy, %", key + "busy_percent")
    yield Row(what + "incomplete streams", key + "failed")


def table(samples: Samples, rows: Sequence[Row], names: Sequence[str]) -> str:
    """In Markdown, its columns aligned; no line in which nobody has a number."""
    cells = [(row.label, *(_cell(samples, row, name) for name in names)) for row in rows]
    lines = [("", *names), *(line for line in cells if set(line[1:]) != {_ABSENT})]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names) + 1)]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    told = [" | ".join(_aligned(line, widths)) for line in lines]
    return "\n".join([f"| {told[0]} |", rule, *(f"| {line} |" for line in told[1:])])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    yield line[0].ljust(widths[0])
    yield from (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))


def _cell(samples: Samples, row: Row, name: str) -> str:
    if row.how == "range":
        found = samples.of(name, row.key)
        return f"{number(min(found), row.places)} to {number(max(found), row.places)}" if len(found) > 1 else _ABSENT
    if row.how == "median":
        return number(samples.median(name, row.key), row.places)
    if name == row.to:
        return _ABSENT
    compared = samples.added if row.how == "added" else samples.times
    return number(compared(name, row.to, row.key), row.places)


def number(found: float | None, places: int = 0) -> str:
    return _ABSENT if found is None or not isfinite(found) else f"{found:,.{places}f}"
