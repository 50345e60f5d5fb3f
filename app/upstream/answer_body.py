"""Where an answer's body ends: by its length, by its last chunk, or with its connection (RFC 9112 section 6).

Pure: bytes in as they came off the wire, bytes of the body out. Each body says when it is `done`, when it is `broken`,
which counts only once all before it was handed out, and whether there is a `surplus`: bytes after its end, which
belong to nobody, so that nothing more may be read from their connection.
"""

import re
from typing import Protocol

# With the CRLF, however it comes: AWS writes no extensions, and of a size line that does not end no more is kept.
_LINE_BYTES = 1024
# Nor trailers, which are read over and left out; with the empty line.
_TRAILER_BYTES = 16 * 1024
FIELDS = rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*"
_SIZE = rb"([0-9A-Fa-f]{1,16})[\t ]*(?:;[\t -~\x80-\xff]*)?"
_SIZE_LINE = re.compile(_SIZE + rb"\r\n")
_SIZE_LINE_BEGUN = re.compile(rb"(?:" + _SIZE + rb")?\r?")
_TRAILER = re.compile(FIELDS + rb"\r\n")


class Body(Protocol):
    """One answer's."""

    done: bool
    broken: bool
    surplus: bool

    def feed(self, data: bytes) -> bytes:
        """What of the body is in the next bytes; not to be called once it is done or broken."""

    def end(self) -> None:
        """The connection has ended: from here on the body is done or broken."""


class SizedBody:
    """A body of so many bytes, which may be none."""

    __slots__ = ("_left", "broken", "done", "surplus")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.broken = self.surplus = False

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left > 0:
            return data
        self.done = True
        if self._left == 0:
            return data
        self.surplus = True
        return data[: self._left]

    def end(self) -> None:
        self.broken = True


class OpenBody:
    """A body that ends with its connection."""

    __slots__ = ("broken", "done", "surplus")

    def __init__(self) -> None:
        self.done = self.broken = self.surplus = False

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        self.done = True


class ChunkedBody:
    """A body in chunks (RFC 9112 section 7.1). All chunks that came together are handed out as one piece."""

    __slots__ = ("_held", "_in_trailer", "_left", "broken", "done", "surplus")

    def __init__(self) -> None:
        self._held = b""  # the beginning of a line that has not come whole
        self._left: int | None = None  # of the chunk that has begun, not counting the CRLF after it
        self._in_trailer = False
        self.done = self.broken = self.surplus = False

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        if self._in_trailer:
            self._end_in(data, 0)
            return b""
        pieces = []
        at = 0
        while at < len(data):
            if self._left is None:
                line = _SIZE_LINE.match(data, at)
                if line is None or line.end() - at > _LINE_BYTES:
                    self._hold(data[at:])
                    break
                at = line.end()
                self._left = int(line[1], 16)
                if not self._left:
                    self._end_in(data, at)
                    break
            end = at + self._left
            pieces.append(data[at:end])
            if not data.startswith(b"\r\n", end):
                self._go_on_later(data, at, end)
                break
            at = end + 2
            self._left = None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        self.broken = True

    def _go_on_later(self, data: bytes, at: int, end: int) -> None:
        """The chunk, or the CRLF after it, is not all there."""
        self._left = max(0, end - len(data))
        self._held = data[end:]
        self.broken = self._held not in (b"", b"\r")

    def _hold(self, begun: bytes) -> None:
        self._held = begun
        self.broken = len(begun) >= _LINE_BYTES or not _SIZE_LINE_BEGUN.fullmatch(begun)

    def _end_in(self, data: bytes, at: int) -> None:
        """After the last chunk come trailer fields, if any, and an empty line."""
        self._in_trailer = True
        trailer = _TRAILER.match(data, at)
        if trailer and trailer.end() - at <= _TRAILER_BYTES:
            self.done = True
            self.surplus = trailer.end() < len(data)
        elif len(data) - at >= _TRAILER_BYTES or data.find(b"\r\n\r\n", at) >= 0:
            self.broken = True
        else:
            self._held = data[at:]
