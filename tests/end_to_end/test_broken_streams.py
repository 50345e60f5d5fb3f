"""An upstream that breaks never looks like a clean end, wherever in the stream it breaks."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from tests.conftest import ClientMaker
from tests.end_to_end.streams import FRAMES, broken, converse_request
from tests.event_frames import decode_frames, exception_frame
from tests.gateway_process import GatewayProcess
from tests.raw_client import exchange
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Close, Reset, Send, Step

MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
ENDINGS: tuple[Step, ...] = (Reset(), Close())


def _breaks() -> Iterator[tuple[str, tuple[bytes, ...], Step]]:
    for ending in ENDINGS:
        for index in range(len(FRAMES) + 1):
            yield f"{ending} before frame {index}", tuple(FRAMES[:index]), ending
        for index, frame in enumerate(FRAMES):
            for cut in (1, 11, 12, len(frame) // 2, len(frame) - 1):
                yield f"{ending} {cut} bytes into frame {index}", (*FRAMES[:index], frame[:cut]), ending


@pytest.mark.parametrize(("pieces", "ending"), [pytest.param(p, e, id=name) for name, p, e in _breaks()])
def test_boto3_raises_wherever_the_upstream_breaks(
    bedrock_client: ClientMaker, standin: StandinBedrock, pieces: tuple[bytes, ...], ending: Step
) -> None:
    standin.script(broken(ending, *pieces))

    with (
        pytest.raises((EventStreamError, ProtocolError)),
        closing(bedrock_client().converse_stream(modelId="amazon.nova-lite-v1:0", messages=MESSAGES)["stream"]) as s,
    ):
        list(s)


@pytest.mark.parametrize("whole", range(len(FRAMES) + 1))
def test_a_break_between_frames_becomes_the_exception_that_the_operation_models(
    gateway: GatewayProcess, standin: StandinBedrock, whole: int
) -> None:
    standin.script(broken(Reset(), *FRAMES[:whole]))

    reply = exchange(gateway.port, converse_request())

    *sent, last = decode_frames(reply.body)
    assert (len(sent), reply.ended) == (whole, "clean")
    assert last.headers[":exception-type"] == "modelStreamErrorException"
    assert gateway.wait_for_log()["ended"] == "upstream_broke"


def test_a_break_inside_a_frame_cuts_the_connection(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    standin.script(broken(Reset(), FRAMES[0], FRAMES[1][:20]))

    reply = exchange(gateway.port, converse_request())

    assert (reply.body, reply.ended) == (FRAMES[0] + FRAMES[1][:20], "cut")


def test_a_break_inside_a_chunk_cuts_the_connection(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    half = broken(Reset(), FRAMES[0])
    steps = [half.steps[0], Send(b"64\r\n" + FRAMES[1][:30]), Reset()]
    standin.script(Answer(headers=half.headers, steps=steps))

    reply = exchange(gateway.port, converse_request())

    assert reply.ended == "cut"


def test_a_broken_unary_answer_with_a_length_is_an_error_of_its_own(
    bedrock_client: ClientMaker, standin: StandinBedrock
) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", "1000")]
    standin.script(Answer(headers=headers, steps=[Send(b'{"output": '), Reset()]))
    client = bedrock_client()

    with pytest.raises(client.exceptions.ModelErrorException):
        client.converse(modelId="amazon.nova-lite-v1:0", messages=MESSAGES)


def test_a_large_answer_that_breaks_after_its_first_piece_is_cut(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(1024 * 1024))]
    standin.script(Answer(headers=headers, steps=[Send(bytes(600_000)), Reset()]))

    reply = exchange(gateway.port, converse_request())

    assert (reply.status, reply.ended) == (200, "cut")
    assert len(reply.body) < 1024 * 1024


def test_an_exception_that_aws_sends_in_a_stream_passes_untouched(
    bedrock_client: ClientMaker, standin: StandinBedrock
) -> None:

    frame = exception_frame("throttlingException", "slow down")
    standin.script(broken(Close(), frame))
    with (
        pytest.raises(ClientError) as raised,
        closing(bedrock_client().converse_stream(modelId="amazon.nova-lite-v1:0", messages=MESSAGES)["stream"]) as s,
    ):
        list(s)

    assert raised.value.response["Error"] == {"Code": "throttlingException", "Message": "slow down"}


def test_other_streams_go_on_while_one_breaks(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    worker = gateway.worker_pids()
    for _ in range(20):
        standin.script(broken(Reset(), FRAMES[0], FRAMES[1][:9]))
        exchange(gateway.port, converse_request())

        assert exchange(gateway.port, converse_request()).ended == "clean"
    assert gateway.worker_pids() == worker
