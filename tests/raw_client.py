"""An HTTP/1.1 client that shows what no library shows: the raw reply, and whether its end was clean, cut or a reset.

It can send in pieces, read by halves, close one direction, and reset. Timeouts raise TimeoutError.
"""

import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

Ended = Literal["clean", "cut", "reset"]
LINGER_NOTHING = struct.pack("ii", 1, 0)  # makes close() send RST


@dataclass(frozen=True)
class RawReply:
    """A reply as far as it came; status 0 means that not even a head did."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes  # without its chunked framing
    chunks: tuple[bytes, ...]  # whole chunks only; empty with another framing
    raw: bytes  # the reply's own bytes, interim replies included
    ended: Ended

    def header(self, name: str) -> str | None:
        values = [value for header, value in self.headers if header.lower() == name.lower()]
        return ", ".join(values) if values else None


class _EndedEarly(Exception):
    """The connection ended before the framing did."""


class RawConnection:
    """A connection to loopback that does nothing by itself; timeout is the bound of each whole call."""

    def __init__(self, port: int, timeout: float = 10, receive_buffer: int | None = None) -> None:
        """A small receive_buffer makes a peer feel at once that nobody reads."""
        self.timeout = timeout
        self.how_ended: Ended | None = None  # set once the peer's end has been seen
        self._unread = b""
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self.timeout)
        self._socket.sendall(data)

    def send_pieces(self, pieces: Iterable[bytes], pause: float = 0) -> None:
        """Send each piece in its own write, with a pause after each."""
        for piece in pieces:
            self.send(piece)
            time.sleep(pause)

    def read_some(self, limit: int = 65536) -> bytes:
        """Return what there is, waiting for the first byte; empty at the peer's end (see how_ended)."""
        if not self._unread:
            self._fill(self._deadline())
        some, self._unread = self._unread[:limit], self._unread[limit:]
        return some

    def read_until(self, mark: bytes) -> bytes:
        """Return everything up to and including the mark; raise ConnectionError if the peer ends before it."""
        deadline = self._deadline()
        taken = self._take_until(mark, deadline)
        if not taken.endswith(mark):
            raise ConnectionError(f"{self.how_ended} before {mark!r}: {taken!r}")
        return taken

    def read_reply(self, method: str = "POST") -> RawReply:
        """Read one whole reply; the connection may then carry another exchange if it ended clean."""
        return _ReplyReader(self, method, self._deadline()).read()

    def wait_ended(self) -> Ended:
        """Read and drop everything until the peer ends the connection; say whether by FIN (cut) or RST."""
        deadline = self._deadline()
        while self._fill(deadline):
            self._unread = b""
        assert self.how_ended is not None
        return self.how_ended

    def close_sending(self) -> None:
        """FIN, while still reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    def _deadline(self) -> float:
        return time.monotonic() + self.timeout

    def _fill(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not within {self.timeout} s; unread so far: {self._unread[-200:]!r}")
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            self.how_ended = "reset"
            return False
        if not data:
            self.how_ended = "cut"
        self._unread += data
        return bool(data)

    def _take(self, size: int, deadline: float) -> bytes:
        """Return so many bytes, or fewer if the peer ends before."""
        parts, missing = [], size
        while missing and (self._unread or self._fill(deadline)):
            parts.append(self._unread[:missing])
            self._unread = self._unread[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _take_until(self, mark: bytes, deadline: float) -> bytes:
        """Return everything up to and including the mark, or all there is if the peer ends before it."""
        while mark not in self._unread and self._fill(deadline):
            pass
        end = self._unread.find(mark)
        return self._take(len(self._unread) if end < 0 else end + len(mark), deadline)


class _ReplyReader:
    """Reads one reply by its framing and keeps what came before a break."""

    def __init__(self, connection: RawConnection, method: str, deadline: float) -> None:
        self._connection, self._method, self._deadline = connection, method, deadline
        self._raw = bytearray()
        self._body = bytearray()
        self._chunks: list[bytes] = []
        self._status, self._reason = 0, ""
        self._headers: tuple[tuple[str, str], ...] = ()

    def read(self) -> RawReply:
        ended: Ended = "clean"
        try:
            self._read_head()
            while 100 <= self._status < 200:
                self._read_head()
            self._read_body()
        except _EndedEarly:
            ended = self._connection.how_ended or "cut"
        return RawReply(
            self._status,
            self._reason,
            self._headers,
            bytes(self._body),
            tuple(self._chunks),
            bytes(self._raw),
            ended,
        )

    def _read_head(self) -> None:
        first = self._line()
        _, status, self._reason = [*first.split(" ", 2), ""][:3]
        headers = []
        while line := self._line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
        self._status, self._headers = int(status), tuple(headers)

    def _read_body(self) -> None:
        framing = {name.lower(): value for name, value in self._headers}
        if self._method == "HEAD" or self._status in (204, 304):
            return
        if framing.get("transfer-encoding", "").lower() == "chunked":
            self._read_chunks()
        elif "content-length" in framing:
            self._read_into_body(int(framing["content-length"]))
        else:
            self._read_to_the_end()

    def _read_chunks(self) -> None:
        while size := int(self._line().partition(";")[0], 16):
            self._chunks.append(self._read_into_body(size))
            if self._line():
                raise ValueError(f"a chunk of {size} bytes does not end there: {bytes(self._raw[-200:])!r}")
        while self._line():
            pass  # trailers

    def _read_to_the_end(self) -> None:
        while data := self._connection.read_some():
            self._raw += data
            self._body += data
        if self._connection.how_ended == "reset":
            raise _EndedEarly

    def _read_into_body(self, size: int) -> bytes:
        data = self._connection._take(size, self._deadline)
        self._raw += data
        self._body += data
        if len(data) < size:
            raise _EndedEarly
        return data

    def _line(self) -> str:
        line = self._connection._take_until(b"\r\n", self._deadline)
        self._raw += line
        if not line.endswith(b"\r\n"):
            raise _EndedEarly
        return line[:-2].decode("latin-1")


def exchange(port: int, request: bytes, timeout: float = 10) -> RawReply:
    """Send these bytes on a new connection, read one reply, and leave."""
    with RawConnection(port, timeout) as connection:
        try:
            connection.send(request)
        except ConnectionError:
            pass  # the peer may have answered without reading everything
        return connection.read_reply(request.partition(b" ")[0].decode("latin-1"))


def raw_request(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", host: str = "127.0.0.1"
) -> bytes:
    """Return a request's bytes: Host, the headers as given, and a Content-Length where a body has no other framing."""
    lines = [("Host", host), *headers]
    names = {name.lower() for name, _ in lines}
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
