"""Large bodies on their way to AWS: slow readers, readers that take nothing, and connections that close under them."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.upstream.client_process import CallFailedError, ClientProcess

MIB = 1024 * 1024
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LINGER_NOTHING = struct.pack("ii", 1, 0)  # makes close() send RST


@contextmanager
def peer(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does what no HTTP server does; its URL. Each connection is handed to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def handle(connection: socket.socket) -> None:
            with connection:
                serve(connection)

        def accept() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=handle, args=(connection,), daemon=True).start()
            except OSError:
                pass  # the test is over

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(10)


def read_head(connection: socket.socket) -> int:
    """Read a request's head, and say how much of its body came with it."""
    seen = b""
    while b"\r\n\r\n" not in seen and (data := connection.recv(4096)):
        seen += data
    return len(seen.partition(b"\r\n\r\n")[2])


def read_body(connection: socket.socket, size: int, seen: int) -> None:
    """Read what is left of a body."""
    while seen < size and (data := connection.recv(MIB)):
        seen += len(data)


def test_a_large_body_that_meets_a_reset_is_resent(process: ClientProcess) -> None:
    """AWS closed the connection while the body was on its way: it never had all of it."""
    served: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        served.append(connection)
        if len(served) > 1:
            read_body(connection, 16 * MIB, read_head(connection))
            connection.sendall(WHOLE)
            return
        read_body(connection, 2, read_head(connection))
        connection.sendall(WHOLE)
        read_head(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)

    with peer(serve) as url:
        client = process.client(url)
        client.exchange()

        assert client.exchange(body_size=16 * MIB) == b"{}"


def test_a_slow_reader_gets_a_large_body_whole(process: ClientProcess) -> None:
    """Sending has until the headers are due, not the timeout of connecting, under which urllib3 would send."""

    def serve(connection: socket.socket) -> None:
        seen = read_head(connection)
        threading.Event().wait(0.8)
        read_body(connection, 16 * MIB, seen)
        connection.sendall(WHOLE)

    with peer(serve) as url:
        assert process.client(url, connect=0.3).exchange(body_size=16 * MIB) == b"{}"


def test_a_reader_that_takes_nothing_is_given_up(process: ClientProcess) -> None:
    """When the headers are due."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        over.wait(10)

    with peer(serve) as url:
        with pytest.raises(CallFailedError, match="UpstreamSilent"):
            process.client(url, first_byte=0.5).exchange(body_size=16 * MIB)
        over.set()
