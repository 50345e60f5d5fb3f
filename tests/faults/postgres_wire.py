"""A network between a gateway and PostgreSQL that can be slow, swallow what passes, lose the answers, or be cut."""

import random
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import make_url

# `open`: all passes. `silent`: nothing does, either way, until it is opened again, as TCP sends again what was lost.
# `answers lost`: requests pass, and no connection whose answer was lost is ever heard of again. `cut`: connections
# are reset, and new ones too.
Mode = Literal["open", "silent", "answers lost", "cut"]
_PIECE_BYTES = 65536


class PostgresWire:
    """Listens on loopback for as long as its `with` lasts. `url`: the server's, by way of here."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        folder = Path(str(parsed.query["host"]))
        self._server = str(next(folder.glob(".s.PGSQL.*[0-9]")))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        self.request_delay: tuple[float, float] = (0.0, 0.0)  # seconds, between which each request waits
        self._changed = threading.Condition()
        self._mode: Mode = "open"
        self._open: set[socket.socket] = set()
        self._lossy: set[socket.socket] = set()
        self._chance = random.Random(0)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # wakes whoever accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.become("cut")

    def become(self, mode: Mode) -> None:
        with self._changed:
            self._mode = mode
            ended = self._open if mode == "cut" else self._lossy if mode == "open" else set()
            for one in list(ended):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as server:
            with self._changed:
                self._changed.wait_for(lambda: self._mode != "silent")
                if self._mode == "cut":
                    return
                self._open |= {caller, server}
            try:
                server.connect(self._server)
                answers = threading.Thread(target=self._pump, args=(server, caller, False), daemon=True)
                answers.start()
                self._pump(caller, server, True)
                answers.join()
            except OSError:
                pass  # the server is not there: neither is the connection any longer
            finally:
                with self._changed:
                    self._open -= {caller, server}
                    self._lossy -= {caller, server}

    def _pump(self, source: socket.socket, target: socket.socket, requests: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                if self._passes(source, target, requests):
                    target.sendall(piece)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _passes(self, source: socket.socket, target: socket.socket, requests: bool) -> bool:
        with self._changed:
            if requests and any(self.request_delay):
                self._changed.wait(self._chance.uniform(*self.request_delay))
            self._changed.wait_for(lambda: self._mode != "silent")
            if not requests and self._mode == "answers lost":
                self._lossy |= {source, target}
            return requests or target not in self._lossy
