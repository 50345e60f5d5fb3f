"""python -m bench.passage: what the gateway's own work costs, in this process, with nothing real around it.

A call is all from its headers to the end of its answer but HTTP, AWS and the database: parsing, the doorman, policy,
the money, the meter. A stream's event is what iterating over a metered reply costs beyond reading it. `--profile`:
where the time of unary calls goes; `--against DIR`: in rounds that alternate with another checkout's.
"""

import argparse
import cProfile
import gc
import json
import pstats
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from app.core import credentials, targets
from app.core.accounts import KeyGrant, Limits, Rights
from app.core.event_stream import CONTENT_TYPE
from app.core.header_rules import Headers
from app.core.ledger_entries import Booked, Posting
from app.core.messages import CallRecord, Cancellation, ProxyRequest, UpstreamRequest
from app.core.operations import load_table
from app.core.policy import RegionRules
from app.gateway.metered_reply import MeteredReply
from app.gateway.passage import Passage
from tests.event_frames import event_frame
from tests.fake_keys import TEXT, FakeKeySource, a_doorman, a_key, a_team
from tests.fakes import FakeBody, FakeClient
from tests.gateway.a_bookkeeping import FakeTickets, a_bookkeeping

# so few that a round is over before other processes have their turn
_CALLS = 20
_EVENTS = 400
_ROUNDS = 150
_COMPARISONS = 3
_PROFILED = 3000
_OPEN_STREAMS = 200
_TOGETHER = 10
_SHOWN = 45
_MODEL = "/bedrock/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0"
_UNARY, _STREAM = "/converse", "/converse-stream"
_RIGHTS = Rights(models=("anthropic.*", "amazon.nova-*"))
_NO_LIMITS = Limits()
_LIMITS = Limits(max_budget=Decimal(1_000_000), rpm_limit=1_000_000)
_TABLE = load_table()
_SERVICES = frozenset(_TABLE.services)
_HEADERS = {
    "host": "127.0.0.1:4000",
    "authorization": f"Bearer {TEXT}",
    "content-type": "application/json",
    "content-length": "159",
    "accept": "application/json",
    "accept-encoding": "identity",
    "connection": "keep-alive",
    "user-agent": "Boto3/1.44.5 md/Botocore#1.44.5",
}
_AWS_HEADERS = (
    ("Date", "Sun, 22 Nov 2026 10:00:00 GMT"),
    ("x-amzn-RequestId", "0b1f6a52-3c1e-4a1c-9a55-5c1f0e5f7a11"),
    ("Connection", "keep-alive"),
)
_BODY = json.dumps(
    {
        "messages": [{"role": "user", "content": [{"text": "What is an outcrop? Answer in one sentence."}]}],
        "inferenceConfig": {"maxTokens": 100},
    }
).encode()
_ANSWER = json.dumps(
    {
        "metrics": {"latencyMs": 551},
        "output": {"message": {"content": [{"text": "x" * 400}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 26, "outputTokens": 82, "totalTokens": 108},
    },
    separators=(",", ":"),
).encode()
_DELTA = event_frame(
    "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": " outcrop"}, "p": "abcdefghijklmnopqrstu"}
)
_METADATA = event_frame("metadata", {"usage": {"inputTokens": 26, "outputTokens": 82}, "metrics": {"latencyMs": 551}})


class _Reply:
    """Hands out the same piece so many times, and then the last."""

    def __init__(self, headers: Headers, piece: bytes, times: int, last: bytes = b"") -> None:
        self.status = 200
        self.reason = "OK"
        self.headers = (*_AWS_HEADERS, *headers)
        self.waited_ms = 0.0
        self._piece = piece
        self._left = times
        self._last = last

    def read_chunk(self) -> bytes:
        self._left -= 1
        if self._left >= 0:
            return self._piece
        last, self._last = self._last, b""
        return last

    def close(self) -> None:
        """Nothing was opened."""


class _Bedrock:
    """Answers every call alike."""

    def __init__(self, answer: Callable[[], _Reply]) -> None:
        self.answer = answer

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> _Reply:
        return self.answer()


class _Ledger:
    """Books nothing."""

    def settle(self, posting: Posting) -> Booked:
        return Booked(committed=True, key_spend=Decimal("0.0012"))


class _Journal:
    def write(self, record: CallRecord) -> None:
        """Tells nobody."""


