"""Whoever leaves is noticed, also where something they sent was not read; whoever is left sees that it was no end."""

import os
import signal

import pytest

from tests.end_to_end.streams import FRAMES, converse_request, gated
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate


@pytest.mark.parametrize("sent", [b"x", b"\r\n", b"POST /bedrock/mo"])
def test_a_streams_caller_who_sent_something_before_it_left_is_noticed(
    gateway: GatewayProcess, standin: StandinBedrock, sent: bytes
) -> None:
    """The answer waits at a gate that nobody opens: nothing is written that could show it."""
    standin.script(gated(Gate()))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0])
        caller.send(sent)
        caller.close()

        standin.wait_closed_by_peer(standin.requests[0].connection)
        assert gateway.wait_for_log()["ended"] == "client_left"


def test_a_streams_caller_who_sent_something_and_stays_is_served(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    gate = Gate()
    standin.script(gated(gate))
    with RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0])
        caller.send(b"\r\n")
        gate.open()

        assert caller.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")


def test_a_stream_to_http_1_0_that_a_stop_cuts_does_not_look_like_its_end(standin: StandinBedrock) -> None:
    standin.script(gated(Gate()))
    with GatewayProcess(standin=standin) as gateway, RawConnection(gateway.port) as caller:
        caller.send(converse_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        caller.read_until(FRAMES[0])
        os.killpg(gateway.pid, signal.SIGINT)
        gateway.wait_for_output("Ctrl-C once more cuts them")
        os.killpg(gateway.pid, signal.SIGINT)

        assert caller.wait_ended() == "reset"
        assert gateway.wait_exit() == 0
        assert gateway.wait_for_log()["ended"] == "stopped"
