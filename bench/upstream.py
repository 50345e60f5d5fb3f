"""A stand-in for Bedrock that does as little as it can: python -m bench.upstream writes its port and serves.

Converse is answered with 560 bytes of JSON, ConverseStream with `maxTokens` events, ten a second. Each event says when
it was sent, by the monotonic clock, which all processes of a machine share. GET is answered with how many calls came,
so that whoever answers in its place is found out. It ends when its standard input does.
"""

import asyncio
import gc
import json
import re
import sys
import time
import zlib

from bench.load import EVENT_SECONDS
from bench.machine import raise_file_limit
from tests.event_frames import event_frame

ANSWER_BYTES = 560
_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Type: %b\r\n"
    b"x-amzn-RequestId: 0b1f6a52-3c1e-4a1c-9a55-5c1f0e5f7a11\r\nConnection: keep-alive\r\n%b\r\n\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MAX_TOKENS = re.compile(rb'"maxTokens": *(\d+)')
# a connection for each of many streams may be asked for at once
_BACKLOG = 4096
# streams that began in the same of so many parts of the time between events have theirs together: one event, made once
_SLOTS = 100
_CRC_BYTES = 4


def _answer() -> bytes:
    content = {
        "metrics": {"latencyMs": 551},
        "output": {"message": {"content": [{"text": ""}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 26, "outputTokens": 82, "totalTokens": 108},
    }
    short = json.dumps(content, separators=(",", ":"))
    body = short.replace('"text":""', '"text":"' + "x" * (ANSWER_BYTES - len(short)) + '"').encode()
    return _HEAD % (b"application/json", b"Content-Length: %d" % len(body)) + body


class EventMaker:
    """Makes events, each in a chunk of its own: only the time and the checksum differ from one to the next."""

    def __init__(self) -> None:
        content = {"contentBlockIndex": 0, "delta": {"text": " outcrop"}, "p": "abcdefghijklmnopqrstu"}
        stamp = f"{0:020d}"
        frame = event_frame("contentBlockDelta", (json.dumps(content)[:-1] + f', "sent": "{stamp}"}}').encode())
        before, _, after = frame[:-_CRC_BYTES].partition(stamp.encode())
        self._chunk = b"%x\r\n%%b\r\n" % len(frame)
        self._before, self._after, self._crc = before, after, zlib.crc32(before)

    def now(self) -> bytes:
        rest = b"%020d" % time.monotonic_ns() + self._after
        return self._chunk % (self._before + rest + zlib.crc32(rest, self._crc).to_bytes(_CRC_BYTES, "big"))


_ANSWER = _answer()
_EVENT = EventMaker()
_STREAM_HEAD = _HEAD % (b"application/vnd.amazon.eventstream", b"Transfer-Encoding: chunked")


class _Ticks:
    """Sends events to all streams that are open, each every EVENT_SECONDS from its begin on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: list[dict[asyncio.Transport, int]] = [{} for _ in range(_SLOTS)]
        self._number = 0
        self._began = loop.time()
        self._tick()

    def add(self, stream: asyncio.Transport, events: int) -> None:
        """The first one at once."""
        stream.write(_EVENT.now() if events else b"0\r\n\r\n")
        if events:
            self._slots[(self._number - 1) % _SLOTS][stream] = events - 1

    def _tick(self) -> None:
        streams = self._slots[self._number % _SLOTS]
        self._number += 1
        self._loop.call_at(self._began + self._number * EVENT_SECONDS / _SLOTS, self._tick)
        if not streams:
            return
        event = _EVENT.now()
        for stream, left in list(streams.items()):
            if left and not stream.is_closing():
                stream.write(event)
                streams[stream] = left - 1
            else:
                del streams[stream]
                if not left:
                    stream.write(b"0\r\n\r\n")


class _Connection(asyncio.Protocol):
    """One connection; requests on it follow one another."""

    calls = 0  # of all connections

    def __init__(self, ticks: _Ticks) -> None:
        self._ticks = ticks
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head_end = self._seen.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._seen)
        if len(self._seen) < head_end + 4 + (int(length[1]) if length else 0):
            return
        request, self._seen = self._seen, b""
        if request.startswith(b"GET "):
            told = b"%d" % _Connection.calls
            self._transport.write(_HEAD % (b"text/plain", b"Content-Length: %d" % len(told)) + told)
            return
        _Connection.calls += 1
        if b"/converse-stream " in request:
            events = _MAX_TOKENS.search(request, head_end)
            self._transport.write(_STREAM_HEAD)
            self._ticks.add(self._transport, int(events[1]) if events else 1)
        else:
            self._transport.write(_ANSWER)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    ticks = _Ticks(loop)
    server = await loop.create_server(lambda: _Connection(ticks), "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)
    await over.wait()


if __name__ == "__main__":
    raise_file_limit()
    gc.disable()  # its pauses would be measured as delays
    asyncio.run(_serve())
