"""gunicorn's stop and gevent's writing, timed by a clock that nobody sets.

Both count what is left by the wall clock. One that is set forward by an hour would cut every call of a stop, and every
caller who takes a piece more slowly than it is sent; one that is set back would let either last an hour longer.
"""

from time import monotonic, sleep
from typing import Any

from gevent import _socketcommon
from gunicorn import arbiter
from gunicorn.workers import ggevent


class _Steady:
    """The module `time`, as far as those three use it."""

    time = staticmethod(monotonic)
    monotonic = staticmethod(monotonic)
    sleep = staticmethod(sleep)


def use() -> None:
    """In the process that forks the workers, after gevent has patched `time`."""
    users: tuple[Any, ...] = (_socketcommon, arbiter, ggevent)
    for module in users:
        module.time = _Steady
