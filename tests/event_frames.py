"""One AWS event-stream frame from its parts, and the frames of a body.

Encoding is written from the format's description alone, so that it is a second opinion on the product's own reader;
decoding is botocore's, which is what most callers have.
https://smithy.io/2.0/aws/amazon-eventstream.html

A frame is: total length, headers length, CRC of these 8 bytes, headers, payload, CRC of all that came before.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.eventstream import EventStreamBuffer

STRING_TYPE = 7  # the only header value type that AWS's events use


@dataclass(frozen=True)
class Frame:
    """A decoded frame."""

    headers: dict[str, str]
    payload: bytes

    @property
    def event_type(self) -> str:
        return self.headers.get(":event-type") or self.headers.get(":exception-type", "")


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return the frame's bytes, with both checksums right."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 12 + len(block) + len(payload) + 4, len(block))
    head = prelude + struct.pack("!I", zlib.crc32(prelude)) + block + payload
    return head + struct.pack("!I", zlib.crc32(head))


def event_frame(event_type: str, content: object) -> bytes:
    """Return an event with a JSON payload, its headers in AWS's order; bytes go in as they are."""
    headers = {":event-type": event_type, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, _payload(content))


def exception_frame(exception_type: str, message: str) -> bytes:
    """Return a modelled exception, such as throttlingException."""
    headers = {
        ":exception-type": exception_type,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return encode_frame(headers, _payload({"message": message}))


def error_frame(code: str, message: str) -> bytes:
    """Return an unmodelled error, which is all headers."""
    headers = {":error-code": code, ":error-message": message, ":message-type": "error"}
    return encode_frame(headers, b"")


def decode_frames(body: bytes) -> list[Frame]:
    """Return the whole frames of a body; botocore checks their CRCs and keeps silent about a torn tail."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return [Frame(dict(event.headers), bytes(event.payload)) for event in buffer]


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    value_head = struct.pack("!BH", STRING_TYPE, len(encoded_value))
    return struct.pack("!B", len(encoded_name)) + encoded_name + value_head + encoded_value


def _payload(content: object) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
