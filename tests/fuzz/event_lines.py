"""The reader of server-sent events: equals an oracle that reads the whole at once, however the bytes are cut."""

import re

from app.core.server_sent_events import Event, EventReader
from tests.fuzz.target import Target, pieces

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


def _check(data: bytes) -> None:
    """The first byte says how it is cut."""
    body = data[1:]
    whole = _read([body])
    assert whole == _read(pieces(body, data[0] if data else 0)), body
    if _BOM not in body[1:]:
        assert whole == _oracle(body), (body, whole, _oracle(body))


def _read(cut: list[bytes]) -> tuple[list[Event], bool, int]:
    reader = EventReader()
    found = [event for piece in cut for event in reader.feed(piece)]
    return found + reader.end(), reader.done, reader.skipped


def _oracle(body: bytes) -> tuple[list[Event], bool, int]:
    """As the HTML standard has it, line by line; and what the end of the stream cuts is an event too."""
    found: list[Event] = []
    name, data, done = "", list[bytes](), False
    for line in [*_LINE_END.split(body.removeprefix(_BOM)), b""]:
        if line == b"":
            if data == [b"[DONE]"]:
                done = True
            elif data:
                found.append((name or "message", b"\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
    return found, done, 0


def _seeds() -> list[bytes]:
    bodies = (
        b'event: message_start\r\ndata: {"type": "message_start"}\r\n\r\ndata: [DONE]\r\n\r\n',
        b"data: a\ndata: b\n\n: comment\n\nevent: x\nid: 7\nretry: 10\ndata:c\n\ndata\n\n",
        _BOM + b"data: a\r\rdata: b\r\n\ndata: cut",
        b"",
    )
    return [bytes([cut]) + body for body in bodies for cut in (0, 3, 200)]


TARGET = Target(
    "events",
    _seeds,
    _check,
    words=(b"data: ", b"data:", b"event: ", b"[DONE]", b"\n\n", b"\r\n", b"\r", _BOM, b": ", b"data: [DONE]\n\n"),
    quick=4000,
)
