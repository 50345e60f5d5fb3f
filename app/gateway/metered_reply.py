"""AWS's answer on its way to the caller: each piece is read by the tap, then handed on untouched at once.

The end of a reply is settled exactly once, before the caller can see it. With chunked framing that end is the
StopIteration, with a Content-Length it is the piece that completes it: the server writes the terminator as soon as it
has either, and calls close() only afterwards. close() settles the ends that never got there: a caller that left, a
worker that stops. A class and not a generator, because close() on a generator that never started runs nothing.

AWS bills an answer that is no stream in full, also when its caller is gone: close() reads it to its end, so that it is
booked as AWS reports it. A stream costs as long as it runs: it is closed at once.
"""

import errno
import sys
from typing import Protocol

from app.core import header_rules
from app.core.errors import GatewayError, UpstreamBroke
from app.core.event_stream import CONTENT_TYPE, exception_frame
from app.core.messages import Cancellation, Ending
from app.core.usage import Usage
from app.gateway.ports import UpstreamReply
from app.gateway.settlement import Settlement

# An answer this small is read whole before its headers leave, so that they can carry what is only known at its end.
# Most Converse answers are under 20 KB; an embedding of 1,536 floats is about 30 KB.
WHOLE_BYTES = 256 * 1024
_STREAM_TYPES = (CONTENT_TYPE, "text/event-stream")
_CALLER_GONE = ("client_left", "client_stalled")


class Tap(Protocol):
    """What reads the body beside its bytes (app/core/tap.py). None of it raises."""

    @property
    def at_boundary(self) -> bool:
        """Between two frames of an event stream, where one of ours may stand."""

    @property
    def lost(self) -> bool:
        """It cannot be known where frames end, or there are none."""

    def feed(self, piece: bytes) -> None:
        """The next piece of the body."""

    def usage(self, *, complete: bool) -> Usage:
        """What was used, as it was when this was asked first."""


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
        tap: Tap,
        break_exception: str | None,
    ) -> None:
        """`break_exception` names the exception that this operation's event stream may carry, or None."""
        self._reply = reply
        self._tap = tap
        self._settlement = settlement
        self._record = settlement.record
        self._cancellation = cancellation
        self._break_exception = break_exception
        self._ahead: list[bytes] = []
        self._received = 0
        self._ended = False
        self.headers = header_rules.to_caller(reply.headers)
        length = media_type = ""
        for name, value in self.headers:
            low = name.lower()
            if low == "content-length":
                length = value
            elif low == "content-type":
                media_type = value.partition(";")[0].strip().lower()
        self._length = int(length) if length.isdecimal() else None
        self.streamed = media_type in _STREAM_TYPES
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
            return self._ahead.pop(0)
        if self._ended:
            raise StopIteration
        try:
            piece = self._reply.read_chunk()
        except GatewayError as error:
            return self._break(error)
        if not piece and not self._tap.lost and not self._tap.at_boundary:
            return self._break(UpstreamBroke("AWS's stream ended inside a frame."))
        self._meter(piece)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Called by the server when it is done with the reply, however that came about."""
        if not self._ended:
            self._close_early(self._cancellation.reason or _why_unfinished(sys.exc_info()[1]))
        self._reply.close()

    def _close_early(self, ending: Ending) -> None:
        whole = False
        try:
            if ending in _CALLER_GONE and not self.streamed and not self._cancellation.reason:
                whole = self._read_on()
        finally:  # also when the worker stops while AWS is read
            self._end(ending, whole=whole)

    def _read_on(self) -> bool:
        """Read for the tap alone, within the reply's own deadlines. Returns whether that led to the end."""
        self._ahead.clear()
        try:
            while self._received != self._length:
                piece = self._reply.read_chunk()
                if not piece:
                    return True
                self._received += len(piece)
                self._tap.feed(piece)
        except GatewayError:
            return False
        return True

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
            self._tap.feed(piece)
        if not piece or self._received == self._length:
            self._end("complete", whole=True)

    def _end(self, ending: Ending, *, whole: bool) -> None:
        """`whole`: all of AWS's answer came, whoever was still there for it."""
        self._ended = True
        self._record.bytes_out = self._received
        if ending != "complete":
            self._reply.close()
        self._tap.usage(complete=whole)
        self._settlement.settle(ending)

    def _break(self, error: GatewayError) -> bytes:
        """AWS's answer ends here, incomplete: the caller must see that, as an exception of its SDK if possible."""
        ending = self._cancellation.reason or "upstream_broke"
        self._record.error = error.code
        self._end(ending, whole=False)
        if ending != "client_left" and self._tap.at_boundary and self._length is None and self._break_exception:
            return exception_frame(self._break_exception, error.message)
        raise ReplyCut(error.message) from error


def _why_unfinished(cause: BaseException | None) -> Ending:
    """Why the server stopped taking pieces, by the exception it is handling while it calls close()."""
    if isinstance(cause, TimeoutError):
        return "client_stalled"
    if cause is None or isinstance(cause, OSError):
        return "client_left"
    return "stopped"
