"""Under TLS, which is read record by record: what has come together moves together, and each end is what it is."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.upstream.client_process import CallFailedError, ClientProcess, RemoteCall

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = HEAD + b"Content-Length: 99\r\n\r\n"
WHOLE = HEAD + b"Content-Length: 0\r\n\r\n"
EVENT = b"5\r\nevent\r\n"
LINGER_NOTHING = struct.pack("ii", 1, 0)  # makes close() send RST
SECONDS = 10


class TlsPeer:
    """Takes one connection, and sends what a test tells it to, each piece in a record of its own."""

    def __init__(self, folder: Path) -> None:
        made = trustme.CA()
        self.authority = str(folder / "authority.pem")
        made.cert_pem.write_to_path(self.authority)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert("localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"

    def accept(self) -> None:
        """A new connection, and the request on it."""
        plain, _ = self._listener.accept()
        self._connection = self._context.wrap_socket(plain, server_side=True)
        self.read_request()

    def read_request(self) -> None:
        while not self._connection.recv(65536).endswith(b"\0\0"):
            pass

    def send(self, *records: bytes) -> None:
        for record in records:
            self._connection.sendall(record)

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        self._connection.close()

    def cut(self) -> None:
        """FIN, without the word of TLS that it is the end."""
        self._connection.close()

    def end(self) -> None:
        """The end as TLS says it; no answer is waited for, and the client that took the hint may be gone by now."""
        self._connection.settimeout(0)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError, ConnectionError):
            self._connection.unwrap()
        self._connection.close()

    def stop(self) -> None:
        self._connection.close()
        self._listener.close()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[TlsPeer]:
    running = TlsPeer(tmp_path)
    yield running
    running.stop()


def begun(process: ClientProcess, peer: TlsPeer, head: bytes, **timeouts: float) -> RemoteCall:
    """A call whose answer's head has come."""
    call = process.client(peer.url, authority=peer.authority, **timeouts).start()
    peer.accept()
    peer.send(head)
    call.head()
    return call


def test_records_that_came_together_are_one_piece(process: ClientProcess, peer: TlsPeer) -> None:
    """AWS sends each event in one of its own; a worker that is behind moves them all at once."""
    call = begun(process, peer, CHUNKED)
    peer.send(EVENT, EVENT, EVENT[:4], EVENT[4:], b"0\r\n\r\n")

    assert [call.read(), call.read()] == [b"event" * 3, b""]


def test_a_record_does_not_wait_for_the_next(process: ClientProcess, peer: TlsPeer) -> None:
    """Nor for the rest of a chunk."""
    call = begun(process, peer, CHUNKED)
    peer.send(EVENT[:5])
    assert call.read() == b"ev"
    waiting = call.begin_read()
    peer.send(EVENT[5:])

    assert waiting() == b"ent"


def test_large_answers_come_whole(process: ClientProcess, peer: TlsPeer) -> None:
    """Over many reads, each of many records."""
    body = bytes(range(256)) * 4096
    call = process.client(peer.url, authority=peer.authority).start()
    peer.accept()
    sending = threading.Thread(target=peer.send, args=(HEAD + b"Content-Length: %d\r\n\r\n" % len(body), body))
    sending.start()
    call.head()

    assert call.read_all() == body
    sending.join(SECONDS)


@pytest.mark.parametrize("end", [TlsPeer.cut, TlsPeer.reset])
@pytest.mark.parametrize("head", [CHUNKED, SIZED, HEAD + b"\r\n"])
def test_a_cut_is_a_break(process: ClientProcess, peer: TlsPeer, head: bytes, end: Callable[[TlsPeer], None]) -> None:
    """Also of an answer that ends with its connection: whoever is on the way can cut it, and TLS says so."""
    call = begun(process, peer, head)
    end(peer)
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        call.read()


@pytest.mark.parametrize("head", [CHUNKED, SIZED, HEAD + b"\r\n"])
def test_what_came_before_a_cut_is_handed_out(process: ClientProcess, peer: TlsPeer, head: bytes) -> None:
    """The cut is met while more is looked for, and told after it."""
    call = begun(process, peer, head)
    peer.send(EVENT)
    peer.cut()
    assert b"event" in call.read()
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        call.read()


def test_an_answer_without_length_ends_with_its_connection(process: ClientProcess, peer: TlsPeer) -> None:
    """Its end may come with its last piece, and is the end however often it is asked for."""
    call = begun(process, peer, HEAD + b"\r\n")
    peer.send(b"one", b"two")
    peer.end()

    assert call.read_all() == b"onetwo"
    assert call.read() == b""


@pytest.mark.parametrize("end", [TlsPeer.cut, TlsPeer.end, TlsPeer.reset])
@pytest.mark.parametrize("under_it", [False, True])
def test_a_kept_connection_that_is_gone_is_no_break(
    process: ClientProcess, peer: TlsPeer, end: Callable[[TlsPeer], None], under_it: bool
) -> None:
    """Gone before the next request, or under it: that one is sent on another."""
    client = process.client(peer.url, authority=peer.authority)
    first = client.start()
    peer.accept()
    peer.send(WHOLE)
    first.head()
    second = client.start() if under_it else None
    if under_it:
        peer.read_request()
    end(peer)
    second = second or client.start()
    peer.accept()
    peer.send(WHOLE)

    assert second.head().status == 200


def test_silence_is_noticed(process: ClientProcess, peer: TlsPeer) -> None:
    call = begun(process, peer, CHUNKED, silence=0.3)
    with pytest.raises(CallFailedError, match="UpstreamSilent"):
        call.read()


def test_a_caller_that_leaves_wakes_a_waiting_read(process: ClientProcess, peer: TlsPeer) -> None:
    call = begun(process, peer, CHUNKED)
    waiting = call.begin_read()
    call.cancel("client_left")
    with pytest.raises(CallFailedError, match="ClientLeft"):
        waiting()
