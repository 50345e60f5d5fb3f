"""The caller's body, read when it is wanted and not before, within bounds: one body, all bodies together, and time."""

from dataclasses import dataclass
from time import monotonic, thread_time
from typing import Any

from gevent import Timeout, get_hub, getcurrent, sleep
from gunicorn.http.errors import NoMoreData, ParseException

from app.core.errors import BodyTooLarge, BodyTooSlow, ClientLeft, MalformedRequest, WorkerFull
from app.web.patience import PATIENCE

_PIECE_BYTES = 64 * 1024
# A body no longer than this is read at once. Of a longer one this is the shortest piece: whether it comes fast enough
# is seen when a piece has come, or is due.
_SHORTEST_PIECE_BYTES = 16 * 1024
# gunicorn takes chunks apart in python, and one-byte chunks cost it 10 us each: 64 KiB of them would hold up every
# other call for most of a second. So chunked bodies are read in steps that take about as long as this, growing while
# they are quick, and others have their turn in between.
_STEP_SECONDS = 0.01
_SHORTEST_STEP_BYTES = 1024
# What is left of a refused call's body is taken off the wire so that the caller, still sending, can read the answer.
# A caller that sends more, or for longer, sees its connection closed instead.
_DISCARD_BYTES = 64 * 1024 * 1024
_DISCARD_SECONDS = 5.0
_RETRY_AFTER_SECONDS = 1


class BodyBudget:
    """Bytes of request bodies that this worker holds, and may hold."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.held = 0

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises WorkerFull."""
        if self.held + size > self._total:
            raise WorkerFull(
                "This worker holds as many request bodies as OUTCROP_BUFFER_BYTES allows: try again.",
                retry_after=_RETRY_AFTER_SECONDS,
            )
        self.held += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes no longer."""
        self.held -= size


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a body must come: after `grace_seconds` as many bytes a second on average, and whole in `whole_seconds`.

    Apache's mod_reqtimeout asks for 500 bytes a second after 20 s, Node's server for the whole request within 300 s.
    """

    grace_seconds: float = 10.0
    bytes_per_second: float = 1024.0
    whole_seconds: float = 300.0

    def due(self, size: int) -> float:
        """Seconds after its beginning by which so much of a body must be here."""
        return min(self.grace_seconds + size / self.bytes_per_second, self.whole_seconds)


_USUAL_PACE = Pace()


class _Due(BaseException):
    """Thrown into a read that takes too long. No Exception: the reader must not take it for one of its own."""


