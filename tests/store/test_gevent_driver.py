"""A query is not waited for for ever."""

import socket
import time

import pytest
from psycopg2 import OperationalError, extensions

from app.store import gevent_driver


class SilentConnection:
    """To a server that took the query and says nothing."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    def poll(self) -> int:
        return int(extensions.POLL_READ)

    def fileno(self) -> int:
        return self._ours.fileno()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def test_a_server_that_says_nothing_is_given_up() -> None:
    """In the words of the driver, so that its connection is thrown away as after any other break."""
    connection = SilentConnection()
    began = time.monotonic()
    with gevent_driver.silence_of(0.05), pytest.raises(OperationalError, match=r"nothing for 0\.05 s"):
        gevent_driver._wait(connection)
    connection.close()

    assert 0.05 <= time.monotonic() - began < 5


def test_the_shorter_patience_ends_with_its_block() -> None:
    before = gevent_driver._silence_seconds.get()
    with gevent_driver.silence_of(3):
        assert gevent_driver._silence_seconds.get() == 3

    assert gevent_driver._silence_seconds.get() == before
