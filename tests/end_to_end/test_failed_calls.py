"""Calls that failed on the way to AWS, at AWS or at a deadline: each has a row, and none is free by mistake.

Where AWS may have run the model and said nothing of it, what the call used is unknown; where it never got the call, it
cost nothing.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from tests.end_to_end.ledger_rows import LedgerRow, LedgerRows, ledger_rows
from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_answers import converse_frames
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import EVENT_STREAM, Answer, Chunk, Gate, NoAnswer, Reset, Send, Wait, chunked_answer

LIMITS = {"OUTCROP_FIRST_BYTE_TIMEOUT": "1", "OUTCROP_READ_TIMEOUT": "1", "OUTCROP_WRITE_TIMEOUT": "1"}
FRAMES = converse_frames()
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def impatient(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway that waits a second for anybody. Of bedrock-mantle nobody is there."""
    nobody = {"AWS_ENDPOINT_URL_BEDROCK_MANTLE": "http://127.0.0.1:1"}
    with GatewayProcess(LIMITS | nobody, standin_for_all) as running:
        yield running


@pytest.fixture
def rows(impatient: GatewayProcess) -> Iterator[LedgerRows]:
    with ledger_rows(impatient) as found:
        yield found


def request(target: str = CONVERSE, end_user: str = "ada") -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "model": "openai.gpt-oss-20b"})
    own = [("Authorization", f"Bearer {MASTER_KEY}"), JSON, ("x-litellm-end-user-id", end_user)]
    return raw_request("POST", target, own, body.encode())


def after(gateway: GatewayProcess, rows: LedgerRows, target: str = CONVERSE) -> tuple[int, LedgerRow]:
    """The status that the caller gets, and the call's row."""
    reply = exchange(gateway.port, request(target))
    return reply.status, rows.of(reply.header("x-litellm-call-id"))


def test_a_call_that_never_reached_aws_cost_nothing(impatient: GatewayProcess, rows: LedgerRows) -> None:
    status, row = after(impatient, rows, "/bedrock-mantle/v1/chat/completions")

    assert (status, row.said["http_status"], row.said["status"]) == (503, 503, "failure")
    assert (row.source, row.cost) == ("unknown", Decimal(0))


def test_a_call_that_the_gateway_gave_up_on_is_billed_for_what_its_model_read(
    impatient: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    standin.script(NoAnswer("hang"), NoAnswer("hang"))

    status, row = after(impatient, rows)

    assert (status, row.ended, row.said["status"]) == (408, "upstream_broken", "failure")
    assert (row.source, row.cost is not None and row.cost > 0) == ("estimated", True)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_what_aws_did_with_a_call_that_it_never_answered_is_unknown(
    impatient: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, how: str
) -> None:
    standin.script(NoAnswer(how), NoAnswer(how))  # type: ignore[arg-type]  # one of them, as the table says

    status, row = after(impatient, rows)

    assert status >= 400
    assert (row.ended, row.said["status"], row.said["http_status"]) == ("upstream_broken", "failure", status)
    assert (row.source, row.cost) == ("unknown", None)


def test_an_answer_that_broke_off_is_unknown(
    impatient: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    standin.script(
        Answer(headers=[JSON, ("Content-Length", "1000")], steps=[Send(b'{"usage":{"inputTokens":1'), Reset()])
    )

    status, row = after(impatient, rows)

    assert status >= 400
    assert (row.ended, row.source, row.cost) == ("upstream_broken", "unknown", None)


def test_a_stream_that_falls_silent_is_billed(
    impatient: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    standin.script(chunked_answer([*map(Chunk, FRAMES[:3]), Wait(Gate())], EVENT_STREAM))

    status, row = after(impatient, rows, CONVERSE_STREAM)

    assert (status, row.ended, row.said["status"]) == (200, "upstream_broken", "failure")
    assert row.source == "estimated"
    assert row.cost


def test_a_stream_that_its_caller_stops_reading_is_billed(
    impatient: GatewayProcess, standin: StandinBedrock, rows: LedgerRows
) -> None:
    standin.script(chunked_answer([*map(Chunk, FRAMES[1:2] * 200_000), Wait(Gate())], EVENT_STREAM))
    with RawConnection(impatient.port, receive_buffer=4096) as caller:
        caller.send(request(CONVERSE_STREAM, end_user := str(uuid4())))
        caller.read_until(FRAMES[1])

        row = rows.of_end_user(end_user)

    assert (row.ended, row.source) == ("client_gone", "estimated")
    assert row.cost
