"""What the tap makes of answers: usage where it can be believed, else `unknown` and why, and never an exception."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.event_stream import CONTENT_TYPE
from app.core.header_rules import Headers
from app.core.json_skim import Skimmed
from app.core.operations import load_table
from app.core.tap import Tap
from app.core.usage import UNKNOWN, RequestFacts, Usage
from app.core.usage_reader import UsageReader
from tests.event_frames import encode_frame, error_frame, event_frame, exception_frame

TABLE = load_table()
FACTS = RequestFacts(body_bytes=400, billed=True, reports_usage=True)
JSON: Headers = (("Content-Type", "application/json"),)
STREAM: Headers = (("Content-Type", CONTENT_TYPE),)
SSE: Headers = (("Content-Type", "text/event-stream; charset=utf-8"),)
COUNTS = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
METADATA = event_frame("metadata", {"usage": COUNTS, "metrics": {"latencyMs": 1}})
DELTAS = [event_frame("contentBlockDelta", {"delta": {"text": text}}) for text in ("Hello", " from", " here")]


def call(operation: str, model: str = "us.amazon.nova-lite-v1:0") -> BedrockCall:
    row = next(row for row in TABLE.operations if row.operation == operation and row.service == "bedrock-runtime")
    return BedrockCall(row.service, row, model=model, streams=bool(row.stream))


def tapped(
    operation: str, *pieces: bytes, headers: Headers = JSON, status: int = 200, facts: RequestFacts = FACTS
) -> Tap:
    tap = Tap(call(operation), facts, Ratios(), status, headers)
    for piece in pieces:
        tap.feed(piece)
    return tap


def converse(usage: object, **others: object) -> bytes:
    return json.dumps({"output": {"message": {"role": "assistant", "content": []}}, "usage": usage, **others}).encode()


def read(tap: Tap) -> tuple[str, Mapping[str, int]]:
    usage = tap.usage(complete=True)
    return usage.source, usage.counts


REPORTED = ("reported", {"input": 11, "output": 7})


def test_an_answer_is_read_whole_and_byte_by_byte() -> None:
    body = converse(COUNTS)

    assert read(tapped("Converse", body)) == REPORTED
    assert read(tapped("Converse", *(bytes([byte]) for byte in body))) == REPORTED


def test_a_stream_is_read_whole_and_byte_by_byte() -> None:
    stream = b"".join([*DELTAS, METADATA])

    assert read(tapped("ConverseStream", stream, headers=STREAM)) == REPORTED
    assert read(tapped("ConverseStream", *(bytes([byte]) for byte in stream), headers=STREAM)) == REPORTED


def test_server_sent_events_are_read() -> None:
    event = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}}\r\n\r\n'
    stream = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\r\n\r\n' + event + b"data: [DONE]\r\n\r\n"

    assert read(tapped("OpenAIChatCompletions", *(bytes([byte]) for byte in stream), headers=SSE)) == REPORTED
    # the last event without its blank line
    assert read(tapped("OpenAIChatCompletions", event[:-2], headers=SSE)) == REPORTED


def test_headers_are_read() -> None:
    headers = (
        *JSON,
        ("X-Amzn-Bedrock-Input-Token-Count", "11"),
        ("X-Amzn-Bedrock-Output-Token-Count", "7"),
    )

    assert read(tapped("InvokeModel", b'{"outputs": [{"text": "a"}]}', headers=headers)) == REPORTED


def test_a_cut_stream_is_estimated() -> None:
    """Never 0, by whatever came."""
    usage = tapped("ConverseStream", *DELTAS, headers=STREAM).usage(complete=False)

    assert usage.source == "estimated"
    assert usage.counts["input"] > 0
    assert usage.counts["output"] > 0
    assert usage.problem is None


def test_the_first_asking_counts() -> None:
    tap = tapped("ConverseStream", *DELTAS, headers=STREAM)
    usage = tap.usage(complete=False)
    tap.feed(METADATA)

    assert tap.usage(complete=True) is usage


@pytest.mark.parametrize("status", [199, 300, 400, 403, 429, 500, 503])
def test_what_is_no_success_is_not_read(status: int) -> None:
    assert tapped("Converse", converse(COUNTS), status=status).usage(complete=True) is UNKNOWN


@pytest.mark.parametrize("status", [200, 201, 299])
def test_every_success_is_read(status: int) -> None:
    assert read(tapped("Converse", converse(COUNTS), status=status)) == REPORTED


def test_what_aws_does_not_bill_is_not_read() -> None:
    assert tapped("Converse", converse(COUNTS), facts=RequestFacts()).usage(complete=True) is UNKNOWN


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"inputTokens": -1, "outputTokens": 7},
        {"inputTokens": 11, "outputTokens": 7.5},
        {"inputTokens": 11, "outputTokens": "7"},
        {"inputTokens": 11, "outputTokens": True},
        {"inputTokens": 10**9 + 1, "outputTokens": 7},
        {"inputTokens": 1e300, "outputTokens": 7},
        {"inputTokens": float("nan"), "outputTokens": 7},
        {**COUNTS, "cacheReadInputTokens": -3},
        {**COUNTS, "cacheDetails": [{"ttl": "5m", "inputTokens": -1}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("streamed", [False, True])
def test_counts_that_cannot_be_believed_are_unknown(usage: object, streamed: bool) -> None:
    """Negative, missing, no numbers or too large: with the reason, and without a word of the answer."""
    if streamed:
        tap = tapped("ConverseStream", *DELTAS, event_frame("metadata", {"usage": usage}), headers=STREAM)
    else:
        tap = tapped("Converse", converse(usage))
    found = tap.usage(complete=True)

    assert (found.source, found.counts) == ("unknown", {})
    assert found.problem
    assert "Hello" not in found.problem


@pytest.mark.parametrize("usage", [{"inputTokens": 11}, {"outputTokens": 7}, {"totalTokens": 18}])
def test_counts_that_are_missing_make_an_answer_unknown(usage: object) -> None:
    assert tapped("Converse", converse(usage)).usage(complete=True).source == "unknown"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_integer_of_ten_thousand_digits_is_unknown(streamed: bool) -> None:
    usage = b'{"usage": {"inputTokens": ' + b"9" * 10_000 + b', "outputTokens": 7}}'
    frame = encode_frame({":event-type": "metadata", ":message-type": "event"}, usage)
    tap = tapped("ConverseStream", frame, headers=STREAM) if streamed else tapped("Converse", usage)

    assert tap.usage(complete=True).source == "unknown"
    assert tap.usage(complete=True).problem


@pytest.mark.parametrize("place", range(0, len(METADATA), 7))
def test_a_damaged_stream_is_unknown(place: int) -> None:
    """Wherever it is damaged, also where it goes on unharmed."""
    damaged = bytearray(METADATA)
    damaged[place] ^= 4
    found = tapped("ConverseStream", METADATA, bytes(damaged), METADATA, headers=STREAM).usage(complete=True)

    assert (found.source, found.problem) == ("unknown", "The event stream is damaged.")


def test_bytes_that_are_no_event_stream_are_unknown_and_lost() -> None:
    tap = tapped("ConverseStream", b'{"usage": ' + b"x" * 99, headers=STREAM)

    assert (tap.at_boundary, tap.lost, tap.usage(complete=True).source) == (False, True, "unknown")


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (exception_frame("modelStreamErrorException", "Secret words."), "exception"),
        (error_frame("500", "Secret words."), "error"),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_an_exception_inside_a_stream_is_unknown(frame: bytes, kind: str, complete: bool) -> None:
    found = tapped("ConverseStream", *DELTAS, frame, headers=STREAM).usage(complete=complete)

    assert (found.source, found.problem) == ("unknown", f"An {kind} came inside the stream before its usage.")


def test_an_exception_after_the_usage_changes_nothing() -> None:
    stream = [*DELTAS, METADATA, exception_frame("throttlingException", "No.")]

    assert read(tapped("ConverseStream", *stream, headers=STREAM)) == REPORTED


@pytest.mark.parametrize(
    ("operation", "body", "headers"),
    [("Converse", converse(COUNTS), JSON), ("ConverseStream", METADATA, STREAM)],
)
@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP, identity"])
def test_an_answer_in_a_coding_that_nobody_asked_for_is_unknown(
    operation: str, body: bytes, headers: Headers, coding: str
) -> None:
    headers = (*headers, ("content-encoding", coding), ("x-amzn-bedrock-input-token-count", "5"))
    found = tapped(operation, gzip.compress(body), headers=headers).usage(complete=True)

    assert found.source == "unknown"
    assert found.problem == "The answer came with a Content-Encoding that nobody asked for."


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_an_answer_that_says_that_it_is_as_it_is_is_read(coding: str) -> None:
    assert read(tapped("Converse", converse(COUNTS), headers=(*JSON, ("Content-Encoding", coding)))) == REPORTED


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Secret words."},
        {"Message": "Secret words.", "__type": "ThrottlingException"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Secret words."}},
        {"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"},
    ],
)
@pytest.mark.parametrize("operation", ["Converse", "InvokeModel", "Rerank"])
def test_a_success_with_an_errors_body_is_unknown(operation: str, body: dict[str, Any]) -> None:
    """Also where headers or the request say what AWS would bill."""
    headers = (*JSON, ("x-amzn-bedrock-input-token-count", "5"), ("x-amzn-bedrock-output-token-count", "5"))
    facts = RequestFacts(billed=True, reports_usage=True, units={"query": 1})
    if operation == "Rerank":
        row = next(row for row in TABLE.operations if row.operation == operation)
        tap = Tap(BedrockCall(row.service, row), facts, Ratios(), 200, headers)
    else:
        tap = Tap(call(operation), facts, Ratios(), 200, headers)
    tap.feed(json.dumps(body).encode())
    found = tap.usage(complete=True)

    assert (found.source, found.problem) == ("unknown", "The answer is an error with the status of a success.")


def test_a_success_that_says_it_is_an_error_is_unknown() -> None:
    found = tapped("Converse", converse(COUNTS), headers=(*JSON, ("x-amzn-ErrorType", "X"))).usage(complete=True)

    assert (found.source, found.problem) == ("unknown", "The answer is an error with the status of a success.")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html>", converse(COUNTS)[:-1], b"\xff\xfe{}"])
def test_a_body_that_is_no_whole_object_is_unknown(body: bytes) -> None:
    found = tapped("Converse", body).usage(complete=True)

    assert (found.source, found.problem) == ("unknown", "The answer's body is no whole JSON object.")


def test_an_answer_that_broke_off_is_unknown_without_a_problem() -> None:
    """That it broke is known, and no fault of its numbers."""
    assert tapped("Converse", converse(COUNTS)[:-9]).usage(complete=False) == UNKNOWN


@pytest.mark.parametrize("reports", [True, False])
def test_silence_is_a_problem_where_usage_is_due(reports: bool) -> None:
    found = tapped("ConverseStream", headers=STREAM, facts=RequestFacts(billed=True, reports_usage=reports)).usage(
        complete=True
    )

    assert found.source == "unknown"
    assert bool(found.problem) is reports


def test_what_is_no_event_stream_has_no_boundaries() -> None:
    tap = tapped("Converse", converse(COUNTS))

    assert (tap.at_boundary, tap.lost, tap.frames) == (False, True, 0)


def test_boundaries_are_known_of_streams_that_nobody_reads() -> None:
    """Errors and operations that are not billed: a break must be told there too."""
    for tap in (
        tapped("ConverseStream", *DELTAS, headers=STREAM, status=500),
        tapped("ConverseStream", *DELTAS, headers=STREAM, facts=RequestFacts()),
    ):
        assert (tap.at_boundary, tap.lost, tap.frames) == (True, False, len(DELTAS))


class Failing:
    """A reader with a fault in one of its steps."""

    wants = frozenset(["usage"])

    def __init__(self, step: str, error: Exception) -> None:
        self._step, self._error = step, error

    def _fail(self, step: str) -> None:
        if step == self._step:
            raise self._error

    def headers(self, low: Mapping[str, str]) -> None:
        self._fail("headers")

    def body(self, skimmed: Skimmed) -> None:
        self._fail("body")

    def event(self, name: str, payload: bytes) -> None:
        self._fail("event")

    def usage(self, complete: bool) -> Usage:
        self._fail("usage")
        return Usage("reported", {"input": 1})


@pytest.mark.parametrize("step", ["find", "headers", "body", "event", "usage"])
@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), AssertionError()], ids=repr)
def test_a_readers_fault_never_reaches_the_bytes(step: str, error: Exception) -> None:
    """Usage is unknown and says so; boundaries are still known."""

    def find(*_: object) -> UsageReader:
        if step == "find":
            raise error
        return Failing(step, error)

    headers = JSON if step == "body" else STREAM
    tap = Tap(call("ConverseStream"), FACTS, Ratios(), 200, headers, find=find)
    for piece in [converse(COUNTS)] if step == "body" else [*DELTAS, METADATA[:9]]:
        tap.feed(piece)

    found = tap.usage(complete=True)
    assert (found.source, found.problem) == (
        "unknown",
        "The reader of this answer's usage failed: a fault of the gateway.",
    )
    assert tap.frames == (0 if step == "body" else len(DELTAS))


@pytest.mark.parametrize("number", [-1, 10**9 + 1, True, 1.5, "1"])
def test_no_reader_is_believed_everything(number: Any) -> None:
    """Counts are looked at once more, whoever read them."""

    class Generous(Failing):
        def usage(self, complete: bool) -> Usage:
            return Usage("reported", {"input": 1}, by_model={"a": {"input": number}})

    tap = Tap(call("Converse"), FACTS, Ratios(), 200, JSON, find=lambda *_: Generous("", KeyError()))
    tap.feed(b"{}")

    assert tap.usage(complete=True).source == "unknown"
    assert tap.usage(complete=True).problem
