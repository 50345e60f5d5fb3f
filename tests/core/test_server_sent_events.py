"""The events of a text/event-stream: the same however the stream is cut, whatever ends its lines."""

import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.server_sent_events import LONGEST_EVENT, Event, EventReader

LINES = st.sampled_from([b"data: 1", b"data:2", b"data:  two", b"data", b"event: delta", b"id: 4", b": ping", b"", b""])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def read(pieces: Iterable[bytes]) -> tuple[list[Event], EventReader]:
    reader = EventReader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + reader.end(), reader


def by_the_letter(lines: Iterable[bytes]) -> list[Event]:
    """The standard's own algorithm, line by line, with an event that is cut off at the end."""
    found: list[Event] = []
    name = ""
    data: list[bytes] = []
    for line in (*lines, b""):
        if not line:
            if data:
                found.append((name or "message", b"\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode()
        elif field == b"data":
            data.append(value)
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.lists(st.integers(1, 9), max_size=30), st.booleans())
def test_events_are_read_as_the_standard_says(lines: list[tuple[bytes, bytes]], sizes: list[int], bom: bool) -> None:
    """Whole, byte by byte and in pieces; with every end of line, also mixed."""
    stream = b"\xef\xbb\xbf" * bom
    expected: list[bytes] = []
    for line, end in lines:
        # CR and then LF would be one end: no empty line may begin with the second half of one
        ended = b"\r\n" if stream.endswith(b"\r") and not line and end == b"\n" else end
        stream += line + ended
        expected.append(line)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    events = by_the_letter(expected)

    assert read([*pieces, stream[start:]])[0] == events
    assert read([stream])[0] == events
    assert read(bytes([byte]) for byte in stream)[0] == events


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_raise_and_cuts_do_not_matter(junk: bytes, size: int) -> None:
    """Nor do names that are no UTF-8."""
    junk = junk.replace(b"a", b"\n").replace(b"b", b"data:").replace(b"c", b"\r").replace(b"d", b"event: \xff")

    assert read([junk])[0] == read(junk[start : start + size] for start in range(0, len(junk), size))[0]


def test_done_is_no_event() -> None:
    """It is how OpenAI's streams say that they are whole."""
    found, reader = read([b'data: {"a": 1}\n\ndata: [DONE]\n\n'])

    assert found == [("message", b'{"a": 1}')]
    assert reader.done


def test_an_event_is_there_with_its_blank_line() -> None:
    """Not earlier: more lines could follow."""
    reader = EventReader()

    assert reader.feed(b"event: a\ndata: 1\n") == []
    assert reader.feed(b"\n") == [("a", b"1")]


@pytest.mark.parametrize(("excess", "kept"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("width", [65_536, 10**7])
def test_an_event_is_kept_up_to_its_bound(excess: int, kept: bool, width: int) -> None:
    """The ones before and after it are read; the bound is of all its lines."""
    long = b"data: " + b"x" * (LONGEST_EVENT - 6 + excess) + b"\n\n"
    stream = b"data: 1\n\n" + long + b"data: 2\n\n"
    found, reader = read(stream[start : start + width] for start in range(0, len(stream), width))

    assert [len(data) for _, data in found] == [1] + [LONGEST_EVENT - 6 + excess] * kept + [1]
    assert reader.skipped == (not kept)


def test_no_stream_makes_the_reader_hold_much() -> None:
    """One endless line, and endless lines of one event."""
    for unit in (b"data: " + b"x" * 65_530, b"data: 1\n" * 8192):
        reader = EventReader()
        tracemalloc.start()
        for _ in range(200):
            reader.feed(unit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * LONGEST_EVENT
        assert reader.skipped == 1
