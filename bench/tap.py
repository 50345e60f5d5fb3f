"""python -m bench.tap: what reading an answer beside its bytes costs, of what relaying it costs, and pricing with it.

In one run and on one core: the gateway relays streams to a load, which gives its CPU for an event; then, in this
process, the same events go through a metered reply, with the tap and with one that does nothing.
"""

import base64
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from statistics import median

from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.event_stream import CONTENT_TYPE
from app.core.json_skim import skim
from app.core.messages import Cancellation
from app.core.operations import load_table
from app.core.prices import PriceBook, PriceQuestion
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.tap import Tap
from app.core.usage import RequestFacts
from app.gateway.metered_reply import MeteredReply
from bench import load
from bench.contenders import running_upstream
from bench.gateways import running_gateway
from bench.machine import describe, pinned, share_out
from bench.progress import say
from tests.event_frames import event_frame
from tests.fakes import Books, FakeTap, stream_reply

_ROUNDS = 9
_EVENTS = 5000
_CALLS = 1000
_STREAMS = 100
_SECONDS = 4.0
_TODAY = date(2026, 11, 25)
_MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
_TEXT = "The outcrop stands in the bedrock. "
_HOLD_OUTPUT_TOKENS = 4096
_TABLE = load_table()


def main() -> int:
    cores = share_out()
    say(describe())
    with running_upstream(cores) as upstream, running_gateway(upstream, cores) as gateway:
        job = replace(gateway.contender.job(upstream, cores), kind="streams", seconds=_SECONDS)
        with pinned(cores.load):
            load.run(replace(job, connections=4, seconds=0.2))
            whole = load.run(replace(job, connections=_STREAMS))["cpu_us"]
    say(f"\n{_STREAMS} streams through the gateway: {whole:.0f} us of CPU an event")
    with pinned(cores.worker):
        for name, operation, event in _events():
            added = _added_us(operation, event)
            say(f"{name:<40}{added:6.1f} us an event, {100 * added / (whole - added):5.1f} % of relaying it")
        say("")
        for name, took in _unary():
            say(f"{name:<40}{took / 1000:8.3f} ms a call")
    return 0


def _call(operation: str) -> BedrockCall:
    row = next(row for row in _TABLE.operations if (row.service, row.operation) == ("bedrock-runtime", operation))
    return BedrockCall(row.service, row, model=_MODEL, streams=bool(row.stream))


def _events() -> Sequence[tuple[str, str, bytes]]:
    """Like recorded ones."""
    delta = {"contentBlockIndex": 0, "delta": {"text": _TEXT}, "p": "abcdefghijklmnopqrstu"}
    own = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}}
    chunk = {"bytes": base64.b64encode(json.dumps(own).encode()).decode(), "p": "abcdefghijklmnopqrstu"}
    return (
        ("the tap, ConverseStream", "ConverseStream", event_frame("contentBlockDelta", delta)),
        ("the tap, InvokeModelWithResponseStream", "InvokeModelWithResponseStream", event_frame("chunk", chunk)),
    )


def _added_us(operation: str, event: bytes) -> float:
    """CPU that the tap adds to an event, the median of rounds that alternate."""
    call, facts = _call(operation), RequestFacts(body_bytes=500, reports_usage=True, billed=True)
    headers = (("Content-Type", CONTENT_TYPE),)

    def relay(tap: Tap | FakeTap) -> float:
        reply = stream_reply([event] * _EVENTS)
        metered = MeteredReply(reply, Books().settlement, Cancellation(), tap, None)
        metered.begin()
        return _cpu_us(lambda: sum(map(len, metered))) / _EVENTS

    with_tap, without = [], []
    for _ in range(_ROUNDS):
        without.append(relay(_Blind()))
        with_tap.append(relay(Tap(call, facts, Ratios(), 200, headers)))
    return median(with_tap) - median(without)


class _Blind(FakeTap):
    """Does nothing."""

    def feed(self, piece: bytes) -> None:
        """Not even this."""


def _unary() -> list[tuple[str, float]]:
    """Microseconds for each part of a Converse call with an answer of 100 and of 1,500 words."""
    call, book, ratios = _call("Converse"), PriceBook.load(None), Ratios()
    headers = (("Content-Type", "application/json"),)
    question = PriceQuestion(_MODEL, "bedrock-runtime", "us-east-1", _TODAY, operation="Converse")
    request = json.dumps(
        {"messages": [{"role": "user", "content": [{"text": _TEXT * 20}]}], "inferenceConfig": {"maxTokens": 512}}
    ).encode()

    def facts() -> RequestFacts:
        return request_facts(call, skim(request, FACT_MEMBERS), {}, request)

    def before() -> None:
        book.hold(question, facts(), _HOLD_OUTPUT_TOKENS)

    asked = facts()
    found = [("the request read, its hold priced", _median_us(before))]
    for words in (100, 1500):
        body = _answer(words)

        def after(body: bytes = body) -> None:
            tap = Tap(call, asked, ratios, 200, headers)
            tap.feed(body)
            book.charge(question, tap.usage(complete=True), 200)

        found.append((f"an answer of {len(body):,} bytes read, priced", _median_us(after)))
    return found


def _answer(words: int) -> bytes:
    text = _TEXT * (words // len(_TEXT.split()))
    usage = {"inputTokens": 26, "outputTokens": 820, "totalTokens": 846, "cacheReadInputTokens": 0}
    content = {
        "metrics": {"latencyMs": 551},
        "output": {"message": {"content": [{"text": text}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": usage,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _median_us(work: Callable[[], None]) -> float:
    def all_of_them() -> None:
        for _ in range(_CALLS):
            work()

    return median(_cpu_us(all_of_them) for _ in range(_ROUNDS)) / _CALLS


def _cpu_us(work: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000


if __name__ == "__main__":
    sys.exit(main())