class _House:
    """A gateway without its outsides. `limits`: of the key."""

    def __init__(self, answer: Callable[[], _Reply], limits: Limits = _NO_LIMITS) -> None:
        key = a_key(alias="bench", rights=_RIGHTS, team_id="team-1", limits=limits)
        bedrock = _Bedrock(answer)
        self._passage = Passage(
            doorman=a_doorman(KeyGrant(key, a_team()), now=_now),
            operations=_TABLE,
            regions=RegionRules("us-east-1", frozenset({"us-east-1"}), explicit=False),
            bedrock=bedrock,
            bookkeeping=a_bookkeeping(_Ledger(), bedrock, _Tickets(), FakeKeySource()),
            journal=_Journal(),
            clock=time.monotonic,
        )

    def call(self, path: str) -> MeteredReply:
        """Up to the head of its answer."""
        record = CallRecord("8d9e3c0e-6f0c-4b53-9f6c-0a4f2f9f2a11", _now(), time.monotonic(), "POST")
        settlement = self._passage.open(record, FakeClient())
        raw = _MODEL + path
        request = ProxyRequest(
            "POST", targets.parse(raw, _SERVICES), _HEADERS, credentials.scope(_HEADERS), raw, "10.0.0.1"
        )
        return self._passage.run(request, FakeBody(_BODY), settlement)


class _Tickets(FakeTickets):
    def take(self, ticket: object) -> None:
        """Gives all, and remembers none."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.passage", description=__doc__)
    parser.add_argument("--profile", nargs="?", const="tottime", help="of unary calls, by cProfile: tottime or cumtime")
    parser.add_argument("--against", type=Path, help="another checkout of the gateway, to alternate with")
    parser.add_argument("--json", action="store_true", help="the numbers alone")
    options = parser.parse_args(arguments)
    if options.profile:
        _profile(options.profile)
        return 0
    if options.against:
        _compare(options.against)
        return 0
    numbers = _numbers()
    lines = (f"{name:<50}{number:8.1f}" for name, number in numbers.items())
    say(json.dumps(numbers) if options.json else "\n".join(lines))
    return 0


def _numbers() -> dict[str, float]:
    """The quickest of some rounds: whatever else runs only ever adds."""
    plain, limited = _House(_unary), _House(_unary, _LIMITS)
    streams = _House(lambda: _stream(_DELTA, 1))
    gc.collect()
    gc.disable()
    try:
        return {
            "us a unary call": _quickest(lambda: _calls_us(plain)),
            "us a unary call, key with a budget and a rate": _quickest(lambda: _calls_us(limited)),
            "us a stream of one event": _quickest(lambda: _calls_us(streams, _STREAM)),
            "us an event": _quickest(lambda: _event_us(_DELTA)),
            f"us an event, {_TOGETHER} in a piece": _quickest(lambda: _event_us(_DELTA * _TOGETHER)) / _TOGETHER,
            "KiB an open stream": _stream_kib(),
        }
    finally:
        gc.enable()


def _unary() -> _Reply:
    framing = (("Content-Type", "application/json"), ("Content-Length", str(len(_ANSWER))))
    return _Reply(framing, _ANSWER, 1)


def _stream(piece: bytes, times: int) -> _Reply:
    return _Reply((("Content-Type", CONTENT_TYPE), ("Transfer-Encoding", "chunked")), piece, times, _METADATA)


def _one_call(house: _House, path: str = _UNARY) -> None:
    reply = house.call(path)
    for _ in reply:
        pass
    reply.close()


def _calls_us(house: _House, path: str = _UNARY) -> float:
    def calls() -> None:
        for _ in range(_CALLS):
            _one_call(house, path)

    return _cpu_us(calls) / _CALLS


def _event_us(piece: bytes) -> float:
    """For each piece, less what reading it without the gateway takes."""
    bare = _stream(piece, _EVENTS)
    reply = _House(lambda: _stream(piece, _EVENTS)).call(_STREAM)
    reading = _cpu_us(lambda: sum(map(len, iter(bare.read_chunk, b""))))
    return (_cpu_us(lambda: sum(map(len, reply))) - reading) / _EVENTS


def _stream_kib() -> float:
    """What is held of a stream while it is open, less the fakes' own bytes as far as they are shared."""
    house = _House(lambda: _stream(_DELTA, _EVENTS))
    kept = [_opened(house)]
    gc.collect()
    tracemalloc.start()
    try:
        kept += [_opened(house) for _ in range(_OPEN_STREAMS)]
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / 1024 / (len(kept) - 1)
    finally:
        tracemalloc.stop()


def _opened(house: _House) -> MeteredReply:
    reply = house.call(_STREAM)
    next(reply)
    next(reply)
    return reply


def _profile(order: str) -> None:
    house = _House(_unary)
    _calls_us(house)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(_PROFILED):
        _one_call(house)
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats(order).print_stats(_SHOWN)


def _compare(other: Path) -> None:
    """The least of rounds that alternate."""
    command = [sys.executable, "-m", "bench.passage", "--json"]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(_COMPARISONS):
        for side, folder in enumerate((other, Path.cwd())):
            done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
            for name, number in json.loads(done.stdout).items():
                found.setdefault(name, ([], []))[side].append(number)
    for name, (before, after) in found.items():
        say(f"{name:<50}{min(before):8.1f} ->{min(after):8.1f}   {min(after) / min(before):.2f} x")


def _quickest(work: Callable[[], float]) -> float:
    return min(work() for _ in range(_ROUNDS))


def _cpu_us(work: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000


def _now() -> datetime:
    return datetime.now(UTC)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
