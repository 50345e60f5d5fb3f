"""What a person at a terminal does: Ctrl-C once, Ctrl-C twice, and a start where something runs already."""

import os
import signal
import time

import pytest

from tests.end_to_end.streams import FRAMES, converse_request, gated
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate


def _interrupt(gateway: GatewayProcess) -> None:
    """Ctrl-C: the terminal sends SIGINT to gunicorn's master and to its workers."""
    os.killpg(gateway.pid, signal.SIGINT)


def test_ctrl_c_lets_a_stream_end_and_shows_no_traceback(standin: StandinBedrock) -> None:
    gate = Gate()
    standin.script(gated(gate))
    gateway = GatewayProcess(standin=standin)
    with gateway, RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0])
        _interrupt(gateway)
        gateway.wait_for_output("Ctrl-C once more cuts them")
        gate.open()

        assert caller.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")
        assert gateway.wait_exit() == 0
        assert gateway.wait_for_log()["ended"] == "complete"
        assert "Traceback" not in gateway.output()


def test_a_second_ctrl_c_cuts_it_and_that_is_logged(standin: StandinBedrock) -> None:
    standin.script(gated(Gate()))
    gateway = GatewayProcess(standin=standin)
    with gateway, RawConnection(gateway.port) as caller:
        caller.send(converse_request())
        caller.read_until(FRAMES[0])
        _interrupt(gateway)
        gateway.wait_for_output("Ctrl-C once more cuts them")
        _interrupt(gateway)

        assert caller.wait_ended() in ("cut", "reset")
        assert gateway.wait_exit() == 0
        assert gateway.wait_for_log()["ended"] == "stopped"
        assert "Traceback" not in gateway.output()


def test_a_port_that_is_taken_is_told_at_once(gateway: GatewayProcess) -> None:
    second = GatewayProcess({"PORT": str(gateway.port)})
    started = time.monotonic()
    second.launch()

    assert second.wait_exit() == 1
    assert time.monotonic() - started < 20
    assert len(second.stderr) == 1
    assert second.stderr[0].startswith(f"outcrop cannot start: 0.0.0.0:{gateway.port} cannot be listened on")
    second.stop()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT"])
def test_other_ways_to_stop_are_quiet_too(standin: StandinBedrock, name: str) -> None:
    with GatewayProcess(standin=standin) as gateway:
        os.kill(gateway.pid, getattr(signal, name))

        assert gateway.wait_exit() == 0
        assert "Traceback" not in gateway.output()
