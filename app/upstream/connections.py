"""Connections to AWS: kept alive, read as bytes come, and able to be hung up on from another greenlet.

urllib3 has the pools, connects and speaks TLS. It and http.client leave three things to whoever needs them:

- A connection that AWS closed while it lay idle fails on its next use, before AWS has read anything. Only the
  connection knows that it is such a case, so it says so: `Line.is_stale`.
- Whoever waits on a socket is woken by shutting it down, also under TLS, where only the raw descriptor will do.
- TLS hands out one record a read, however many have come.
"""

import os
import select
import socket
import ssl
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from gevent.monkey import get_original, is_module_patched
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# One read takes at most this much: large answers move in few steps, and a slow reader holds no more than this.
_READ_BYTES = 64 * 1024
# A body up to this long is copied behind its head, so that both leave in one packet or record.
_COPIED_BYTES = 64 * 1024
# A request that breaks later than this after it was sent may have been read: it is not sent again.
_STALE_SECONDS = 1.0
# gevent's own makes three watchers to look once; this one is never waited on
_poll = get_original("select", "poll")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect; from there to an answer's headers; of silence after them; and for a whole call."""

    connect: float
    first_byte: float
    silence: float
    total: float


class Line:
    """One call's hold on its connection, by which it is read, and can be hung up on.

    `sent`: some of the request may have left. `waiting_since`: when the read began that waits for AWS, by the
    monotonic clock; None while none does.
    """

    __slots__ = ("_answered", "_connection", "_hung_up", "_pool", "_sent_at", "sent", "waiting_since")

    def __init__(self) -> None:
        self.sent = self._answered = self._hung_up = False
        self._sent_at = 0.0
        self.waiting_since: float | None = None
        self._connection: _Kept | None = None
        self._pool: Pool | None = None

    def take(self, pool: "Pool") -> "_Kept":
        """One of the pool's connections, which is this call's from now on."""
        self._pool = pool
        self._connection = connection = pool.take()
        return connection

    def send(self, head: bytes, body: bytes | bytearray) -> None:
        """On a connection that stands. Raises OSError."""
        if self._hung_up:
            self.hang_up()  # now that there is what to hang up on: nothing leaves
        else:
            self.sent = True
        if self._connection is not None:
            self._connection.put(head, body)
        self._sent_at = monotonic()

    def receive(self) -> bytes:
        """What has come; b"" at the end of the connection. Raises OSError."""
        if self._connection is None:
            raise ConnectionAbortedError
        self.waiting_since = monotonic()
        data = self._connection.receive()
        self.waiting_since = None
        self._answered = self._answered or bool(data)
        return data

    def is_stale(self) -> bool:
        """It has served before, not a byte of an answer came, and that became known at once."""
        connection = self._connection
        served = connection is not None and connection.idle_since is not None
        return served and not self._answered and monotonic() - self._sent_at < _STALE_SECONDS

    def give_back(self) -> None:
        """The connection may be the next call's."""
        if self._connection is not None and self._pool is not None:
            self._pool.give_back(self._connection)
        self._connection = None

    def close(self) -> None:
        """The connection is nobody's. Idempotent."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def hang_up(self) -> None:
        """Wake whoever waits on the connection: it reads the end. Safe at any time, from any greenlet."""
        self._hung_up = True
        if self._connection is not None:
            _shut_down(self._connection.sock)


class _Kept(HTTPConnection):
    """A connection that is kept alive."""

    idle_since: float | None = None  # when the last answer ended, by the monotonic clock; None where there was none yet
    broken_off = False  # not all of a request left
    _poller: Any

    def open(self, timeouts: Timeouts) -> None:
        """Raises urllib3's HTTPError or OSError."""
        self.timeout = timeouts.connect
        self.connect()
        # whoever waits is woken by being hung up on, but in commands, where nothing is patched and nobody else runs
        self.sock.settimeout(None if is_module_patched("socket") else timeouts.first_byte)
        self.idle_since = None
        self.broken_off = False
        self._poller = _poll()
        self._poller.register(self.sock.fileno(), select.POLLIN)

    def put(self, head: bytes, body: bytes | bytearray) -> None:
        """Send a request. Raises OSError."""
        try:
            if len(body) <= _COPIED_BYTES:
                self._send(head + body)
            else:
                self._send(head)
                self.sock.sendall(body)
        except (BrokenPipeError, ConnectionResetError):
            # AWS may have answered before it had all of the body
            self.broken_off = True

    def _send(self, data: bytes) -> None:
        """All of it; most goes at once, before which gevent's sendall would ask for the size of the kernel's buffer."""
        sent = self.sock.send(data)
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])

    def receive(self) -> bytes:
        """What has come, or will come first. Raises OSError."""
        data: bytes = self.sock.recv(_READ_BYTES)
        return data

    @property
    def is_connected(self) -> bool:
        """Whether it is open, with nothing to read: asked by the pool before a connection is used again."""
        return self.sock is not None and not self._poller.poll(0)


class _KeptTls(_Kept, HTTPSConnection):
    """The same over TLS, which is read record by record: AWS sends each event in one of its own."""

    _ending: OSError | bytes | None = None  # what the next read meets, and every one after it

    def open(self, timeouts: Timeouts) -> None:
        self._ending = None
        super().open(timeouts)
        # otherwise a connection that was cut, by whomever, looks like one that AWS closed
        cast(Any, self.sock).suppress_ragged_eofs = False

    def receive(self) -> bytes:
        if isinstance(self._ending, OSError):
            raise self._ending
        data = super().receive() if self._ending is None else self._ending
        if data and len(data) < _READ_BYTES and self._poller.poll(0):
            data += self._receive_more(_READ_BYTES - len(data))
        return data

    @property
    def is_connected(self) -> bool:
        return super().is_connected and not cast(ssl.SSLSocket, self.sock).pending()

    def _receive_more(self, most: int) -> bytes:
        """What else has come, without waiting."""
        pieces = []
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0.0)
        try:
            while most > 0 and self._ending is None:
                piece = self.sock.recv(most)
                pieces.append(piece)
                most -= len(piece)
                if not piece:
                    self._ending = b""
        except (ssl.SSLWantReadError, BlockingIOError):
            pass  # that was all
        except OSError as error:
            self._ending = error
        finally:
            self.sock.settimeout(timeout)
        return b"".join(pieces)


class Pool(HTTPConnectionPool):
    """One host's connections."""

    ConnectionCls = _Kept

    def take(self) -> _Kept:
        connection = self._get_conn()
        assert isinstance(connection, _Kept)  # noqa: S101  # ConnectionCls says so; this tells mypy
        return connection

    def give_back(self, connection: _Kept) -> None:
        """To be taken again, the last one first."""
        if connection.broken_off:
            connection.close()
        else:
            connection.idle_since = monotonic()
            self._put_conn(connection)

    def close_idle(self, since: float) -> None:
        """Close the connections that wait for use since then or longer; they open again when they are taken."""
        for connection in list(self.pool.queue if self.pool else ()):
            if connection is not None and (connection.idle_since or 0.0) <= since:
                connection.close()


class TlsPool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _KeptTls


def _shut_down(wire: socket.socket | None) -> None:
    """Shut a socket down below TLS and below gevent: their own shutdown changes state under whoever reads."""
    descriptor = wire.fileno() if wire is not None else -1
    if descriptor < 0:
        return
    with socket.socket(fileno=os.dup(descriptor)) as same:
        try:
            same.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already
