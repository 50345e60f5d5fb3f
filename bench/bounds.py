"""What must hold, of what `make bench` measures: the median of the rounds against its bound."""

from collections.abc import Iterator

from bench.contenders import STRAIGHT
from bench.document import Held
from bench.gateways import POSTGRESQL, SQLITE
from bench.litellm import LITELLM
from bench.samples import CONNECTIONS, Samples, calls_key, streams_key

_CPU_US = 1000
_TIMES_LITELLM = 15
_ADDED_MS = 2.0
_STREAMS, _MOST_STREAMS = 600, 1000
_FIRST_BYTE_MS = 500
_DELAY_MS = 50
_STREAM_KB = 50
_MEMORY_MB = 120
_START_SECONDS = 2.0


def bounds(samples: Samples) -> list[Held]:
    """Of what was measured; what was not has no line."""
    found = [*_of_calls(samples), *_of_streams(samples), *_of_life(samples)]
    return [one for one in found if one is not None]


def _of_calls(samples: Samples) -> Iterator[Held | None]:
    for name in (SQLITE, POSTGRESQL):
        for count in CONNECTIONS:
            what = f"{name}, {_connections(count)}"
            key = calls_key(count)
            cpu = samples.median(name, key + "cpu_us")
            yield _at_most(f"{what}: CPU per call at most 1.0 ms", cpu, _CPU_US, "{:,.0f} us")
            times = samples.times(name, LITELLM, key + "per_second")
            what = f"{what}: at least {_TIMES_LITELLM} times LiteLLM's calls per second"
            yield None if times is None else Held(what, f"{times:.1f} times", times >= _TIMES_LITELLM)
        added = samples.added(name, STRAIGHT, calls_key(1) + "took_p50_ms")
        yield _at_most(f"{name}, 1 connection: added p50 at most 2 ms", added, _ADDED_MS, "{:.2f} ms")


def _of_streams(samples: Samples) -> Iterator[Held | None]:
    key = streams_key(_STREAMS)
    yield _complete(samples, _STREAMS)
    first = samples.median(SQLITE, key + "first_byte_p99_ms")
    yield _at_most(f"{_STREAMS} streams: first byte p99 at most 0.5 s", first, _FIRST_BYTE_MS, "{:,.0f} ms")
    delay = samples.median(SQLITE, key + "delay_p99_ms")
    yield _at_most(f"{_STREAMS} streams: event delay p99 at most {_DELAY_MS} ms", delay, _DELAY_MS, "{:.1f} ms")
    memory = samples.median(SQLITE, key + "stream_kb")
    yield _at_most(f"{_STREAMS} streams: at most {_STREAM_KB} kB per stream", memory, _STREAM_KB, "{:.1f} kB")
    yield _complete(samples, _MOST_STREAMS)


def _of_life(samples: Samples) -> Iterator[Held | None]:
    for name in (SQLITE, POSTGRESQL):
        memory = samples.median(name, "after_mb")
        yield _at_most(f"{name}: memory after all calls at most {_MEMORY_MB} MB", memory, _MEMORY_MB, "{:.1f} MB")
        start = samples.median(name, "start_seconds")
        yield _at_most(f"{name}: start to first answer at most 2 s", start, _START_SECONDS, "{:.2f} s")


def _complete(samples: Samples, count: int) -> Held | None:
    """In every round."""
    failed = samples.of(SQLITE, streams_key(count) + "failed")
    if not failed:
        return None
    return Held(f"{count:,} streams: all complete", f"{sum(failed):.0f} incomplete in {len(failed)}", not any(failed))


def _at_most(what: str, found: float | None, most: float, told: str) -> Held | None:
    """Not a number, where nothing came, is more."""
    return None if found is None else Held(what, told.format(found), found <= most)


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"
