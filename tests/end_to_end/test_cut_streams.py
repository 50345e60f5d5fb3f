"""A call that did not come to its end is in the ledger soon, with what AWS will bill of it and how that is known.

AWS bills a stream for as long as it ran, and an answer that is no stream in full, whoever was still there.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.ledger_rows import LedgerRow, LedgerRows, ledger_rows
from tests.end_to_end.streams import broken
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_answers import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TEXT,
    chunk_frame,
    converse_frames,
    invoke_frames,
    usage,
)
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import (
    EVENT_STREAM,
    Answer,
    Chunk,
    EndChunks,
    Gate,
    NoAnswer,
    Reset,
    Send,
    Step,
    Wait,
    chunked_answer,
)

MODEL = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
NOVA = "/bedrock/model/amazon.nova-lite-v1%3A0"
SAID = [{"role": "user", "content": [{"text": "Tell me what an outcrop is, in a sentence or two."}]}]
REPORTED = {"input": INPUT_TOKENS, "output": OUTPUT_TOKENS}


@dataclass(frozen=True)
class Stream:
    """What a caller asks for and AWS says, event by event. `told`: after how many events the whole usage is known."""

    target: str
    asked: dict[str, Any]
    events: Sequence[bytes]
    told: int
    content_type: str = EVENT_STREAM

    def request(self, end_user: str = "ada") -> bytes:
        headers = [("Authorization", f"Bearer {MASTER_KEY}"), ("Content-Type", "application/json")]
        headers.append(("x-litellm-end-user-id", end_user))
        return raw_request("POST", self.target, headers, json.dumps(self.asked).encode())

    def gated(self, gate: Gate, before: int) -> Answer:
        """Stops before the event of this number until the gate opens."""
        steps: list[Step] = [*map(Chunk, self.events[:before]), Wait(gate), *map(Chunk, self.events[before:])]
        return chunked_answer([*steps, EndChunks()], self.content_type)

    def broken(self, before: int) -> Answer:
        return broken(Reset(), *self.events[:before])


def _nova_frames() -> list[bytes]:
    events: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    events += [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in TEXT]
    events += [{"contentBlockStop": {"contentBlockIndex": 0}}, {"messageStop": {"stopReason": "end_turn"}}]
    metrics = {"inputTokenCount": INPUT_TOKENS, "outputTokenCount": OUTPUT_TOKENS}
    events += [{"metadata": {"usage": usage()}, "amazon-bedrock-invocationMetrics": metrics}]
    return [chunk_frame(json.dumps(event).encode()) for event in events]


def _chat_events() -> list[bytes]:
    chunks: list[dict[str, Any]] = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]} for text in TEXT
    ]
    counts = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 46}
    chunks.append({"object": "chat.completion.chunk", "choices": [], "usage": counts})
    return [f"data: {text}\n\n".encode() for text in (*map(json.dumps, chunks), "[DONE]")]


STREAMS = {
    "ConverseStream": Stream(f"{NOVA}/converse-stream", {"messages": SAID}, converse_frames(), 9),
    "InvokeModel of Anthropic": Stream(
        f"{MODEL}/invoke-with-response-stream",
        {"messages": [{"role": "user", "content": "Tell me what an outcrop is."}], "max_tokens": 500},
        invoke_frames(),
        9,
    ),
    "InvokeModel of Nova": Stream(f"{NOVA}/invoke-with-response-stream", {"messages": SAID}, _nova_frames(), 9),
    "chat completions": Stream(
        "/bedrock/openai/v1/chat/completions",
        {
            "model": "openai.gpt-oss-20b-1:0",
            "stream": True,
            "messages": [{"role": "user", "content": "Tell me what an outcrop is."}],
        },
        _chat_events(),
        6,
        "text/event-stream",
    ),
}


def _cuts() -> Iterator[Any]:
    for name, stream in STREAMS.items():
        whole = len(stream.events)
        for after in sorted({0, 1, whole // 2, stream.told - 1, stream.told, whole}):
            yield pytest.param(stream, after, id=f"{name} after {after} of {whole}")


@pytest.fixture
def rows(gateway: GatewayProcess) -> Iterator[LedgerRows]:
    with ledger_rows(gateway) as found:
        yield found


def call_id(head: bytes) -> str:
    """Of the head of a reply."""
    return head.lower().partition(b"x-litellm-call-id: ")[2].partition(b"\r\n")[0].decode()


def assert_estimated(row: LedgerRow, ended: str) -> None:
    assert (row.ended, row.source) == (ended, "estimated")
    assert row.cost is not None
    assert row.cost > 0
    assert row.counts["input"] > 0
    assert row.counts["output"] > 0
    assert row.said["usage_method"].startswith("estimated: ")


@pytest.mark.parametrize(("stream", "after"), list(_cuts()))
def test_a_stream_that_its_caller_cuts_is_billed(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, stream: Stream, after: int
) -> None:
    standin.script(stream.gated(Gate(), after))
    with RawConnection(gateway.port) as caller:
        caller.send(stream.request())
        head = caller.read_until(b"\r\n\r\n")
        if after:
            caller.read_until(stream.events[after - 1])
        caller.reset()

    row = rows.of(call_id(head))

    if after < stream.told:
        assert_estimated(row, "client_gone")
    else:
        assert (row.ended, row.source, row.counts) == ("client_gone", "reported", REPORTED)
    assert row.said["status"] == "success"


@pytest.mark.parametrize("stream", list(STREAMS.values()), ids=list(STREAMS))
def test_a_caller_who_leaves_before_a_stream_begins_is_billed_for_what_the_model_read(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, stream: Stream
) -> None:
    silence = NoAnswer("hang")
    standin.script(silence)
    with RawConnection(gateway.port) as caller:
        caller.send(stream.request(end_user := str(uuid4())))
        silence.gate.wait_reached()
        caller.reset()

    row = rows.of_end_user(end_user)

    assert_estimated(row, "client_gone")


def test_an_answer_whose_caller_left_while_aws_was_thinking_is_booked_as_aws_reports_it(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    gate = Gate()
    body = json.dumps({"output": {"message": {"content": [{"text": "Hi"}]}}, "usage": usage()}).encode()
    framing = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    standin.script(Answer(headers=framing, steps=[Send(body[:0]), Wait(gate), Send(body)]))
    with RawConnection(gateway.port) as caller:
        caller.send(Stream(f"{NOVA}/converse", {"messages": SAID}, (), 0).request(end_user := str(uuid4())))
        gate.wait_reached()
        caller.reset()
    gate.open()

    row = rows.of_end_user(end_user)

    assert row.ended in ("complete", "client_gone")
    assert (row.source, row.counts) == ("reported", REPORTED)
    assert row.cost == Decimal("0.00000888")  # 12 at 0.06 and 34 at 0.24 dollars a million


def test_a_long_answer_that_its_caller_abandons_is_booked_as_aws_reports_it(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    gate = Gate()
    text = "x" * 600_000
    body = json.dumps({"output": {"message": {"content": [{"text": text}]}}, "usage": usage()}).encode()
    framing = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    standin.script(Answer(headers=framing, steps=[Send(body[:300_000]), Wait(gate), Send(body[300_000:])]))
    with RawConnection(gateway.port) as caller:
        caller.send(Stream(f"{NOVA}/converse", {"messages": SAID}, (), 0).request())
        head = caller.read_until(b"\r\n\r\n")
        gate.wait_reached()
        caller.read_some()
        caller.reset()
    gate.open()

    row = rows.of(call_id(head))

    assert (row.ended, row.source, row.counts) == ("client_gone", "reported", REPORTED)
    assert row.cost == Decimal("0.00000888")
    assert row.said["bytes_out"] == len(body)


@pytest.mark.parametrize("before", [0, 1, 4])
def test_a_stream_that_breaks_at_aws_is_billed(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, before: int
) -> None:
    stream = STREAMS["ConverseStream"]
    standin.script(stream.broken(before))

    reply = exchange(gateway.port, stream.request())
    row = rows.of(reply.header("x-litellm-call-id"))

    assert_estimated(row, "upstream_broken")
    assert row.said["status"] == "failure"


def test_a_stream_that_a_stop_cuts_is_billed(standin: StandinBedrock) -> None:
    stream = STREAMS["ConverseStream"]
    standin.script(stream.gated(Gate(), 3))
    gateway = GatewayProcess(standin=standin, env={"GUNICORN_CMD_ARGS": "--graceful-timeout 3"})
    with gateway, RawConnection(gateway.port) as caller, ledger_rows(gateway) as rows:
        caller.send(stream.request())
        head = caller.read_until(b"\r\n\r\n")
        caller.read_until(stream.events[2])
        gateway.terminate()
        assert caller.wait_ended() in ("cut", "reset")
        assert gateway.wait_exit() == 0

        assert_estimated(rows.of(call_id(head)), "stopped")
