"""The tap and the readers of usage behind it: fed with answers that nobody would send, whole and in pieces.

Written answers of every shape, and recorded ones where there are any, under headers that lie. The first four bytes say
which answer's call it is, how it ends, how it is cut and which header lies; the rest is the body.
"""

import base64
import json
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.event_stream import CONTENT_TYPE, LONGEST_PAYLOAD
from app.core.operations import load_table
from app.core.tap import Tap
from app.core.usage import RequestFacts, Usage
from tests.event_frames import event_frame, exception_frame
from tests.fuzz.target import Target, pieces
from tests.recordings import recordings

_TABLE = load_table()
_FACTS = RequestFacts(body_bytes=900, billed=True, reports_usage=True, units={"query": 1})
# What a tap may take beside a piece: a frame or an event in part, what is read of it, and members that are kept.
_MOST_BYTES = 16 * LONGEST_PAYLOAD
_MOST_SECONDS = 3.0
_LONGEST_FRAME = 24 * 1024**2 + 128 * 1024 + 16
_FAULT = "fault of the gateway"


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to one call."""

    call: BedrockCall
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def written() -> Iterator[Case]:
    """Whole answers, so that something is damaged also where nothing was recorded."""
    counts = {"inputTokens": 11, "outputTokens": 7, "cacheReadInputTokens": 2, "cacheDetails": [{"ttl": "1h"}]}
    claude = {"input_tokens": 11, "output_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 1}}
    stream = [event_frame("contentBlockDelta", {"delta": {"text": "é\n" * 9}})] * 3
    yield _case("Converse", {"output": {"message": {"content": []}}, "usage": counts, "trace": {"guardrail": {}}})
    yield _case("ConverseStream", b"".join([*stream, event_frame("metadata", {"usage": counts})]), CONTENT_TYPE)
    yield _case("ConverseStream", b"".join([*stream, exception_frame("throttlingException", "no")]), CONTENT_TYPE)
    yield _case("InvokeModel", {"content": [{"text": "a"}], "usage": claude})
    yield _case("InvokeModel", {"embedding": [0.25] * 500, "inputTextTokenCount": 5})
    yield _case("InvokeModel", {"images": ["QUJD" * 300] * 3})
    events = [
        {"type": "message_start", "message": {"usage": claude}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        {"type": "message_delta", "usage": {"output_tokens": 7}},
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 11, "outputTokenCount": 7}},
    ]
    chunks = [event_frame("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode()}) for one in events]
    yield _case("InvokeModelWithResponseStream", b"".join(chunks), CONTENT_TYPE)
    sse = b"".join(b"event: %s\r\ndata: %s\r\n\r\n" % (b"a", json.dumps(one).encode()) for one in events)
    yield _case("AnthropicMessages", sse, "text/event-stream")
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}}
    yield _case(
        "OpenAIChatCompletions", b"data: " + json.dumps({"usage": usage}).encode() + b"\n\n", "text/event-stream"
    )
    yield _case("OpenAIResponses", {"usage": {"input_tokens": 3, "output_tokens": 1}})
    yield _case("ApplyGuardrail", {"usage": {"topicPolicyUnits": 1}})
    yield _case("CountTokens", {"inputTokens": 5})


def recorded() -> Iterator[Case]:
    for one in recordings():
        yield Case(one.call, one.status, one.headers, one.body)


def _case(operation: str, body: object, content_type: str = "application/json") -> Case:
    row = next(row for row in _TABLE.operations if (row.service, row.operation) == ("bedrock-runtime", operation))
    call = BedrockCall(row.service, row, model="us.anthropic.claude-sonnet-4-20250514-v1:0", streams=bool(row.stream))
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(call, 200, (("Content-Type", content_type),), raw)


_CASES = [*written(), *recorded()]
_LIES = (
    *(("Content-Type", value) for value in ("application/json", CONTENT_TYPE, "text/event-stream", "é", "")),
    *(("Content-Encoding", value) for value in ("gzip", "identity", "")),
    *(("X-Amzn-Bedrock-Input-Token-Count", value) for value in ("5", "-1", "", "é", "٣", "9" * 99)),
    *(("X-Amzn-Bedrock-Output-Token-Count", value) for value in ("5", "0x5", "1.5")),
    *(("X-Amzn-Bedrock-Service-Tier", value) for value in ("flex", "x" * 9999, "\0")),
    ("x-amzn-ErrorType", "X"),
)
# stands for more bytes than the readers look at at once
_LONG, _AT_LENGTH = b"\xf7", b"x" * 70_000


def _check(data: bytes) -> None:
    which, how, cut, lie = data[:4].ljust(4, b"\0")
    case = _CASES[which % len(_CASES)]
    headers = (*case.headers, _LIES[lie % len(_LIES)]) if lie >= 200 else case.headers
    status = 429 if how & 2 else 200
    body = data[4:].replace(_LONG, _AT_LENGTH, 2)
    case = Case(case.call, status, headers, body)
    if cut == 0:
        tracemalloc.start()
    try:
        _check_case(case, pieces(body, cut), complete=not how & 1)
    finally:
        tracemalloc.stop()


def _check_case(case: Case, cut: list[bytes], *, complete: bool) -> None:
    began = time.thread_time()
    whole, found = _fed(case, [case.body], complete=complete)
    split, again = _fed(case, cut, complete=complete)
    took = time.thread_time() - began
    assert found == again, (found, again)
    assert (whole.at_boundary, whole.lost, whole.frames) == (split.at_boundary, split.lost, split.frames)
    assert (whole.at_boundary, whole.lost, whole.frames) == _walked(case)
    assert _FAULT not in (found.problem or ""), found
    assert found.source != "unknown" or not found.counts
    assert all(type(count) is int and 0 <= count <= 10**9 for count in found.counts.values())
    if tracemalloc.is_tracing():
        assert tracemalloc.get_traced_memory()[1] < _MOST_BYTES + 4 * len(case.body)
    else:
        assert took < _MOST_SECONDS, took


def _fed(case: Case, pieces: Sequence[bytes] | Iterator[bytes], *, complete: bool) -> tuple[Tap, Usage]:
    tap = Tap(case.call, _FACTS, Ratios(), case.status, case.headers)
    for piece in pieces:
        tap.feed(piece)
    return tap, tap.usage(complete=complete)


def _walked(case: Case) -> tuple[bool, bool, int]:
    """Whether a whole body ends between two frames, is lost, and how many frames it has: by its preludes alone."""
    low = {name.lower(): value for name, value in case.headers}
    unsaid = CONTENT_TYPE if case.call.operation and case.call.operation.stream is True else ""
    if low.get("content-type", unsaid).lower() != CONTENT_TYPE:
        return False, True, 0
    body, frames, start = case.body, 0, 0
    while len(body) - start >= 12:
        total, headers, crc = struct.unpack_from("!III", body, start)
        if crc != zlib.crc32(body[start : start + 8]) or not 16 + headers <= total <= _LONGEST_FRAME:
            return False, True, frames
        if start + total > len(body):
            return False, False, frames
        frames, start = frames + 1, start + total
    return start == len(body), False, frames


def _mended(data: bytes) -> bytes:
    """Frames with right checksums, as far as their lengths make sense: so the damage reaches the readers."""
    out, at = bytearray(data[:4]), 4
    while at + 16 <= len(data):
        total, headers = struct.unpack_from("!II", data, at)
        if not 16 + headers <= total <= len(data) - at:
            break
        prelude = data[at : at + 8]
        frame = prelude + struct.pack("!I", zlib.crc32(prelude)) + data[at + 12 : at + total - 4]
        out += frame + struct.pack("!I", zlib.crc32(frame))
        at += total
    return bytes(out + data[at:])


def _seeds() -> Iterator[bytes]:
    for number, case in enumerate(_CASES[:256]):
        if len(case.body) < _LONGEST:
            yield bytes((number, 0, 7, 0)) + case.body


_LONGEST = 16_384
TARGET = Target(
    "answers",
    _seeds,
    _check,
    words=(b'"usage":', b'"inputTokens":', b'"input_tokens":', b"data: ", b"\n\n", b'"bytes":"', b":event-type", _LONG),
    mend=_mended,
    quick=250,
    longest=_LONGEST,
)