class RequestBody:
    """One call's body, still on the wire."""

    def __init__(self, environ: dict[str, Any], max_bytes: int, budget: BodyBudget, pace: Pace = _USUAL_PACE) -> None:
        """`environ`: WSGI's, as gunicorn makes it; `max_bytes`: of this body; `budget`: of all bodies."""
        self._input = environ["wsgi.input"]
        self._max_bytes = max_bytes
        self._budget = budget
        self._pace = pace
        self._began = 0.0
        self._taken = 0
        self._content = bytearray()
        self._broken = False
        self._step_bytes = _SHORTEST_STEP_BYTES
        self._chunked = "HTTP_TRANSFER_ENCODING" in environ
        self._left = 0 if self._chunked else int(environ.get("CONTENT_LENGTH") or 0)

    def read(self) -> bytes | bytearray:
        """All of it, once. Raises MalformedRequest, BodyTooLarge, BodyTooSlow, WorkerFull or ClientLeft."""
        self._began = monotonic()
        if self._chunked:
            return self._read_chunked()
        if self._left > self._max_bytes:
            raise self._too_large()
        if self._left <= _SHORTEST_PIECE_BYTES:
            return self._piece(self._left) if self._left else b""
        # it grows as it comes: a length that is announced and never sent must not count
        size = _SHORTEST_PIECE_BYTES
        while self._left:
            self._content += self._piece(min(self._left, size))
            size = min(size * 2, _PIECE_BYTES)
        return self._content

    def release(self) -> None:
        """Count its memory no longer. Idempotent."""
        self._budget.give_back(self._taken)
        self._taken = 0
        self._content = bytearray()

    def discard(self) -> bool:
        """Take what is left off the wire, within bounds; False if the connection must be closed."""
        if self._broken:
            return False
        if not self._chunked and not self._left:
            return True
        if not PATIENCE.take():
            return False
        read_up = False
        try:
            with Timeout(_DISCARD_SECONDS, False):  # noqa: FBT003  # gevent's way to say: end the block, raise nothing
                # chunks of a refused call are not taken apart: that is work, and anybody could ask for it
                read_up = not self._input.read(1) if self._chunked else self._discard()
        except (OSError, ParseException):
            pass  # the rest cannot be told from the next request
        finally:
            PATIENCE.give_back()
        return read_up

    def _discard(self) -> bool:
        size = 0
        while self._left and size <= _DISCARD_BYTES:
            piece = self._input.read(min(self._left, _PIECE_BYTES))
            if not piece:
                break
            self._left -= len(piece)
            size += len(piece)
            sleep(0)
        return not self._left

    def _read_chunked(self) -> bytearray:
        while piece := self._read_some(None):
            if len(self._content) + len(piece) > self._max_bytes:
                raise self._too_large()
            self._take(len(piece))
            self._content += piece
        self._chunked = False
        return self._content

    def _step(self) -> bytes:
        """The next piece of a chunked body, and then everybody else's turn."""
        before = thread_time()
        piece: bytes = self._input.read(self._step_bytes)
        took = thread_time() - before
        shorter, longer = max(_SHORTEST_STEP_BYTES, self._step_bytes // 4), min(self._step_bytes * 2, _PIECE_BYTES)
        self._step_bytes = shorter if took > _STEP_SECONDS else longer
        # as long as it took, so that all others together have as much of the worker as this one
        sleep(min(took, _STEP_SECONDS * 10) if took > _STEP_SECONDS / 10 else 0)
        return piece

    def _piece(self, size: int) -> bytes:
        piece = self._read_some(size)
        self._take(len(piece))
        if len(piece) < size:
            self._broken = True
            raise MalformedRequest("The body is shorter than its Content-Length: the connection ended before it did.")
        self._left -= size
        return piece

    def _read_some(self, size: int | None) -> bytes:
        """So many bytes, fewer only at the end; with None, a step of a chunked body."""
        due = self._began + self._pace.due(self._taken + (self._step_bytes if size is None else size))
        # what gevent's Timeout does, at a fifth of its price: this is on every call's way
        timer = get_hub().loop.timer(max(due - monotonic(), 0))
        timer.start(getcurrent().throw, _Due)
        try:
            piece: bytes = self._step() if size is None else self._input.read(size)
        except _Due:
            self._broken = True
            raise self._too_slow() from None
        except TimeoutError as error:
            self._broken = True
            raise BodyTooSlow("The body stopped coming for OUTCROP_WRITE_TIMEOUT: send it again.") from error
        except (ParseException, NoMoreData) as error:
            self._broken = True
            raise MalformedRequest("The chunked body is malformed or ends before its last chunk.") from error
        except OSError as error:
            self._broken = True
            raise ClientLeft("The caller closed its connection while sending its body.") from error
        finally:
            timer.stop()
            timer.close()
        return piece

    def _take(self, size: int) -> None:
        self._budget.take(size)
        self._taken += size

    def _too_slow(self) -> BodyTooSlow:
        pace = self._pace
        return BodyTooSlow(
            f"The body comes too slowly: after {pace.grace_seconds:g} s at least {pace.bytes_per_second:g} bytes a "
            f"second must come on average, and all of it within {pace.whole_seconds:g} s (OUTCROP_BODY_TIMEOUT)."
        )

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body is larger than {self._max_bytes} bytes (OUTCROP_MAX_BODY_BYTES): send less, or refer to S3."
        )
