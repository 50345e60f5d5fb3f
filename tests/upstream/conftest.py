"""The process in which the client of AWS runs, and a port that it cannot reach."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.upstream.client_process import ClientProcess


@pytest.fixture(scope="session")
def process() -> Iterator[ClientProcess]:
    """Start one for all tests; each makes clients of its own in it."""
    with ClientProcess() as running:
        yield running


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port that takes no connection: its queue is full, so the handshake gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()
