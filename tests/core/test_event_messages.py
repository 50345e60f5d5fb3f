"""The messages that are read out of an event stream: botocore's own, however the stream is cut or damaged."""

import struct
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.event_stream import LONGEST_PAYLOAD, FrameReader, Head, exception_frame
from tests import event_frames

TYPES = (":message-type", ":event-type", ":exception-type", ":error-code", "other", "größe")
HEADERS = st.dictionaries(
    st.sampled_from(TYPES), st.sampled_from(["event", "exception", "error", "metadata", ""]) | st.text(max_size=40)
)
FRAMES = st.lists(st.builds(event_frames.encode_frame, HEADERS, st.binary(max_size=200)), max_size=5)
CUTS = st.lists(st.integers(1, 60), max_size=30)


def raw_frame(block: bytes, payload: bytes = b"") -> bytes:
    """A frame with both CRCs right around any block of headers."""
    lengths = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    head = lengths + struct.pack("!I", zlib.crc32(lengths)) + block + payload
    return head + struct.pack("!I", zlib.crc32(head))


def header(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([kind]) + value


def read(pieces: Iterable[bytes]) -> tuple[list[tuple[str, str, bytes]], FrameReader]:
    reader = FrameReader()
    messages = [message for piece in pieces for message in reader.feed(piece)]
    return [(head.kind, head.name, payload) for head, payload in messages], reader


def by_botocore(stream: bytes) -> tuple[list[tuple[str, str, bytes]], bool]:
    """What botocore reads of it, and whether it could read on."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    found = []
    try:
        for event in buffer:
            kind = event.headers.get(":message-type", "event")
            name = {"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type")
            found.append((kind, event.headers.get(name, ""), event.payload))
    except ParserError:
        return found, False
    return found, True


def cut(stream: bytes, sizes: Iterable[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    return [*pieces, stream[start:]]


@settings(deadline=None)
@given(FRAMES, CUTS, st.binary(max_size=11))
def test_the_messages_are_botocores_however_the_stream_is_cut(
    frames: list[bytes], sizes: list[int], trailing: bytes
) -> None:
    """In pieces, whole, byte by byte, and with the beginning of one more."""
    stream = b"".join(frames) + trailing
    expected, _ = by_botocore(b"".join(frames))
    for pieces in (cut(stream, sizes), [stream], [bytes([byte]) for byte in stream]):
        messages, reader = read(pieces)
        assert messages == expected
        assert (reader.at_boundary, reader.frames) == (not trailing, len(frames))
        assert not reader.lost
        assert not reader.damaged


@settings(deadline=None)
@given(FRAMES, CUTS, st.integers(0, 2000), st.integers(1, 255))
def test_of_a_damaged_stream_what_came_before_the_damage_is_read(
    frames: list[bytes], sizes: list[int], place: int, flaw: int
) -> None:
    """Nothing after it, as botocore reads nothing after it."""
    stream = bytearray(b"".join(frames))
    if stream:
        stream[place % len(stream)] ^= flaw
    expected, whole = by_botocore(bytes(stream))
    messages, reader = read(cut(bytes(stream), sizes))

    assert messages == expected
    assert (reader.damaged or reader.lost) is not whole


@settings(deadline=None)
@given(st.binary(max_size=400), CUTS)
def test_no_bytes_raise(junk: bytes, sizes: list[int]) -> None:
    """Neither as a stream nor as a frame's headers."""
    read(cut(junk, sizes))
    read(cut(raw_frame(junk, junk), sizes))


def test_headers_of_every_type_are_passed() -> None:
    """AWS's events have strings alone; the format has more."""
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    block = b"".join(header(b"h%d" % kind, kind, b"\x09" * size) for kind, size in sizes.items())
    block += header(b"bytes", 6, b"\0\3abc") + header(b":event-type", 7, b"\0\4last")

    assert read([raw_frame(block, b"x")])[0] == [("event", "last", b"x")]


@pytest.mark.parametrize(
    "block",
    [
        b"\5name",
        b"\5na",
        header(b"a", 10, b""),
        header(b"a", 7, b"\0"),
        header(b"a", 7, b"\0\5abcd"),
        header(b"a", 7, b"\0\1\xff"),
        header(b"\xff", 0, b""),
        header(b"a", 5, b"1234567"),
        header(b"a", 0, b"") * 2,
        header(b"a", 7, b"\xff\xff" + b"x" * 65535) + header(b"b", 7, b"\xff\xff" + b"x" * 65535),
    ],
    ids=lambda block: repr(block[:12]),
)
def test_headers_that_break_the_format_damage_the_stream(block: bytes) -> None:
    """Where its frames end is still known."""
    messages, reader = read([event_frames.event_frame("a", {}), raw_frame(block), event_frames.event_frame("b", {})])

    assert messages == [("event", "a", b"{}")]
    assert (reader.damaged, reader.lost, reader.at_boundary, reader.frames) == (True, False, True, 3)


@pytest.mark.parametrize(("size", "kept"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("width", [65_536, 999_983, 10**7])
def test_a_payload_is_kept_up_to_its_bound(size: int, kept: bool, width: int) -> None:
    """What comes after one that is too long is read again."""
    frames = [raw_frame(b"", b"x" * (LONGEST_PAYLOAD + size)), event_frames.event_frame("metadata", {})]
    stream = b"".join(frames)
    messages, reader = read(stream[start : start + width] for start in range(0, len(stream), width))

    assert [len(payload) for _, _, payload in messages] == [LONGEST_PAYLOAD + size] * kept + [2]
    assert (reader.frames, reader.at_boundary, reader.damaged) == (2, True, False)


@pytest.mark.parametrize("flaw", [0, 1])
@pytest.mark.parametrize("width", [4099, 10**7])
def test_the_crc_of_a_frame_that_is_not_kept_is_looked_at_too(flaw: int, width: int) -> None:
    """Without holding the frame."""
    whole = bytearray(raw_frame(b"", b"x" * (2 * LONGEST_PAYLOAD)))
    whole[LONGEST_PAYLOAD] ^= flaw
    _, reader = read(bytes(whole[start : start + width]) for start in range(0, len(whole), width))

    assert (reader.damaged, reader.at_boundary, reader.frames) == (bool(flaw), True, 1)


def test_no_stream_makes_the_reader_hold_much() -> None:
    """Neither frames too long to keep, nor ever new headers."""
    reader = FrameReader()
    piece = b"x" * 65_536
    long = struct.pack("!II", 20 * 1024**2, 0)
    long += struct.pack("!I", zlib.crc32(long))
    tracemalloc.start()
    for number in range(2000):
        reader.feed(raw_frame(header(b":event-type", 7, b"\0\4%04d" % number)))
    reader.feed(long)
    for _ in range(300):
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert not reader.lost
    assert peak < 1024**2


def test_exceptions_and_errors_are_told_from_events() -> None:
    """By the names that SDKs raise them under."""
    reader = FrameReader()
    stream = exception_frame("throttlingException", "No.") + event_frames.error_frame("500", "broken")

    assert [head for head, _ in reader.feed(stream)] == [Head("exception", "throttlingException"), Head("error", "500")]
