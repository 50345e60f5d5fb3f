"""gunicorn's writing of answers, in one packet where one is enough.

gunicorn sends an answer's head, and then its first piece: two packets, each of which wakes whoever waits for them. Here
they leave together. Each send first asks the kernel how large its buffer is (gevent's sendall), which a piece that fits
at once has no use for. And the date is written anew for each answer, though it changes once a second.
"""

from functools import lru_cache
from time import time

from gunicorn.http import wsgi
from gunicorn.util import http_date

_LAST_CHUNK = b"0\r\n\r\n"


class ServerResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn ships no types
    """One answer on its way to the caller."""

    headers_sent: bool
    _head = b""

    def send_headers(self) -> None:
        """Make the head; the next send takes it along."""
        if self.headers_sent:
            return
        major, minor = self.req.version
        connection = "upgrade" if self.upgrade else "close" if self.should_close() else "keep-alive"
        lines = [
            f"HTTP/{major}.{minor} {self.status}\r\nServer: {self.version}\r\nDate: {_date(int(time()))}\r\n"
            f"Connection: {connection}\r\n"
        ]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        lines += [f"{name}: {value}\r\n" for name, value in self.headers]
        self._head = ("".join(lines) + "\r\n").encode("latin-1")
        self.headers_sent = True

    def write(self, arg: bytes) -> None:
        """The next piece; an empty one sends the head alone."""
        super().write(arg)
        self._send(b"")

    def close(self) -> None:
        """The end, as the framing has it."""
        self.send_headers()
        self._send(_LAST_CHUNK if self.chunked else b"")

    def _emit_body(self, data: bytes) -> None:
        self._send(b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def _send(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        if data:
            sent = self.sock.send(data)
            if sent < len(data):
                self.sock.sendall(memoryview(data)[sent:])


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """RFC 9110, section 5.6.7."""
    date: str = http_date(second)
    return date
