"""AWS's binary event stream (`application/vnd.amazon.eventstream`): where its frames end, and one frame of our own.

A frame is a prelude (total length, headers length, CRC of these 8 bytes), headers, payload and the CRC of all before
it; numbers are big-endian, CRCs are zlib's.
Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
from binascii import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct("!III")
# 12 bytes of prelude and 4 of the last CRC
_SHORTEST = 16
# botocore's own bound: 128 KiB of headers and 24 MiB of payload (botocore/eventstream.py)
_LONGEST = 24 * 1024**2 + 128 * 1024 + _SHORTEST
_STRING = 7


class FrameTracker:
    """Knows, beside the untouched bytes, whether a stream stands between two frames.

    Holds at most one prelude (12 bytes). A stream that breaks the format is `lost` from then on: never at a boundary.
    """

    def __init__(self) -> None:
        self._prelude = b""
        self._left = 0
        self.lost = False
        self.frames = 0

    @property
    def at_boundary(self) -> bool:
        return not self.lost and not self._prelude and self._left == 0

    def feed(self, chunk: bytes) -> None:
        position, end = 0, len(chunk)
        while position < end and not self.lost:
            if self._left:
                step = min(self._left, end - position)
                self._left -= step
                position += step
                self.frames += self._left == 0
                continue
            step = min(_PRELUDE.size - len(self._prelude), end - position)
            self._prelude += chunk[position : position + step]
            position += step
            if len(self._prelude) == _PRELUDE.size:
                self._begin_frame()

    def _begin_frame(self) -> None:
        total, headers, crc = _PRELUDE.unpack(self._prelude)
        if crc != crc32(self._prelude[:8]) or not _SHORTEST + headers <= total <= _LONGEST:
            self.lost = True
        self._left = total - _PRELUDE.size
        self._prelude = b""


def exception_frame(exception: str, message: str) -> bytes:
    """A modelled exception: SDKs raise it as the error `exception` with `message`."""
    headers = b"".join(
        _string_header(name, value)
        for name, value in (
            (":exception-type", exception),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        )
    )
    payload = json.dumps({"message": message}).encode()
    head = struct.pack("!II", _SHORTEST + len(headers) + len(payload), len(headers))
    frame = head + struct.pack("!I", crc32(head)) + headers + payload
    return frame + struct.pack("!I", crc32(frame))


def _string_header(name: str, value: str) -> bytes:
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()
