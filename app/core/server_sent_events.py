"""Server-sent events (`text/event-stream`), read beside the untouched bytes.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html; but an event that ends with its stream instead
of a blank line is read all the same, as the vendors' SDKs do.
"""

CONTENT_TYPE = "text/event-stream"
# A longer event is not kept: those that report something are a few kilobytes, or repeat an answer of so much text.
LONGEST_EVENT = 1024**2
_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"

Event = tuple[str, bytes]


class EventReader:
    """Reads the events of a stream, however it is cut. Holds at most one event that has not come whole, of 1 MiB.

    `done`: the stream said `[DONE]`, which is no event. `skipped`: events that were too long.
    """

    def __init__(self) -> None:
        self.done = False
        self.skipped = 0
        self._part = bytearray()
        self._after_return = False
        self._begun = False
        self._long = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that end in this piece: their name ("message" where none is said) and data. Never raises."""
        lines = self._with_line_feeds(piece)
        searched = max(0, len(self._part) - 1)
        self._part += lines
        end = self._part.rfind(b"\n\n", searched)
        if end < 0:
            self._hold()
            return []
        blocks = bytes(self._part[:end]).split(b"\n\n")
        del self._part[: end + 1]
        if self._long:
            self._long = False
            del blocks[0]
        found = self._events(blocks)
        self._hold()
        return found

    def end(self) -> list[Event]:
        """The stream has ended: what came of a last event without its blank line."""
        return [] if self._long else self._events([bytes(self._part)])

    def _with_line_feeds(self, piece: bytes) -> bytes:
        """Lines may end with LF, CR or CRLF, and a CRLF may be cut in two."""
        if self._after_return and piece[:1] == b"\n":
            piece = piece[1:]
            self._after_return = False
        if piece:
            self._after_return = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return piece

    def _hold(self) -> None:
        if len(self._part) > LONGEST_EVENT + 2:  # with the ends of the line before it and of its last
            self.skipped += not self._long
            self._long = True
        if self._long:
            del self._part[:-1]

    def _events(self, blocks: list[bytes]) -> list[Event]:
        found = []
        for block in blocks:
            if not self._begun:
                self._begun = True
                block = block.removeprefix(_BOM)  # noqa: PLW2901  # where the stream begins, and nowhere else
            if len(block.strip(b"\n")) > LONGEST_EVENT:
                self.skipped += 1
                continue
            event = _event(block)
            if event and event[1] == _DONE:
                self.done = True
            elif event:
                found.append(event)
        return found


def _event(block: bytes) -> Event | None:
    """What the lines of one block say, or None where they carry no data, as comments do."""
    name = ""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
    return (name or "message", b"\n".join(data)) if data else None
