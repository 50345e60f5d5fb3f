"""What AWS says of a call's use, and nobody can believe: the caller gets the very bytes, the ledger says `unknown`.

Unknown is never 0: the row has no cost and counts as unpriced. One line of the log says why, by the call's id.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.ledger_rows import ledger_rows, spend_log
from tests.event_frames import event_frame
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.standin_answers import chunk_frame, converse_frames
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import EVENT_STREAM, Answer, Chunk, EndChunks, Send, body_answer, chunked_answer

JSON = "application/json"
CONVERSE = "/bedrock/model/amazon.nova-lite-v1%3A0/converse"
CONVERSE_STREAM = f"{CONVERSE}-stream"
INVOKE = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
INVOKE_STREAM = f"{INVOKE}-with-response-stream"
CHAT = "/bedrock/openai/v1/chat/completions"
GOOD_USAGE = '{"inputTokens":1,"outputTokens":2,"totalTokens":3}'
FRAMES = converse_frames()
# JSON text of what no count can be
COUNTS = (
    "-1",
    "1000000000000000000",
    "9007199254740993",
    "1e400",
    "9" * 5000,
    "1.5",
    '"12"',
    "true",
    "null",
    "[1]",
    "{}",
)


@dataclass(frozen=True)
class Case:
    """An answer with the status of a success whose use nobody can know."""

    name: str
    target: str
    pieces: Sequence[bytes]
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()

    def answer(self) -> Answer:
        if self.content_type == JSON:
            return body_answer(b"".join(self.pieces), JSON, headers=self.headers)
        return chunked_answer([*map(Chunk, self.pieces), EndChunks()], self.content_type, self.headers)


def _whole(name: str, text: str, target: str = CONVERSE, headers: Sequence[tuple[str, str]] = ()) -> Case:
    return Case(name, target, [text.encode()], headers=headers)


def _used(usage: str) -> str:
    return f'{{"output":{{"message":{{"content":[{{"text":"Hi"}}]}}}},"usage":{usage}}}'


def _sse(*events: str) -> list[bytes]:
    return [f"data: {event}\n\n".encode() for event in (*events, "[DONE]")]


def _changed(frame: bytes, at: int, value: bytes) -> bytes:
    return frame[:at] + value + frame[at + len(value) :]


def _bad_counts() -> list[Case]:
    cases = [
        _whole(f"output {count[:24]}", _used(f'{{"inputTokens":12,"outputTokens":{count},"totalTokens":46}}'))
        for count in COUNTS
    ]
    cases += [
        _whole(
            f"input {count[:24]}", f'{{"type":"message","usage":{{"input_tokens":{count},"output_tokens":3}}}}', INVOKE
        )
        for count in COUNTS
    ]
    for count in ("-1", "1000000000000000000", '"12"'):
        metadata = event_frame("metadata", json.loads(f'{{"usage":{{"inputTokens":1,"outputTokens":{count}}}}}'))
        cases.append(Case(f"stream {count}", CONVERSE_STREAM, [*FRAMES[:-1], metadata], EVENT_STREAM))
        delta = f'{{"type":"message_delta","usage":{{"output_tokens":{count}}}}}'
        begun = '{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}'
        chunks = [chunk_frame(event.encode()) for event in (begun, delta, '{"type":"message_stop"}')]
        cases.append(Case(f"invoked stream {count}", INVOKE_STREAM, chunks, EVENT_STREAM))
        said = f'{{"choices":[],"usage":{{"prompt_tokens":{count},"completion_tokens":1}}}}'
        cases.append(Case(f"chat {count}", CHAT, _sse(said), "text/event-stream"))
    return cases


def _damaged() -> list[Case]:
    garbage = b"\xff\xff\xff\xff" + b"\x00" * 60
    return [
        Case(
            "checksum of a frame",
            CONVERSE_STREAM,
            [*FRAMES[:3], _changed(FRAMES[3], -5, b"!"), *FRAMES[4:]],
            EVENT_STREAM,
        ),
        Case(
            "checksum of a prelude",
            CONVERSE_STREAM,
            [*FRAMES[:3], _changed(FRAMES[3], 8, b"!"), *FRAMES[4:]],
            EVENT_STREAM,
        ),
        Case("garbage length", CONVERSE_STREAM, [*FRAMES[:3], garbage, *FRAMES[3:]], EVENT_STREAM),
        Case("no event stream at all", CONVERSE_STREAM, [b"<html>" + b"x" * 3000 + b"</html>"], EVENT_STREAM),
        Case("no event stream at all, invoked", INVOKE_STREAM, [b"<html></html>" * 9], EVENT_STREAM),
    ]


def _misleading() -> list[Case]:
    zipped = gzip.compress(_used(GOOD_USAGE).encode())
    encoded = (("Content-Encoding", "gzip"),)
    deep = 200_000
    return [
        _whole("an error's body", '{"message":"Too many requests","__type":"ThrottlingException"}'),
        _whole("an error's body, invoked", '{"message":"Internal failure"}', INVOKE),
        _whole("an error's header", _used(GOOD_USAGE), headers=(("x-amzn-ErrorType", "ThrottlingException"),)),
        _whole("no JSON", "<html>gateway timeout</html>"),
        _whole("half a JSON", _used(GOOD_USAGE)[:-2]),
        _whole("a list", f"[{_used(GOOD_USAGE)}]"),
        _whole("no usage", '{"output":{"message":{"content":[{"text":"Hi"}]}}}'),
        _whole("half a usage", _used('{"outputTokens":2}')),
        _whole("usage that is none", _used('"lots"')),
        _whole("deep usage", _used('{"inputTokens":' + "[" * deep + "]" * deep + ',"outputTokens":2}')),
        _whole("deep and unclosed", '{"output":' + '{"a":' * deep),
        Case("gzip", CONVERSE, [zipped], headers=encoded),
        Case("gzip, streamed", CONVERSE_STREAM, [gzip.compress(b"".join(FRAMES))], EVENT_STREAM, encoded),
    ]


CASES = [*_bad_counts(), *_damaged(), *_misleading()]


def call(gateway: GatewayProcess, target: str) -> RawReply:
    headers = [("Authorization", f"Bearer {MASTER_KEY}"), ("Content-Type", JSON)]
    asked = {"messages": [{"role": "user", "content": "Hello"}], "model": "openai.gpt-oss-20b-1:0", "max_tokens": 9}
    if target == CHAT:
        asked["stream"] = True
    return exchange(gateway.port, raw_request("POST", target, headers, json.dumps(asked).encode()))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_use_that_cannot_be_believed_is_unknown(gateway: GatewayProcess, standin: StandinBedrock, case: Case) -> None:
    standin.script(case.answer())

    reply = call(gateway, case.target)
    call_id = reply.header("x-litellm-call-id")
    assert (reply.status, reply.ended, reply.body) == (200, "clean", b"".join(case.pieces))
    assert not reply.header("x-litellm-response-cost")

    with ledger_rows(gateway) as rows:
        row = rows.of(call_id)
    assert (row.source, row.cost, row.counts) == ("unknown", None, {})
    logged = spend_log(gateway, call_id)
    assert (logged["spend"], logged["unpriced"], logged["usage_source"]) == (0, True, "unknown")
    gateway.wait_for_log(lambda line: line["call_id"] == call_id)
    why = [line["message"] for line in gateway.log_lines("log") if str(call_id) in line["message"]]
    assert len(why) == 1
    assert f"the usage of call {call_id} (" in why[0]
    assert not [line for line in gateway.log_lines("log") if "traceback" in line]


def test_the_worker_serves_on_after_all_of_them(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    [worker] = gateway.worker_pids()
    for case in CASES:
        standin.script(case.answer())
        call(gateway, case.target)

    reply = call(gateway, CONVERSE)

    assert reply.header("x-litellm-response-cost") == "0.00000888"
    assert gateway.worker_pids() == [worker]


def test_a_stream_that_ends_inside_a_frame_is_no_success(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    pieces = [*FRAMES[:3], FRAMES[3][:-4]]
    standin.script(chunked_answer([*map(Chunk, pieces), EndChunks()], EVENT_STREAM))

    reply = call(gateway, CONVERSE_STREAM)
    with ledger_rows(gateway) as rows:
        row = rows.of(reply.header("x-litellm-call-id"))

    assert (reply.ended, reply.body) == ("cut", b"".join(pieces))
    assert (row.ended, row.said["status"], row.source) == ("upstream_broken", "failure", "estimated")
    assert row.cost


def test_an_answer_of_many_megabytes_of_nonsense_is_passed_on(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    body = b'{"usage":{"inputTokens":' + b"[" * 6_000_000
    framing = [("Content-Type", JSON), ("Content-Length", str(len(body)))]
    standin.script(Answer(headers=framing, steps=[Send(body)]))

    reply = call(gateway, CONVERSE)
    with ledger_rows(gateway) as rows:
        row = rows.of(reply.header("x-litellm-call-id"))

    assert (reply.ended, reply.body == body) == ("clean", True)
    assert (row.source, row.cost) == ("unknown", None)


def test_a_wrong_price_file_stops_the_start_with_its_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"models": {\n "amazon.nova-lite-v1:0": {\n  "regional": {"inputs": 1}}}}')
    gateway = GatewayProcess({"OUTCROP_PRICES": str(file)})
    gateway.launch()
    code = gateway.wait_exit()
    gateway.stop()

    assert code != 0
    assert len(gateway.stderr) == 1
    assert f"OUTCROP_PRICES='{file}': line 3: models.amazon.nova-lite-v1:0.regional" in gateway.stderr[0]
    assert "inputs" in gateway.stderr[0]


def test_prices_of_ones_own_are_what_calls_cost(standin: StandinBedrock) -> None:
    own = {"models": {"amazon.nova-lite-v1:0": {"regional": {"input": 1, "output": "2.5"}}}}
    with GatewayProcess({"OUTCROP_PRICES": json.dumps(own)}, standin) as gateway:
        reply = call(gateway, CONVERSE)
        with ledger_rows(gateway) as rows:
            row = rows.of(reply.header("x-litellm-call-id"))

    assert row.cost == Decimal("0.000097")  # 12 at 1 and 34 at 2.5 dollars a million
    assert reply.header("x-litellm-response-cost") == "0.000097"
