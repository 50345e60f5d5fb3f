"""AWS's binary event stream (`application/vnd.amazon.eventstream`): messages, where frames end, and a frame of our own.

A frame is a prelude (total length, headers length, CRC of these 8 bytes), headers, payload and the CRC of all before
it; numbers are big-endian, CRCs are zlib's.
Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
from binascii import crc32
from dataclasses import dataclass
from functools import lru_cache

CONTENT_TYPE = "application/vnd.amazon.eventstream"
# A payload longer than this is not kept: events that report something are a few hundred bytes, text comes in pieces.
LONGEST_PAYLOAD = 1024**2
_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
# 12 bytes of prelude and 4 of the last CRC
_SHORTEST = 16
# botocore's own bounds: 128 KiB of headers and 24 MiB of payload (botocore/eventstream.py)
_LONGEST_HEADERS = 128 * 1024
_LONGEST = 24 * 1024**2 + _LONGEST_HEADERS + _SHORTEST
_LONGEST_KEPT = LONGEST_PAYLOAD + _LONGEST_HEADERS + _SHORTEST
# Types of a header's value: 0 true, 1 false, 2 byte, 3 short, 4 integer, 5 long, 6 bytes, 7 string, 8 timestamp, 9 uuid
_BYTES, _STRING, _UUID = 6, 7, 9
_SIZES = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_LENGTH = struct.Struct("!H")
# The headers of AWS's events are the same few blocks again and again.
_MOST_HEADS, _LONGEST_HEAD = 256, 512


@dataclass(frozen=True, slots=True)
class Head:
    """What a message's headers say it is.

    `kind`: "event", "exception" (modelled) or "error"; `name`: its event type, exception type or error code.
    """

    kind: str
    name: str


Message = tuple[Head, bytes]


class FrameReader:
    """Reads, beside the untouched bytes, the messages of a stream, and knows whether it stands between two frames.

    Holds at most one frame that has not come whole, and none that is longer than 1 MiB and 128 KiB. A stream that
    breaks the format is `lost` from then on: never at a boundary. A message whose CRC or headers are wrong makes it
    `damaged`: where frames end is still known, but nothing more is read out of them, as SDKs read nothing more either.
    """

    def __init__(self) -> None:
        self.lost = False
        self.damaged = False
        self.frames = 0
        # Of the frame that has come in part: its bytes, or of one too long to keep its last four; how many are to
        # come, once its prelude is there; and the CRC of those that are gone.
        self._part = bytearray()
        self._left = 0
        self._long = False
        self._crc = 0

    @property
    def at_boundary(self) -> bool:
        return not self.lost and not self._part and self._left == 0

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that end in this piece, but for those with a payload longer than 1 MiB. Never raises."""
        found: list[Message] = []
        position, end = 0, len(piece)
        while position < end and not self.lost:
            if self._left:
                position = self._continue(piece, position, found)
                continue
            if self._part or end - position < _SHORTEST:
                position = self._begin(piece, position)
                continue
            total, headers, crc = _PRELUDE.unpack_from(piece, position)
            stop = position + total
            if stop > end or not _is_sound(total, headers, crc, piece[position : position + 8]):
                position = self._begin(piece, position)
                continue
            self.frames += 1
            payload, close = position + _PRELUDE.size + headers, stop - _CRC.size
            head = _head(piece[position + _PRELUDE.size : payload])
            if head is None or crc32(piece[position + 8 : close], crc) != _CRC.unpack_from(piece, close)[0]:
                self.damaged = True
            elif close - payload <= LONGEST_PAYLOAD and not self.damaged:
                found.append((head, piece[payload:close]))
            position = stop
        return found

    def _begin(self, piece: bytes, position: int) -> int:
        """A frame that will not end in this piece, or does not look like one."""
        taken = piece[position : position + _PRELUDE.size - len(self._part)]
        self._part += taken
        if len(self._part) == _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack(self._part)
            self.lost = not _is_sound(total, headers, crc, self._part[:8])
            self._left = total - _PRELUDE.size
            self._long = total > _LONGEST_KEPT
        return position + len(taken)

    def _continue(self, piece: bytes, position: int, found: list[Message]) -> int:
        """More of the frame that came in part."""
        taken = piece[position : position + self._left]
        self._left -= len(taken)
        self._part += taken
        if self._long:
            gone = self._part[:-4]
            self._crc = crc32(gone, self._crc)
            del self._part[: len(gone)]
        if self._left == 0:
            self._end(found)
        return position + len(taken)

    def _end(self, found: list[Message]) -> None:
        whole, long = bytes(self._part), self._long
        self._part.clear()
        self._long = False
        if long:
            self.frames += 1
            self.damaged = self.damaged or _CRC.pack(self._crc) != whole
            self._crc = 0
        else:
            found += self.feed(whole)


def _head(block: bytes) -> Head | None:
    return _remembered_head(block) if len(block) <= _LONGEST_HEAD else _head_of(block)


def _head_of(block: bytes) -> Head | None:
    headers = _headers(block)
    if headers is None:
        return None
    kind = headers.get(":message-type", "event")
    name = {"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type")
    return Head(kind, headers.get(name, ""))


_remembered_head = lru_cache(_MOST_HEADS)(_head_of)


def _is_sound(total: int, headers: int, crc: int, lengths: bytes | bytearray) -> bool:
    return crc == crc32(lengths) and _SHORTEST + headers <= total <= _LONGEST


def _headers(block: bytes) -> dict[str, str] | None:
    """The headers that are strings, or None where the block breaks the format."""
    found: dict[str, str] = {}
    names: set[str] = set()
    position = 0
    if len(block) > _LONGEST_HEADERS:
        return None
    try:
        while position < len(block):
            start = position + 1
            end = start + block[position]
            name, kind = block[start:end].decode(), block[end]
            position, size = end + 1, _SIZES.get(kind, 0)
            if kind in (_BYTES, _STRING):
                size = _LENGTH.unpack_from(block, position)[0]
                position += _LENGTH.size
            if kind == _STRING:
                found[name] = block[position : position + size].decode()
            if kind > _UUID or name in names:
                return None
            names.add(name)
            position += size
    except (IndexError, struct.error, UnicodeDecodeError):
        return None
    return found if position == len(block) else None


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
