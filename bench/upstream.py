"""A stand-in for Bedrock that does as little as it can: python -m bench.upstream writes its port and serves.

Converse is answered with 560 bytes of JSON, ConverseStream with `maxTokens` events, ten a second. Each event says when
it was sent, by the monotonic clock, which all processes of a machine share. It ends when its standard input does.
"""

import asyncio
import gc
import json
import re
import sys
import time

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


def _event() -> bytes:
    """One event in a chunk of its own."""
    content = {"contentBlockIndex": 0, "delta": {"text": " outcrop"}, "p": "abcdefghijklmnopqrstu"}
    stamped = json.dumps(content)[:-1] + f', "sent": "{time.monotonic_ns():020d}"}}'
    frame = event_frame("contentBlockDelta", stamped.encode())
    return b"%x\r\n%b\r\n" % (len(frame), frame)


_ANSWER = _answer()
_STREAM_HEAD = _HEAD % (b"application/vnd.amazon.eventstream", b"Transfer-Encoding: chunked")


class _Connection(asyncio.Protocol):
    """One connection; requests on it follow one another."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
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
        if b"/converse-stream " in request:
            events = _MAX_TOKENS.search(request, head_end)
            self._transport.write(_STREAM_HEAD)
            self._send_event(int(events[1]) if events else 1, self._loop.time())
        else:
            self._transport.write(_ANSWER)

    def _send_event(self, left: int, due: float) -> None:
        if self._transport.is_closing():
            return
        if not left:
            self._transport.write(b"0\r\n\r\n")
            return
        self._transport.write(_event())
        self._loop.call_at(due + EVENT_SECONDS, self._send_event, left - 1, due + EVENT_SECONDS)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(loop), "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)
    await over.wait()


if __name__ == "__main__":
    raise_file_limit()
    gc.disable()  # its pauses would be measured as delays
    asyncio.run(_serve())
