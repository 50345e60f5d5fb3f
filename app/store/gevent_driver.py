"""psycopg2 under gevent: a query waits without holding up the worker's other calls, and not for ever.

A server that froze, or a network that swallows packets, says nothing at all, and each query that waits for it holds one
of the worker's few connections.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gevent.socket import wait_read, wait_write
from psycopg2 import OperationalError, extensions

# over what a server that lives allows a statement (database.py)
_LONGEST_SILENCE_SECONDS = 12.0
_silence_seconds = ContextVar("_silence_seconds", default=_LONGEST_SILENCE_SECONDS)
_heard = ContextVar[Callable[[], None] | None]("_heard", default=None)


def patch() -> None:
    """For the whole process."""
    extensions.set_wait_callback(_wait)


@contextmanager
def silence_of(seconds: float, heard: Callable[[], None] | None = None) -> Iterator[None]:
    """Within, a server that says nothing for so long is given up. Without effect unless patched.

    `heard` is called each time that it has answered.
    """
    token, told = _silence_seconds.set(seconds), _heard.set(heard)
    try:
        yield
    finally:
        _silence_seconds.reset(token)
        _heard.reset(told)


def _wait(connection: Any) -> None:
    seconds = _silence_seconds.get()
    try:
        _until_answered(connection, seconds)
    except TimeoutError:
        # where it was this worker that was held up, the answer is there by now
        if connection.poll() != extensions.POLL_OK:
            raise OperationalError(f"the server said nothing for {seconds:g} s") from None
    heard = _heard.get()
    if heard:
        heard()


def _until_answered(connection: Any, seconds: float) -> None:
    """What psycopg2 asks of a wait callback: https://www.psycopg.org/docs/advanced.html (coroutine libraries).

    Raises TimeoutError.
    """
    while (state := connection.poll()) != extensions.POLL_OK:
        if state == extensions.POLL_READ:
            wait_read(connection.fileno(), timeout=seconds)
        elif state == extensions.POLL_WRITE:
            wait_write(connection.fileno(), timeout=seconds)
        else:
            raise OperationalError(f"psycopg2 is in no state that is known: {state!r}")
