"""An answer as it comes off its connection: its head at once, its body piece by piece.

In place of http.client's and urllib3's, which read one chunk at a time, a line and a copy each. Here one read takes
all that has come, and hands it out as one piece: the busier the worker, the more events a piece holds.
"""

from typing import Protocol

from app.upstream.answer_head import MalformedAnswer, read_head


class Wire(Protocol):
    """The connection that an answer comes on, as long as it is this answer's."""

    def receive(self) -> bytes:
        """What has come, at least one byte, b"" at the connection's end. Raises OSError."""

    def give_back(self) -> None:
        """The next call may have it."""

    def close(self) -> None:
        """Nobody may."""


class Answer:
    """Status, reason and headers are there when it is made."""

    def __init__(self, wire: Wire, method: str) -> None:
        """Wait for the head of the answer to a request of this method. Raises MalformedAnswer or OSError."""
        data = b""
        while (head := read_head(data, method)) is None:
            more = wire.receive()
            if not more:
                raise MalformedAnswer("the connection ended within its head")
            data += more
        self.status = head.status
        self.reason = head.reason
        self.headers = head.headers
        self._body = head.body
        self._keeps = head.keeps
        self._wire: Wire | None = wire
        rest = data[head.size :]
        self._ready = head.body.feed(rest) if rest else b""
        self._let_go_if_done()

    def read(self) -> bytes:
        """The next piece of the body, b"" at its end, also again. Raises MalformedAnswer or OSError."""
        piece, self._ready = self._ready, b""
        while not piece and self._wire:
            if self._body.broken:
                raise MalformedAnswer("it ended before its end, or went on malformed")
            data = self._wire.receive()
            if data:
                piece = self._body.feed(data)
            else:
                self._body.end()
            self._let_go_if_done()
        return piece

    def close(self) -> None:
        """Give up what is left of it, and its connection. Idempotent."""
        if self._wire:
            self._wire.close()
            self._wire = None

    def _let_go_if_done(self) -> None:
        """With the last byte: whoever knows that it is the last need not read again."""
        if self._wire and self._body.done:
            if self._keeps and not self._body.surplus:
                self._wire.give_back()
            else:
                self._wire.close()
            self._wire = None
