"""Streams through the real gateway: each event at once, many side by side, and what happens when somebody leaves."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from tests.conftest import ClientMaker
from tests.end_to_end.streams import CONVERSE, FRAMES, converse_request, gated
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate, NoAnswer, Send, Wait, json_answer

STREAMS = 300
LEAVERS = 50
LARGE = 8_000_000  # more than the buffers on the way to a caller hold
NOTICED_SECONDS = 5.0
PATIENCE_SECONDS = 90  # three seconds on a quiet machine


def test_each_event_is_forwarded_before_the_next_one_exists(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    gates = [Gate(), Gate()]
    first, second = gated(gates[0], FRAMES[:1], ()), gated(gates[1], FRAMES[1:2], FRAMES[2:])
    standin.script(first.__class__(headers=first.headers, steps=[*first.steps[:-1], *second.steps]))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())

        assert caller.read_until(FRAMES[0]).endswith(FRAMES[0])
        gates[0].open()
        assert caller.read_until(FRAMES[1]).endswith(FRAMES[1])
        gates[1].open()
        assert caller.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")


def test_the_headers_of_a_stream_arrive_before_its_first_event(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    gate = Gate()
    standin.script(gated(gate, before=()))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        head = caller.read_until(b"\r\n\r\n")
        gate.open()

        assert b"200 OK" in head


def test_events_that_come_together_are_handed_on_together(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    """A worker that is behind moves many by one read and one write; each is whole, and none waits for another."""
    gate = Gate()
    rest = b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in FRAMES[1:])
    begun = gated(gate, after=())
    standin.script(replace(begun, steps=[*begun.steps[:-1], Send(rest), *begun.steps[-1:]]))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0] + b"\r\n")
        gate.open()
        together = b"".join(FRAMES[1:])

        assert caller.read_until(b"\r\n0\r\n\r\n") == b"%X\r\n%b\r\n0\r\n\r\n" % (len(together), together)


def test_three_hundred_streams_flow_side_by_side_in_one_worker(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    gate = Gate()
    standin.answer = lambda request: gated(gate)

    bodies = asyncio.run(_read_side_by_side(gateway.port, gate))

    assert len(bodies) == STREAMS
    assert all(body.endswith(FRAMES[-1] + b"\r\n0\r\n\r\n") for body in bodies)


async def _read_side_by_side(port: int, gate: Gate) -> list[bytes]:
    """Open the gate once every stream has shown its first event; return what came after it."""
    async with AsyncExitStack() as stack:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(STREAMS)]
        for _, writer in streams:
            stack.callback(writer.transport.abort)
            writer.write(converse_request())
        readers = [reader for reader, _ in streams]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(reader.readuntil(FRAMES[0]) for reader in readers))
            gate.open()
            return await asyncio.gather(*(reader.readuntil(b"\r\n0\r\n\r\n") for reader in readers))


def test_fifty_callers_that_leave_silent_streams_close_fifty_upstream_connections(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    gate = Gate()
    standin.answer = lambda request: gated(gate)
    with RawConnection(gateway.port) as stays:
        stays.send(converse_request())
        stays.read_until(FRAMES[0])
        leavers = [RawConnection(gateway.port) for _ in range(LEAVERS)]
        for leaver in leavers:
            leaver.send(converse_request())
            leaver.read_until(FRAMES[0])
        left_at = time.monotonic()
        theirs = {request.connection for request in standin.requests[1:]}
        for leaver in leavers:
            leaver.close()
        standin.wait_for(lambda: theirs <= standin.closed_by_peer)
        took = time.monotonic() - left_at
        gate.open()

        assert stays.read_until(FRAMES[-1])
        assert took < NOTICED_SECONDS
    gateway.wait_for_log(lambda line: len(gateway.log_lines()) == LEAVERS + 1)
    endings = [line["ended"] for line in gateway.log_lines()]
    assert (endings.count("client_left"), endings.count("complete")) == (LEAVERS, 1)


def test_a_caller_that_resets_a_silent_stream_is_noticed_too(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    standin.script(gated(Gate()))
    caller = RawConnection(gateway.port)
    caller.send(converse_request())
    caller.read_until(FRAMES[0])
    caller.reset()

    standin.wait_closed_by_peer(standin.requests[0].connection, NOTICED_SECONDS)


def test_a_caller_that_leaves_before_the_headers_of_a_stream_is_noticed(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    silence = NoAnswer("hang")
    standin.script(silence)
    caller = RawConnection(gateway.port)
    caller.send(converse_request())
    silence.gate.wait_reached()
    caller.close()

    standin.wait_closed_by_peer(standin.requests[0].connection, NOTICED_SECONDS)
    assert gateway.wait_for_log()["ended"] == "client_left"


def test_a_unary_call_whose_caller_left_is_read_to_its_end(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    gate = Gate()
    answer = json_answer({"usage": {"inputTokens": 1}})
    waits = gated(gate, before=(), after=()).steps[0]
    standin.script(answer.__class__(headers=answer.headers, steps=[waits, *answer.steps]))
    caller = RawConnection(gateway.port)
    caller.send(converse_request(CONVERSE))
    gate.wait_reached()
    caller.close()
    gate.open()

    line = gateway.wait_for_log(lambda line: line["operation"] == "Converse")
    assert (line["ended"], line["status"], line["bytes_out"]) == ("complete", 200, len(answer.steps[0].data))  # type: ignore[union-attr]  # json_answer sends its body at once


def test_a_large_answer_whose_caller_leaves_in_its_midst_is_read_to_its_end(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    """AWS bills it in full, so it is booked as AWS reports it."""
    gate = Gate()
    body = json_answer({"text": "x" * LARGE, "usage": {"inputTokens": 1, "outputTokens": 2}})
    [whole] = body.steps
    assert isinstance(whole, Send)
    standin.script(replace(body, steps=[Send(whole.data[:300_000]), Wait(gate), Send(whole.data[300_000:])]))
    caller = RawConnection(gateway.port)
    caller.send(converse_request(CONVERSE))
    caller.read_until(b"x" * 1000)
    caller.reset()
    gate.open()

    line = gateway.wait_for_log(lambda line: line["operation"] == "Converse")
    assert (line["ended"], line["bytes_out"]) == ("client_left", len(whole.data))


def test_the_next_request_on_the_connection_is_served_after_a_stream(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    with RawConnection(gateway.port) as caller:
        for _ in range(3):
            caller.send(converse_request())
            assert caller.read_reply().ended == "clean"


def test_a_request_sent_ahead_during_a_stream_is_served_after_it(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    gate = Gate()
    standin.script(gated(gate))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0])
        caller.send(converse_request(CONVERSE))
        gate.open()
        caller.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")

        assert caller.read_reply().status == 200


def test_a_caller_that_takes_nothing_is_given_up(standin: StandinBedrock) -> None:
    megabyte = bytes(1024 * 1024)
    standin.answer = lambda request: gated(_opened(), [megabyte] * 32, ())
    impatient = GatewayProcess({"OUTCROP_WRITE_TIMEOUT": "0.5"}, standin)
    with impatient, RawConnection(impatient.port, receive_buffer=4096) as caller:
        caller.send(converse_request())
        standin.wait_for_requests(1)

        standin.wait_closed_by_peer(standin.requests[0].connection)
        assert impatient.wait_for_log()["ended"] == "client_stalled"


def test_streams_of_every_kind_arrive_through_boto3(bedrock_client: ClientMaker) -> None:
    runtime, agents = bedrock_client("bedrock-runtime"), bedrock_client("bedrock-agent-runtime")
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    converse = runtime.converse_stream(modelId="amazon.nova-lite-v1:0", messages=messages)["stream"]
    invoke = runtime.invoke_model_with_response_stream(modelId="amazon.nova-lite-v1:0", body=b"{}")["body"]
    ids = {"agentId": "L1RT58GYRW", "agentAliasId": "MFPSBCXYTW", "sessionId": "12345"}
    agent = agents.invoke_agent(**ids, inputText="Who do you know?")["completion"]

    assert [len(list(events)) > 1 for events in (converse, invoke, agent)] == [True] * 3


def _opened() -> Gate:
    gate = Gate()
    gate.open()
    return gate
