"""gunicorn's reading of requests, bounded in time and work where gunicorn bounds neither.

gunicorn waits for the end of a head for as long as for its beginning, the keep-alive of a minute and a half, so that
half a request line held a connection that long. And a chunk's line may have 8 KiB of extensions, which nobody sends and
gunicorn matches against a pattern: 16 MB of them took the worker a quarter of a second at once.
"""

from typing import Any
from weakref import proxy

from gevent import Timeout
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkSize, ParseException
from gunicorn.http.message import Request

# Apache's mod_reqtimeout has 20 s for the same.
HEAD_SECONDS = 20.0
# A size, and an extension such as a signature of 64 digits.
_CHUNK_LINE_BYTES = 256


class HeadTooSlow(ParseException):  # type: ignore[misc]  # gunicorn ships no types
    """A request's head was begun and not ended in time."""


class PunctualRequest(Request):  # type: ignore[misc]  # gunicorn ships no types
    """A request whose head comes at once, and whose chunks have short lines."""

    head_seconds = HEAD_SECONDS

    def parse(self, unreader: Any) -> Any:
        """Its head. Raises gunicorn's ParseException, also for one that is not whole in time."""
        first = unreader.read()  # as long as the keep-alive lasts
        unreader.unread(first)
        if not first or b"\r\n\r\n" in first:
            return super().parse(unreader)
        with Timeout(self.head_seconds, HeadTooSlow()):
            return super().parse(unreader)

    def set_body_reader(self) -> None:
        """Decide how the body is framed."""
        super().set_body_reader()
        if isinstance(self.body.reader, ChunkedReader):
            vars(self.body.reader).clear()  # it and its generator hold each other, and this request
            self.body.reader = _ShortLines(proxy(self), self.unreader)


def let_go(request: Any) -> None:
    """Of a body in chunks that nobody reads on: its reader and a generator hold each other, with up to 2 MB."""
    body, request.body = request.body, None
    if body is not None and isinstance(body.reader, ChunkedReader):
        vars(body.reader).clear()


class _ShortLines(ChunkedReader):  # type: ignore[misc]  # gunicorn ships no types
    """Takes chunks apart."""

    def parse_chunk_size(self, unreader: Any, data: bytes | bytearray | None = None) -> Any:
        """The next chunk's size, and what came after its line. Raises gunicorn's ParseException."""
        if data is None or data.find(b"\r\n", 0, _CHUNK_LINE_BYTES) < 0:
            data = self._with_line(unreader, bytearray(data or b""))
        return super().parse_chunk_size(unreader, data)

    def _with_line(self, unreader: Any, data: bytearray) -> bytearray:
        while data.find(b"\r\n", 0, _CHUNK_LINE_BYTES) < 0:
            if len(data) >= _CHUNK_LINE_BYTES:
                raise InvalidChunkSize(b"line over %d bytes" % _CHUNK_LINE_BYTES)
            self.read_into(unreader, data)
        return data
