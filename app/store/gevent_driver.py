"""psycopg2 under gevent: a query waits without holding up the worker's other calls, and not for ever.

A server that froze, or a network that swallows packets, says nothing at all, and each query that waits for it holds one
of the worker's few connections.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from psycogreen.gevent import gevent_wait_callback
from psycopg2 import OperationalError, extensions

# over what a server that lives allows a statement (database.py)
_LONGEST_SILENCE_SECONDS = 12.0
_silence_seconds = ContextVar("_silence_seconds", default=_LONGEST_SILENCE_SECONDS)


def patch() -> None:
    """For the whole process."""
    extensions.set_wait_callback(_wait)


@contextmanager
def silence_of(seconds: float) -> Iterator[None]:
    """Within, a server that says nothing for so long is given up. Without effect unless patched."""
    token = _silence_seconds.set(seconds)
    try:
        yield
    finally:
        _silence_seconds.reset(token)


def _wait(connection: Any) -> None:
    seconds = _silence_seconds.get()
    try:
        gevent_wait_callback(connection, timeout=seconds)
    except TimeoutError:
        raise OperationalError(f"the server said nothing for {seconds:g} s") from None
