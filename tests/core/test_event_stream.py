"""Where the frames of an event stream end, and a frame of our own that SDKs raise."""

import itertools
import json
import random
import struct
import zlib
from collections.abc import Iterator

import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from app.core.event_stream import FrameReader, exception_frame
from tests import event_frames
from tests.core.bedrock_models import modelled_operations, table_rows

FRAMES = [
    event_frames.event_frame("messageStart", {"role": "assistant"}),
    event_frames.encode_frame({}, b""),
    event_frames.event_frame("contentBlockDelta", {"delta": {"text": "é" * 20}}),
]
STREAM = b"".join(FRAMES)
ENDS = list(itertools.accumulate(map(len, FRAMES)))
LONGEST = 24 * 1024**2 + 128 * 1024 + 16


def fed(*chunks: bytes) -> FrameReader:
    tracker = FrameReader()
    for chunk in chunks:
        tracker.feed(chunk)
    return tracker


def state(tracker: FrameReader) -> tuple[bool, int, bool]:
    return tracker.at_boundary, tracker.frames, tracker.lost


def after(position: int) -> tuple[bool, int, bool]:
    """What a tracker must say when it has seen so many bytes of STREAM."""
    return position in (0, *ENDS), sum(end <= position for end in ENDS), False


def prelude(total: int, headers: int = 0, flaw: int = 0) -> bytes:
    lengths = struct.pack("!II", total, headers)
    return lengths + struct.pack("!I", zlib.crc32(lengths) ^ flaw)


