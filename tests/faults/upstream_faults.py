"""What can go wrong at AWS, as a table: what it sends, what boto3 must raise, and what the ledger's row must say."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tests.faults.counts import count
from tests.standin_answers import converse_frames, usage
from tests.standin_messages import (
    Close,
    Gate,
    NoAnswer,
    Reply,
    Reset,
    Send,
    Step,
    Wait,
    aws_error,
    body_answer,
    event_stream,
    raw_answer,
)

UNARY, STREAM = "converse", "converse_stream"
FRAMES = converse_frames()
BODY = json.dumps(
    {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "usage": usage()}
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = b"%bContent-Length: %d\r\n\r\n" % (HEAD, len(BODY))
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STREAMED = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
# 12 tokens at 0.06 and 34 at 0.24 US dollars a million
REPORTED_COST = Decimal("0.00000888")


@dataclass(frozen=True)
class Truth:
    """What the caller's SDK raises ("": nothing), and the row. `cost`: "some" is what was estimated."""

    raised: str
    http_status: int
    ended: str
    source: str
    cost: Decimal | Literal["some"] | None


@dataclass(frozen=True)
class Fault:
    """`truths`: any of these, where AWS's bytes can be taken in more than one way."""

    name: str
    method: str
    reply: Reply
    truths: tuple[Truth, ...]


def _failed(code: str, status: int, source: str = "unknown", cost: Literal["some"] | None = None) -> Truth:
    return Truth(code, status, "upstream_broken", source, cost)


def _told(code: str, status: int) -> Truth:
    """AWS's own error, as it came: it costs nothing."""
    return Truth(code, status, "complete", "unknown", Decimal(0))


# nobody knows whether the model ran: no SDK may send it again by itself
BROKE = _failed("ModelErrorException", 424)
SILENT = _failed("ModelTimeoutException", 408, "estimated", "some")
BROKE_IN_ANSWER = _failed("ConnectionClosedError", 200)
BROKE_BETWEEN_FRAMES = _failed("modelStreamErrorException", 200, "estimated", "some")
BROKE_IN_FRAME = _failed("ProtocolError", 200, "estimated", "some")
WHOLE = Truth("", 200, "complete", "reported", REPORTED_COST)
BROKE_AFTER_BODY = Truth("ConnectionClosedError", 200, "upstream_broken", "reported", REPORTED_COST)
BROKE_AFTER_FRAMES = Truth("modelStreamErrorException", 200, "upstream_broken", "reported", REPORTED_COST)
NONSENSE = Truth("ChecksumMismatch", 200, "complete", "unknown", None)
# boto3 may be gone before AWS has come to its end
LEFT_AT_NONSENSE = Truth("ChecksumMismatch", 200, "client_gone", "unknown", None)
PASSED_ON = Truth("", 200, "complete", "unknown", None)


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


_ALL_FRAMES = STREAMED + b"".join(map(chunk, FRAMES))
_ONE_FRAME = STREAMED + chunk(FRAMES[0])
_LAST_CHUNK = ((BROKE_AFTER_BODY, WHOLE), (BROKE_AFTER_FRAMES, WHOLE))
# where the bytes stop
CUTS: tuple[tuple[str, str, bytes, tuple[Truth, ...]], ...] = (
    ("inside the status line", UNARY, HEAD[:11], (BROKE,)),
    ("after the status line", UNARY, HEAD[:17], (BROKE,)),
    ("inside the headers", UNARY, HEAD + b"Content-Le", (BROKE,)),
    ("after the headers", UNARY, LENGTH, (BROKE,)),
    ("inside the body", UNARY, LENGTH + BODY[:20], (BROKE,)),
    ("after the headers of chunks", UNARY, CHUNKED, (BROKE,)),
    ("inside a chunk's size", UNARY, CHUNKED + b"f", (BROKE,)),
    ("inside a chunk", UNARY, CHUNKED + chunk(BODY)[:20], (BROKE_IN_ANSWER,)),
    ("after a chunk", UNARY, CHUNKED + chunk(BODY), (BROKE_AFTER_BODY,)),
    ("inside the last chunk", UNARY, CHUNKED + chunk(BODY) + b"0\r\n", _LAST_CHUNK[0]),
    ("inside the trailers", UNARY, CHUNKED + chunk(BODY) + b"0\r\nX-Trailer: a", _LAST_CHUNK[0]),
    ("inside the status line", STREAM, STREAMED[:11], (BROKE,)),
    ("inside the headers", STREAM, STREAMED[:40], (BROKE,)),
    ("after the headers", STREAM, STREAMED, (BROKE_BETWEEN_FRAMES,)),
    ("inside a chunk's size", STREAM, _ONE_FRAME + b"f", (BROKE_BETWEEN_FRAMES,)),
    ("inside a frame's prelude", STREAM, _ONE_FRAME + chunk(FRAMES[1][:7]), (BROKE_IN_FRAME,)),
    ("inside a frame's headers", STREAM, _ONE_FRAME + chunk(FRAMES[1][:30]), (BROKE_IN_FRAME,)),
    ("inside a frame's payload", STREAM, _ONE_FRAME + chunk(FRAMES[1][:-20]), (BROKE_IN_FRAME,)),
    ("inside a frame's checksum", STREAM, _ONE_FRAME + chunk(FRAMES[1][:-2]), (BROKE_IN_FRAME,)),
    ("inside a chunk and a frame", STREAM, _ONE_FRAME + chunk(FRAMES[1])[:40], (BROKE_IN_FRAME,)),
    ("between frames", STREAM, _ONE_FRAME + chunk(FRAMES[1]), (BROKE_BETWEEN_FRAMES,)),
    ("after the last frame", STREAM, _ALL_FRAMES, (BROKE_AFTER_FRAMES,)),
    ("inside the last chunk", STREAM, _ALL_FRAMES + b"0\r\n", _LAST_CHUNK[1]),
    ("inside the trailers", STREAM, _ALL_FRAMES + b"0\r\nX-Trailer: a", _LAST_CHUNK[1]),
)


