"""Run on a Clock: a write that goes out in many pieces, while whoever reads it sets the clock by an hour.

The product's pieces mostly go out at once, into what the kernel keeps for a reader; on small buffers they do not.
"""

import os
import socket
import struct
from pathlib import Path

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402  # patched before anything else is imported

from app.web import steady_clock  # noqa: E402  # the same

SIZE = 1024 * 1024


def read(end: socket.socket, step: float) -> int:
    """How many bytes came; the clock is set after the first."""
    came = len(end.recv(4096))
    with Path(os.environ["FAULT_CLOCK"]).open("r+b") as file:
        file.write(struct.pack("d", step))
    while came < SIZE and (piece := end.recv(65536)):
        came += len(piece)
    return came


def write() -> None:
    """Raises TimeoutError where 20 seconds are taken to be over."""
    steady_clock.use()
    writing, reading = socket.socketpair()
    with writing, reading:
        writing.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        writing.settimeout(20)
        reader = gevent.spawn(read, reading, 3600.0)
        writing.sendall(bytes(SIZE))
        assert reader.get(timeout=20) == SIZE


if __name__ == "__main__":
    write()
