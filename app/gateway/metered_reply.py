"""AWS's answer on its way to the caller: each piece is read by the tap, then handed on untouched at once.

The end of a reply is settled exactly once, before the caller can see it. With chunked framing that end is the
StopIteration, with a Content-Length it is the piece that completes it: the server writes the terminator as soon as it
has either, and calls close() only afterwards. close() settles the ends that never got there: a caller that left, a
worker that stops. A class and not a generator, because close() on a generator that never started runs nothing.
"""

import errno
import sys
from collections import deque

from app.core import header_rules
from app.core.errors import GatewayError, UpstreamBroke
from app.core.event_stream import CONTENT_TYPE, FrameReader, exception_frame
from app.core.messages import Cancellation, Ending
from app.gateway.ports import UpstreamReply
from app.gateway.settlement import Settlement

# An answer this small is read whole before its headers leave, so that they can carry what is only known at its end.
# Most Converse answers are under 20 KB; an embedding of 1,536 floats is about 30 KB.
WHOLE_BYTES = 256 * 1024
_STREAM_TYPES = (CONTENT_TYPE, "text/event-stream")


class ReplyCut(ConnectionResetError):
    """Raised into the server so that it closes the connection without the last chunk: the caller must see a break."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ECONNRESET, message)


class MeteredReply:
    """An iterator over the body's pieces; status, reason and headers are ready when it is made."""

    def __init__(
        self,
        reply: UpstreamReply,
        settlement: Settlement,
        cancellation: Cancellation,
        break_exception: str | None,
    ) -> None:
        """`break_exception` names the exception that this operation's event stream may carry, or None."""
        self._reply = reply
        self._settlement = settlement
        self._record = settlement.record
        self._cancellation = cancellation
        self._break_exception = break_exception
        self._ahead: deque[bytes] = deque()
        self._received = 0
        self._ended = False
        self.headers = header_rules.to_caller(reply.headers)
        low = {name.lower(): value for name, value in self.headers}
        length = low.get("content-length", "")
        self._length = int(length) if length.isdecimal() else None
        media_type = low.get("content-type", "").partition(";")[0].strip().lower()
        self.streamed = media_type in _STREAM_TYPES
        self._tap = FrameReader() if media_type == CONTENT_TYPE else None
        self.status = reply.status
        self.reason = reply.reason

    def begin(self) -> None:
        """Read what must be known before the headers leave. Raises UpstreamBroke or UpstreamSilent.

        A stream's headers leave at once, on an empty piece: a PaaS router waits 30 s for them and no longer.
        """
        if self.streamed and self._length != 0:
            self._ahead.append(b"")
            return
        self._read_ahead()
        while not self._ended and self._length is not None and self._length <= WHOLE_BYTES:
            self._read_ahead()

    def __iter__(self) -> "MeteredReply":
        return self

    def __next__(self) -> bytes:
        if self._ahead:
            return self._ahead.popleft()
        if self._ended:
            raise StopIteration
        try:
            piece = self._reply.read_chunk()
        except GatewayError as error:
            return self._break(error)
        if not piece and self._tap and not self._tap.lost and not self._tap.at_boundary:
            return self._break(UpstreamBroke("AWS's stream ended inside a frame."))
        self._meter(piece)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Called by the server when it is done with the reply, however that came about."""
        if not self._ended:
            self._end(self._cancellation.reason or _why_unfinished(sys.exc_info()[1]))
        self._reply.close()

    def _read_ahead(self) -> None:
        piece = self._reply.read_chunk()
        self._meter(piece)
        if piece:
            self._ahead.append(piece)

    def _meter(self, piece: bytes) -> None:
        if piece:
            self._received += len(piece)
            if self._record.first_byte_ms is None:
                self._record.first_byte_ms = self._settlement.elapsed_ms()
            if self._tap:
                self._tap.feed(piece)
        if not piece or self._received == self._length:
            self._end("complete")

    def _end(self, ending: Ending) -> None:
        self._ended = True
        self._record.bytes_out = self._received
        if ending != "complete":
            self._reply.close()
        self._settlement.settle(ending)

    def _break(self, error: GatewayError) -> bytes:
        """AWS's answer ends here, incomplete: the caller must see that, as an exception of its SDK if possible."""
        ending = self._cancellation.reason or "upstream_broke"
        at_boundary = self._tap is not None and self._tap.at_boundary
        self._record.error = error.code
        self._end(ending)
        if ending != "client_left" and at_boundary and self._length is None and self._break_exception:
            return exception_frame(self._break_exception, error.message)
        raise ReplyCut(error.message) from error


def _why_unfinished(cause: BaseException | None) -> Ending:
    """Why the server stopped taking pieces, by the exception it is handling while it calls close()."""
    if isinstance(cause, TimeoutError):
        return "client_stalled"
    if cause is None or isinstance(cause, OSError):
        return "client_left"
    return "stopped"
