"""Streams far larger than what the kernel keeps for a reader: whoever does not read them makes the gateway wait."""

from tests.event_frames import event_frame
from tests.raw_client import RawConnection
from tests.standin_answers import converse_frames
from tests.standin_messages import EVENT_STREAM, Answer, Chunk, EndChunks, chunked_answer

PIECES = 400
FRAMES = converse_frames()
BIG = event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "outcrop " * 6000}})
END = FRAMES[-1] + b"\r\n0\r\n\r\n"


def read_all(caller: RawConnection) -> int:
    """How many bytes came until the stream's END. Raises ConnectionError where there is none."""
    size, tail = 0, b""
    while not tail.endswith(END):
        piece = caller.read_some(1024 * 1024)
        if not piece:
            raise ConnectionError(f"{caller.how_ended} after {size} bytes")
        size += len(piece)
        tail = (tail + piece)[-len(END) :]
    return size


def large_stream() -> Answer:
    """PIECES times 48 KB, then the usage and a clean END."""
    body = [FRAMES[0], *[BIG] * PIECES, *FRAMES[-3:]]
    return chunked_answer([*map(Chunk, body), EndChunks()], EVENT_STREAM)