class RawStream:
    """An answer's body, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body

    def close(self) -> None:
        """Botocore closes what it has read."""


def test_a_stream_begins_at_a_boundary() -> None:
    assert state(FrameReader()) == (True, 0, False)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_whole_frame_ends_at_a_boundary(frame: bytes) -> None:
    assert state(fed(frame)) == (True, 1, False)


def test_whole_frames_at_once_end_at_a_boundary() -> None:
    assert state(fed(STREAM)) == (True, 3, False)


def test_byte_by_byte_there_is_a_boundary_after_each_frame_and_nowhere_else() -> None:
    tracker = FrameReader()
    for position in range(len(STREAM)):
        assert state(tracker) == after(position)
        tracker.feed(STREAM[position : position + 1])
    assert state(tracker) == after(len(STREAM))


def test_every_cut_in_two_is_seen_alike() -> None:
    for cut in range(len(STREAM) + 1):
        tracker = fed(STREAM[:cut])
        assert state(tracker) == after(cut)
        tracker.feed(STREAM[cut:])
        assert state(tracker) == (True, 3, False)


def test_every_cut_in_three_is_seen_alike() -> None:
    for one, two in itertools.combinations(range(len(STREAM) + 1), 2):
        assert state(fed(STREAM[:one], STREAM[one:two], STREAM[two:])) == (True, 3, False)


@pytest.mark.parametrize("trailing", [1, 11, 12, 13, len(FRAMES[0]) - 1])
def test_trailing_bytes_of_a_next_frame_are_no_boundary(trailing: int) -> None:
    assert state(fed(STREAM + FRAMES[0][:trailing])) == (False, 3, False)


def test_empty_chunks_change_nothing() -> None:
    assert state(fed(b"", STREAM[:5], b"", STREAM[5:], b"")) == (True, 3, False)


def test_random_streams_in_random_pieces_are_followed() -> None:
    draw = random.Random(7)
    for _ in range(200):
        frames = [event_frames.encode_frame({"a": "b"}, draw.randbytes(draw.randint(0, 300))) for _ in range(9)]
        stream, tracker, position = b"".join(frames), FrameReader(), 0
        while position < len(stream):
            size = draw.randint(1, 200)
            tracker.feed(stream[position : position + size])
            position += size
        assert state(tracker) == (True, 9, False)


@pytest.mark.parametrize("bit", range(96))
def test_any_flipped_bit_of_a_prelude_loses_the_stream(bit: int) -> None:
    damaged = bytearray(FRAMES[0])
    damaged[bit // 8] ^= 1 << bit % 8

    assert state(fed(bytes(damaged))) == (False, 0, True)


@pytest.mark.parametrize("bad", [prelude(16, flaw=1), b"HTTP/1.1 200 OK", b'{"message": "no stream"}', b"\x00" * 12])
def test_a_lost_stream_is_never_at_a_boundary_again(bad: bytes) -> None:
    tracker = fed(STREAM, bad)

    assert state(tracker) == (False, 3, True)
    tracker.feed(STREAM)
    assert state(tracker) == (False, 3, True)


def test_a_prelude_is_judged_when_it_is_complete() -> None:
    tracker = fed(prelude(16, flaw=1)[:11])
    assert not tracker.lost

    tracker.feed(prelude(16, flaw=1)[11:])
    assert tracker.lost


@pytest.mark.parametrize(("total", "lost"), [(0, True), (15, True), (16, False), (17, False)])
def test_a_frame_is_at_least_its_own_frame(total: int, lost: bool) -> None:
    assert fed(prelude(total)).lost is lost


@pytest.mark.parametrize(
    ("total", "lost"), [(LONGEST - 1, False), (LONGEST, False), (LONGEST + 1, True), (2**32 - 1, True)]
)
def test_a_frame_is_at_most_what_botocore_reads(total: int, lost: bool) -> None:
    assert fed(prelude(total)).lost is lost


@pytest.mark.parametrize(("headers", "lost"), [(83, False), (84, False), (85, True), (2**32 - 1, True)])
def test_headers_must_fit_into_their_frame(headers: int, lost: bool) -> None:
    assert fed(prelude(100, headers)).lost is lost


def test_the_longest_frame_is_followed_to_its_end() -> None:
    tracker = fed(prelude(LONGEST), b"\x00" * (LONGEST - 13))
    assert state(tracker) == (False, 0, False)

    tracker.feed(b"\x00")
    assert state(tracker) == (True, 1, False)


def test_our_own_frame_is_a_whole_frame() -> None:
    assert state(fed(STREAM, exception_frame("throttlingException", "Too many."))) == (True, 4, False)


@pytest.mark.parametrize("message", ["", "It broke.", 'with "quotes" \\ and\nlines', "é日😀", "x" * 70_000], ids=len)
def test_our_own_frame_is_what_the_format_says(message: str) -> None:
    [frame] = event_frames.decode_frames(exception_frame("modelStreamErrorException", message))

    assert frame.headers == {
        ":exception-type": "modelStreamErrorException",
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    assert json.loads(frame.payload) == {"message": message}


def test_botocore_raises_our_frame_after_the_events_before_it() -> None:
    operation = modelled_operations()["bedrock-runtime", "ConverseStream"]
    parser = create_parser("rest-json")._event_stream_parser
    body = RawStream(FRAMES[0] + exception_frame("modelStreamErrorException", "It broke."))
    events = iter(EventStream(body, operation.get_event_stream_output(), parser, "ConverseStream"))

    assert next(events) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError) as caught:
        next(events)
    assert caught.value.response["Error"] == {"Code": "modelStreamErrorException", "Message": "It broke."}


@pytest.mark.parametrize(
    ("service", "name", "exception"),
    [(row["service"], row["operation"], row["break_exception"]) for row in table_rows() if row.get("break_exception")],
)
def test_every_operations_break_exception_keeps_its_name_and_message(service: str, name: str, exception: str) -> None:
    shape = modelled_operations()[service, name].get_event_stream_output()
    events = EventStream(
        RawStream(exception_frame(exception, "It broke.")), shape, create_parser("rest-json")._event_stream_parser, name
    )

    with pytest.raises(EventStreamError) as caught:
        list(events)
    assert caught.value.response["Error"] == {"Code": exception, "Message": "It broke."}