def cuts() -> Iterator[Fault]:
    """Resets and ends at every class of bytes."""
    for method in (UNARY, STREAM):
        yield Fault(f"{method}: reset before any byte", method, NoAnswer("reset"), (BROKE,))
        yield Fault(f"{method}: end before any byte", method, NoAnswer("close"), (BROKE,))
    endings: tuple[Step, ...] = (Reset(), Close())[: count("ENDINGS", 1)]
    for where, method, data, truths in CUTS:
        for ending in endings:
            name = f"{method}: {type(ending).__name__.lower()} {where}"
            yield Fault(name, method, raw_answer(Send(data), ending), truths)
    yield Fault("half a frame in whole chunks", STREAM, event_stream([FRAMES[0], FRAMES[1][:50]]), (BROKE_IN_FRAME,))


def stalls() -> Iterator[Fault]:
    """Silence, for longer than OUTCROP_FIRST_BYTE_TIMEOUT and OUTCROP_READ_TIMEOUT of the gateway under test."""
    for method in (UNARY, STREAM):
        yield Fault(f"{method}: silence before the headers", method, NoAnswer("hang"), (SILENT,))
    for name, method, data, truth in (
        ("inside the headers", UNARY, HEAD, SILENT),
        ("inside the body", UNARY, LENGTH + BODY[:20], _failed("ModelTimeoutException", 408)),
        ("between frames", STREAM, _ONE_FRAME, BROKE_BETWEEN_FRAMES),
        ("inside a frame", STREAM, _ONE_FRAME + chunk(FRAMES[1][:9]), BROKE_IN_FRAME),
    ):
        yield Fault(f"{method}: silence {name}", method, raw_answer(Send(data), Wait(Gate())), (truth,))


def errors() -> Iterator[Fault]:
    """AWS's errors, and those of whatever stands before it: they pass byte for byte."""
    for method in (UNARY, STREAM):
        for status, code in (
            (400, "ValidationException"),
            (403, "ExpiredTokenException"),
            (424, "ModelErrorException"),
            (429, "ThrottlingException"),
            (500, "InternalServerException"),
            (503, "ServiceUnavailableException"),
        ):
            yield Fault(f"{method}: {code}", method, aws_error(status, code, "no"), (_told(code, status),))
        page = body_answer(b"<html>bad gateway</html>", "text/html", 502)
        yield Fault(f"{method}: a page instead of an error", method, page, (_told("502", 502),))


def garbage() -> Iterator[Fault]:
    """What is no answer of AWS's, under status 200 or none."""
    flipped = bytearray(FRAMES[1])
    flipped[70] ^= 1
    page = body_answer(b"<html>welcome to the hotel</html>", "text/html")
    for name, method, reply, truth in (
        ("a page", UNARY, page, PASSED_ON),
        ("torn JSON", UNARY, body_answer(b'{"output": nons', "application/json"), PASSED_ON),
        ("nothing", UNARY, body_answer(b"", "application/json"), PASSED_ON),
        ("a page", STREAM, page, NONSENSE),
        ("no frames", STREAM, event_stream([b"this is no frame at all, not at all"]), NONSENSE),
        ("no frames after one", STREAM, event_stream([FRAMES[0], b"this is no frame at all, not at all"]), NONSENSE),
        ("a flipped bit", STREAM, event_stream([FRAMES[0], bytes(flipped), *FRAMES[2:]]), NONSENSE),
        ("no HTTP", UNARY, raw_answer(Send(b"\x00\x01garbage\r\n\r\n"), Close()), BROKE),
        ("no chunk size", UNARY, raw_answer(Send(CHUNKED + b"zz\r\nabc\r\n"), Close()), BROKE),
        ("no chunk size", STREAM, raw_answer(Send(STREAMED + b"zz\r\nabc\r\n"), Close()), BROKE_BETWEEN_FRAMES),
        ("two lengths", UNARY, _sized(b"5", b"7"), BROKE),
        ("a length below nothing", UNARY, _sized(b"-5"), BROKE),
        ("a length that is no number", UNARY, _sized(b"five"), BROKE),
        ("200 headers", UNARY, raw_answer(Send(HEAD + b"X-A: b\r\n" * 200 + b"\r\n"), Close()), BROKE),
        ("a header without an end", UNARY, raw_answer(Send(HEAD + b"X-A: " + b"b" * 70_000), Close()), BROKE),
    ):
        truths = (NONSENSE, LEFT_AT_NONSENSE) if truth == NONSENSE else (truth,)
        yield Fault(f"{method}: {name}", method, reply, truths)


def _sized(*lengths: bytes) -> Reply:
    head = HEAD + b"".join(b"Content-Length: %b\r\n" % length for length in lengths)
    return raw_answer(Send(head + b"\r\nabcde"), Close())
