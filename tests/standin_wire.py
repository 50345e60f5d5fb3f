"""One connection of the stand-in Bedrock: reads requests, plays answers step by step, notices the peer leaving.

asyncio reads the socket also while an answer waits, so a FIN or RST from the peer cancels the answer at once. A peer
that closes only its sending half counts as gone: no HTTP client that we know does that.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from tests.standin_messages import (
    Answer,
    Chunk,
    Close,
    EndChunks,
    Gate,
    NoAnswer,
    Pause,
    Reply,
    Reset,
    Send,
    Step,
    Wait,
)

MAX_HEAD_BYTES = 1024 * 1024  # far over any client's: the limits under test are the gateway's
LINGER_NOTHING = struct.pack("ii", 1, 0)  # makes close() send RST


@dataclass(frozen=True)
class WireRequest:
    """A whole request; raw holds its head and its body with the framing."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes


class Owner(Protocol):
    """What a connection tells the stand-in; called in the loop's thread."""

    def connection_opened(self, connection: "Connection") -> int: ...
    def peer_left(self, connection: "Connection") -> None: ...
    def connection_closed(self, connection: "Connection") -> None: ...
    def request_broke(self, seen: bytes) -> None: ...
    def reply_to(self, connection: "Connection", request: WireRequest) -> tuple[str, Reply]: ...
    def answer_ended(self, connection: "Connection") -> None: ...


class Connection(asyncio.StreamReaderProtocol):
    """Serves one connection until either side closes it."""

    number: int
    exchanges = 0
    idle = True
    closing = False  # by us
    left = False  # the peer closed first
    _lost = False
    _playing: asyncio.Task[None] | None = None
    _wire: asyncio.Transport
    _writer: asyncio.StreamWriter

    def __init__(self, service: str, owner: Owner) -> None:
        self.service = service
        self._owner = owner
        self._reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        super().__init__(self._reader, self._serve)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        transport.set_write_buffer_limits(high=0)  # drain() then means: the kernel has it all
        self.number = self._owner.connection_opened(self)
        super().connection_made(transport)

    def eof_received(self) -> bool | None:
        self._note_peer_left()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_peer_left()
        super().connection_lost(exc)
        self._lost = True
        self._stop_playing()  # also what stands at a gate when we ended the connection ourselves
        self._owner.connection_closed(self)

    def close(self) -> None:
        """FIN."""
        self.closing = True
        self._wire.close()

    def reset(self) -> None:
        """RST."""
        self.closing = True
        if not self._lost:
            peer = self._wire.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
            self._wire.abort()

    def _note_peer_left(self) -> None:
        if self.left or self.closing:
            return
        self.left = True
        self._stop_playing()
        self._owner.peer_left(self)

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            while not self.closing and (request := await self._read_request()) is not None:
                await self._exchange(request)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the peer left, which is recorded where it was noticed
        finally:
            if not self.closing:
                self.close()

    async def _exchange(self, request: WireRequest) -> None:
        self.idle = False
        self.exchanges += 1
        request_id, reply = self._owner.reply_to(self, request)
        if self.left:
            return
        self._playing = asyncio.create_task(self._play(reply, request_id))
        await self._playing
        self._playing = None
        self.idle = True
        if request.version != "HTTP/1.1" or _asks_to_close(request.headers):
            self.close()
        if isinstance(reply, Answer) and _asks_to_close(reply.headers):
            self.close()
        self._owner.answer_ended(self)

    async def _play(self, reply: Reply, request_id: str) -> None:
        if isinstance(reply, NoAnswer):
            await self._stay_silent(reply)
            return
        if reply.status:
            await self._write(reply.head(request_id, formatdate(usegmt=True)))
        for step in reply.steps:
            await self._take(step)

    async def _stay_silent(self, reply: NoAnswer) -> None:
        if reply.how == "reset":
            self.reset()
        elif reply.how == "close":
            self.close()
        else:
            await _stand_at(reply.gate)
            self.close()

    async def _take(self, step: Step) -> None:
        match step:
            case Send(data):
                await self._write(data)
            case Chunk(data):
                await self._write(b"%x\r\n%b\r\n" % (len(data), data))
            case EndChunks():
                await self._write(b"0\r\n\r\n")
            case Wait(gate):
                await _stand_at(gate)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Reset():
                self.reset()
            case Close():
                self.close()

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _read_request(self) -> WireRequest | None:
        seen = bytearray()
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            seen += head
            method, target, version, headers = _parse_head(head)
            if (_value(headers, "expect") or "").lower() == "100-continue":
                await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await self._read_body(headers, seen)
        except asyncio.IncompleteReadError as short:
            if seen or short.partial:
                self._owner.request_broke(bytes(seen) + short.partial)
            return None
        except (ValueError, asyncio.LimitOverrunError):
            self._owner.request_broke(bytes(seen))
            await self._write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return None
        return WireRequest(method, target, version, headers, body, bytes(seen))

    async def _read_body(self, headers: list[tuple[str, str]], seen: bytearray) -> bytes:
        if (_value(headers, "transfer-encoding") or "").lower() == "chunked":
            return await self._read_chunks(seen)
        body = await self._reader.readexactly(int(_value(headers, "content-length") or "0"))
        seen += body
        return body

    async def _read_chunks(self, seen: bytearray) -> bytes:
        body = bytearray()
        while True:
            line = await self._reader.readuntil(b"\r\n")
            seen += line
            size = int(line.partition(b";")[0], 16)
            chunk = await self._reader.readexactly(size + 2)
            seen += chunk
            if not size:
                return bytes(body)
            body += chunk[:-2]


async def _stand_at(gate: Gate) -> None:
    gate.mark_reached()
    # shielded: a peer that leaves must not cancel the gate for others who stand at it
    await asyncio.shield(asyncio.wrap_future(gate.opened))


def _parse_head(head: bytes) -> tuple[str, str, str, list[tuple[str, str]]]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = [_split_header(line) for line in lines]
    return method, target, version, headers


def _split_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or name != name.strip():
        raise ValueError(f"malformed header line {line!r}")
    return name, value.strip(" \t")


def _value(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for header, value in headers if header.lower() == name), None)


def _asks_to_close(headers: Sequence[tuple[str, str]]) -> bool:
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers)
