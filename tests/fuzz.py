"""python -m tests.fuzz: answers that nobody would send, fed to the tap until the time is up. It prints what breaks.

Written answers of every shape, and recorded ones where there are any, are damaged: bits, slices, splices, numbers that
no count can be, headers that lie; half of the event streams are put together again with right checksums, so that the
damage reaches the readers. Each is fed whole and in pieces of every size.
"""

import argparse
import base64
import json
import random
import re
import struct
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from botocore.eventstream import ParserError

from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.event_stream import CONTENT_TYPE, LONGEST_PAYLOAD
from app.core.operations import load_table
from app.core.tap import Tap
from app.core.usage import RequestFacts, Usage
from tests.event_frames import Frame, decode_frames, encode_frame, event_frame, exception_frame
from tests.recordings import recordings

_TABLE = load_table()
_FACTS = RequestFacts(body_bytes=900, billed=True, reports_usage=True, units={"query": 1})
_EVIL = (
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-0.0",
    b"9007199254740993",
    b"9" * 5000,
    b'"7"',
    b"null",
    b"true",
    b"[]",
    b"{}",
)
_JUNK = (b'"', b"\\", b"{", b"}", b"[" * 3000, b"]", b",", b":", b"\n\n", b"\r", b"data: ", b'"usage":', b"\0", b"\xff")
_NUMBER = re.compile(rb"(?<=[ :\[,])-?[0-9]+(?:\.[0-9]+)?")
_BLOCK = re.compile(rb'(?<="usage":) ?\{[^{}]*\}')
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

    @property
    def frames(self) -> list[Frame]:
        """Those of an event stream that is whole, else none."""
        try:
            return decode_frames(self.body) if (("Content-Type", CONTENT_TYPE)) in self.headers else []
        except ParserError:
            return []


def written() -> Iterator[Case]:
    """Whole answers, so that something is damaged also where nothing was recorded."""
    counts = {"inputTokens": 11, "outputTokens": 7, "cacheReadInputTokens": 2, "cacheDetails": [{"ttl": "1h"}]}
    claude = {"input_tokens": 11, "output_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 1}}
    stream = [event_frame("contentBlockDelta", {"delta": {"text": "é\n" * 9}})] * 3
    yield _case("Converse", {"output": {"message": {"content": []}}, "usage": counts, "trace": {"guardrail": {}}})
    yield _case("ConverseStream", b"".join([*stream, event_frame("metadata", {"usage": counts})]), CONTENT_TYPE)
    yield _case("ConverseStream", b"".join([*stream, exception_frame("throttlingException", "no")]), CONTENT_TYPE)
    yield _case("InvokeModel", {"content": [{"text": "a"}], "usage": claude})
    yield _case("InvokeModel", {"embedding": [0.25] * 20_000, "inputTextTokenCount": 5})
    yield _case("InvokeModel", {"images": ["QUJD" * 30_000] * 3})
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


class Fuzzer:
    """The same seed makes the same answers."""

    def __init__(self, seed: int, cases: Sequence[Case]) -> None:
        self.tried = 0
        self._draw = random.Random(seed)
        self._cases = cases

    def step(self) -> None:
        """One damaged answer. Raises AssertionError, and whatever should never be raised."""
        case = self._damaged(self._draw.choice(self._cases))
        self.tried += 1
        if self.tried % 20 == 0:
            tracemalloc.start()
        try:
            self._check(case)
        except BaseException:
            sys.stderr.write(f"{case!r}"[:20_000] + "\n")
            raise
        finally:
            tracemalloc.stop()

    def _check(self, case: Case) -> None:
        began = time.thread_time()
        complete = self._draw.random() < 0.7
        whole, found = _fed(case, [case.body], complete=complete)
        split, again = _fed(case, self._pieces(case.body), complete=complete)
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

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        longest = self._draw.choice((1, 7, 100, 5000, 100_000)) if len(body) < 50_000 else 100_000
        start = 0
        while start < len(body):
            size = self._draw.randint(1, longest)
            yield body[start : start + size]
            start += size

    def _damaged(self, case: Case) -> Case:
        draw = self._draw
        if case.frames and draw.random() < 0.5:
            body = b"".join(
                encode_frame(frame.headers, self._spoilt(frame.payload) if draw.random() < 0.3 else frame.payload)
                for frame in case.frames
            )
        else:
            body = self._spoilt(case.body)
        if draw.random() < 0.02:
            body += draw.choice(_JUNK) * draw.choice((10, 100_000))
        return replace(case, body=body, headers=self._lying(case.headers), status=draw.choice((case.status, 200)))

    def _spoilt(self, body: bytes) -> bytes:
        for _ in range(self._draw.choice((0, 1, 1, 2, 5))):
            body = self._spoil(body)
        return body

    def _spoil(self, body: bytes) -> bytes:  # noqa: PLR0911  # one line for each kind of damage
        draw = self._draw
        start = draw.randint(0, len(body))
        end = min(len(body), start + draw.choice((1, 4, 100)))
        kind = draw.randrange(8)
        if kind == 0:
            return body[:start]
        if kind == 1:
            return body[:start] + body[end:]
        if kind == 2:
            return body[:end] + body[start:]
        if kind == 3:
            return body[:start] + draw.choice((*_JUNK, *_EVIL)) + body[end:]
        if kind == 4 and end > start:
            return body[:start] + bytes([body[start] ^ 1 << draw.randrange(8)]) + body[start + 1 :]
        if kind == 5:
            return body[:start] + draw.choice(self._cases).body[start:]
        pattern = _NUMBER if kind == 6 else _BLOCK
        found = list(pattern.finditer(body[:200_000]))
        if not found:
            return body
        one = draw.choice(found)
        return body[: one.start()] + draw.choice(_EVIL) + body[one.end() :]

    def _lying(self, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        draw = self._draw
        lies = (
            ("Content-Type", draw.choice(("application/json", CONTENT_TYPE, "text/event-stream", "é", ""))),
            ("Content-Encoding", draw.choice(("gzip", "identity", ""))),
            ("X-Amzn-Bedrock-Input-Token-Count", draw.choice(("5", "-1", "", "é", "٣", "9" * 99))),
            ("X-Amzn-Bedrock-Output-Token-Count", draw.choice(("5", "0x5", "1.5"))),
            ("X-Amzn-Bedrock-Service-Tier", draw.choice(("flex", "x" * 9999, "\0"))),
            ("x-amzn-ErrorType", "X"),
        )
        return (*headers, draw.choice(lies)) if draw.random() < 0.2 else headers


def _fed(case: Case, pieces: Sequence[bytes] | Iterator[bytes], *, complete: bool) -> tuple[Tap, Usage]:
    tap = Tap(case.call, _FACTS, Ratios(), case.status, case.headers)
    for piece in pieces:
        tap.feed(piece)
    return tap, tap.usage(complete=complete)


def _walked(case: Case) -> tuple[bool, bool, int]:
    """Whether a whole body ends between two frames, is lost, and how many frames it has: by its preludes alone."""
    low = {name.lower(): value for name, value in case.headers}
    if low.get("content-type", "").lower() != CONTENT_TYPE:
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


def main(arguments: Sequence[str]) -> NoReturn:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    fuzzer = Fuzzer(options.seed, [*written(), *recorded()])
    sys.stdout.write(f"seed {options.seed}\n")
    until = time.monotonic() + options.seconds
    while time.monotonic() < until:
        fuzzer.step()
    sys.stdout.write(f"{fuzzer.tried} answers, and none that broke the tap\n")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
