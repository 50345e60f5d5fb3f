"""The caller's end of the connection: noticed when it leaves, given up when it stalls.

gunicorn tells an application neither: a caller that hangs up while AWS is silent is noticed at the next write, which
may be minutes away, and a caller that stops reading holds its slot and its connection to AWS for ever.
"""

import os
import select
import socket
import struct
from typing import Any

from gevent import Timeout, get_hub
from gevent.monkey import get_original

from app.core.messages import Cancellation
from app.web.patience import PATIENCE

# How much of what a caller still sends is read after its answer, and how long.
_LINGER_BYTES = 64 * 1024 * 1024
_LINGER_SECONDS = 2.0
_LINGER_NOTHING = struct.pack("ii", 1, 0)
# A caller who sent something that is not read yet is looked after this often.
_LOOK_SECONDS = 1.0
# gevent's own would wait where these answer at once: the hub itself must never wait
_plain_socket = get_original("socket", "socket")
_plain_poll = get_original("select", "poll")
# Linux tells of a peer's end also behind bytes that were not read. Elsewhere only a reset shows.
_ENDED = getattr(select, "POLLRDHUP", 0)


def read_to_the_end(sock: Any) -> None:
    """Close our side and read until the other closes its own, within bounds.

    A close with bytes unread makes a reset of it, and a reset takes back what was sent and not read yet.
    """
    if not PATIENCE.take():
        return
    try:
        with Timeout(_LINGER_SECONDS, False):  # noqa: FBT003  # gevent's way to say: end the block, raise nothing
            sock.shutdown(socket.SHUT_WR)
            left = _LINGER_BYTES
            while left > 0 and (data := sock.recv(65536)):
                left -= len(data)
    except OSError:
        pass  # it is closed already
    finally:
        PATIENCE.give_back()


def end_reading(sock: Any) -> None:
    """Let whoever waits for bytes on `sock` read its end. Below gevent, whose own shutdown raises in the waiter."""
    try:
        with _plain_socket(fileno=os.dup(sock.fileno())) as same:
            same.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # it is closed already


def is_silent(sock: Any) -> bool:
    """Whether nothing stands in `sock` to be read: neither bytes nor the other side's end."""
    try:
        with _plain_socket(fileno=os.dup(sock.fileno())) as same:
            same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        pass  # it is broken, or closed already
    return False


class ClientConnection:
    """The socket under one call. Without one (a test client, another server) it notices nothing."""

    def __init__(self, sock: Any, stall_seconds: float) -> None:
        """`sock`: gunicorn's, or None; `stall_seconds`: how long one read or write may make no progress."""
        self._socket = sock
        self._watcher: Any = None
        if sock is not None:
            sock.settimeout(stall_seconds)

    def watch(self, cancellation: Cancellation) -> None:
        """From now on a caller that leaves cancels with `client_left`, also while nothing is sent to it."""
        if self._socket is not None and self._watcher is None:
            self._watcher = get_hub().loop.io(self._socket.fileno(), 1)
            self._watcher.start(self._readable, cancellation)

    def unwatch(self) -> None:
        """Stop watching. Idempotent."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def linger(self) -> None:
        """Tell the caller that nothing more comes, and read on a little, so that it gets to read what came."""
        if self._socket is not None:
            read_to_the_end(self._socket)

    def release(self) -> None:
        """Leave the socket as it was found, for the next request on it."""
        self.unwatch()
        if self._socket is not None and self._socket.fileno() >= 0:
            self._socket.settimeout(None)

    def break_off(self) -> None:
        """Close by a reset: for HTTP/1.0, where the end of the connection is the end of the answer."""
        if self._socket is not None and self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)

    def _readable(self, cancellation: Cancellation) -> None:
        """Runs in the hub: bytes are the caller's next request, none are its end. Below TLS the same holds."""
        self.unwatch()
        with _plain_socket(fileno=os.dup(self._socket.fileno())) as same:
            try:
                left = not same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                left = False
            except OSError:
                left = True
        if left:
            cancellation.cancel("client_left")
            return
        # bytes, which stay there until the call has ended: its end behind them must be looked for
        self._watcher = get_hub().loop.timer(_LOOK_SECONDS, _LOOK_SECONDS)
        self._watcher.start(self._look, cancellation)

    def _look(self, cancellation: Cancellation) -> None:
        """Runs in the hub, again and again."""
        poll = _plain_poll()
        poll.register(self._socket.fileno(), _ENDED)
        if poll.poll(0):
            self.unwatch()
            cancellation.cancel("client_left")
