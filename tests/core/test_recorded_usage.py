"""Recorded answers through the tap: what it finds is what tests/recorded_usage.py says, however the answer is cut."""

import random
from collections.abc import Iterator

import pytest

from app.core.estimates import Ratios
from app.core.json_skim import skim
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.tap import Tap
from app.core.usage import Usage
from app.core.usage_readers import reader_for
from tests.recorded_usage import expected_usage
from tests.recordings import Recording, recordings

RECORDINGS = list(recordings())
# An answer this long is not fed byte by byte
_LONG = 60_000

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="no recordings beside the repository")
each = pytest.mark.parametrize("recording", [pytest.param(one, id=one.name) for one in RECORDINGS])


def tap_of(recording: Recording, ratios: Ratios | None = None) -> Tap:
    asked = recording.request_body
    facts = request_facts(recording.call, skim(asked, FACT_MEMBERS), recording.request_headers, asked)
    status, headers = recording.status, recording.headers
    return Tap(recording.call, facts, ratios or Ratios(), status, headers, find=reader_for)


def read(recording: Recording, pieces: Iterator[bytes]) -> Usage:
    tap = tap_of(recording)
    for piece in pieces:
        tap.feed(piece)
    return tap.usage(complete=True)


def pieces_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def random_pieces(body: bytes, seed: str) -> Iterator[bytes]:
    chance, start = random.Random(seed), 0  # the same splits each time
    while start < len(body):
        size = chance.choice((1, 3, 17, 100, 1000, 9000))
        yield body[start : start + size]
        start += size


def found(usage: Usage) -> tuple[str, dict[str, int]]:
    return usage.source, {kind: count for kind, count in usage.counts.items() if count}


@each
def test_a_recorded_answer_used_what_the_table_says(recording: Recording) -> None:
    expected = expected_usage(recording.exchange)
    body = recording.body

    assert found(read(recording, iter([body]))) == expected
    assert found(read(recording, random_pieces(body, recording.name))) == expected
    assert found(read(recording, pieces_of(body, 1 if len(body) < _LONG else 50))) == expected


@each
def test_the_table_agrees_with_the_index_of_the_recordings(recording: Recording) -> None:
    if recording.indexed is None:
        pytest.skip("no index")
    _, counts = expected_usage(recording.exchange)
    units = {kind: count for kind, count in counts.items() if kind.endswith("Units")}
    tokens = {kind: count for kind, count in counts.items() if kind not in units}
    written = tokens.pop("cache_write_5m", 0) + tokens.pop("cache_write_1h", 0)
    indexed = {kind: count for kind, count in recording.indexed.items() if kind != "calls" and count}

    if "guardrail_units" in indexed:
        assert units == indexed["guardrail_units"]
    else:
        assert tokens | ({"cache_write": written} if written else {}) == indexed


def _cuts(recording: Recording) -> Iterator[Usage]:
    """What is said of the stream when it is cut after each of its first events, and at some places inside them."""
    for end in range(0, min(len(recording.body) - 1, 20_000), 211):
        tap = tap_of(recording)
        tap.feed(recording.body[:end])
        yield tap.usage(complete=False)


@pytest.mark.parametrize(
    "recording",
    [
        pytest.param(one, id=one.name)
        for one in RECORDINGS
        if one.status == 200 and one.call.streams and expected_usage(one.exchange)[0] == "reported"
    ],
)
def test_a_recorded_stream_that_is_cut_anywhere_used_something(recording: Recording) -> None:
    found = list(_cuts(recording))
    assert found
    for usage in found:
        assert usage.source in ("estimated", "reported")
        assert usage.total_tokens - usage.output_tokens >= 1
        assert usage.output_tokens >= 1
        assert usage.method.startswith("estimated: ") or usage.source == "reported"
