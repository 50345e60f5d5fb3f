"""gunicorn's gevent worker, which also ends in time: idle connections do not hold up a stop.

A stop waits for every connection to end, and a kept-alive one that nobody uses ends when its keep-alive does: each
deploy would last the whole grace, and on a PaaS whose router keeps connections open, always. So on a stop the
connections that wait for a request are closed. Calls under way are not touched.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from gevent import Timeout, getcurrent
from gunicorn.workers.ggevent import GeventWorker

# A request's first bytes and its last may come a moment apart: a connection that has waited less may be in between.
_IDLE_SECONDS = 0.5


class DrainingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Knows which of its connections wait for a request, and since when."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sockets: dict[Any, Any] = {}
        self._waiting: dict[Any, float] = {}

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves one connection, in a greenlet of its own."""
        self._sockets[getcurrent()] = client
        try:
            super().handle(listener, client, addr)
        finally:
            del self._sockets[getcurrent()]

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """What gunicorn does around its wait for the next request on a connection."""
        greenlet = getcurrent()
        self._waiting[greenlet] = monotonic()
        try:
            with Timeout(self.cfg.keepalive, False):  # noqa: FBT003  # gevent's way to say: end the block, raise nothing
                yield
        finally:
            del self._waiting[greenlet]

    def notify(self) -> None:
        """The heartbeat, once a second, also while the worker drains."""
        super().notify()
        if not self.alive:
            self._close_idle()

    def _close_idle(self) -> None:
        for greenlet, since in list(self._waiting.items()):
            if monotonic() - since >= _IDLE_SECONDS:
                try:
                    self._sockets[greenlet].shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # it is closed already
