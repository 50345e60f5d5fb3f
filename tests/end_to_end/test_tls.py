"""AWS speaks TLS: the same promises hold under it."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.streams import CONVERSE, FRAMES, broken, converse_request, gated
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, exchange
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate, Reset
from tests.tls_front import TlsFront


@pytest.fixture(scope="module")
def front(standin_for_all: StandinBedrock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    with TlsFront(standin_for_all.port("bedrock-runtime"), tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def secured(standin_for_all: StandinBedrock, front: TlsFront) -> Iterator[GatewayProcess]:
    """A gateway that reaches bedrock-runtime by TLS, and trusts the front's authority."""
    env = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"https://localhost:{front.port}", "AWS_CA_BUNDLE": str(front.authority)}
    with GatewayProcess(env, standin_for_all) as running:
        yield running


def test_calls_and_streams_pass(secured: GatewayProcess, standin: StandinBedrock) -> None:
    unary = exchange(secured.port, converse_request(CONVERSE))
    stream = exchange(secured.port, converse_request())

    assert (unary.status, stream.status, stream.ended) == (200, 200, "clean")
    assert all(request.verdict and request.verdict.ok for request in standin.requests)


def test_one_handshake_serves_many_calls(secured: GatewayProcess, standin: StandinBedrock, front: TlsFront) -> None:
    exchange(secured.port, converse_request(CONVERSE))
    before = front.handshakes
    for _ in range(5):
        assert exchange(secured.port, converse_request(CONVERSE)).status == 200

    assert front.handshakes == before


def test_a_caller_that_leaves_a_silent_stream_is_noticed(secured: GatewayProcess, standin: StandinBedrock) -> None:
    standin.script(gated(Gate()))
    caller = RawConnection(secured.port)
    caller.send(converse_request())
    caller.read_until(FRAMES[0])
    caller.close()

    standin.wait_closed_by_peer(standin.requests[0].connection)


def test_a_broken_stream_does_not_look_whole(secured: GatewayProcess, standin: StandinBedrock) -> None:
    standin.script(broken(Reset(), FRAMES[0], FRAMES[1][:20]))

    assert exchange(secured.port, converse_request()).ended == "cut"


def test_an_unknown_authority_is_not_trusted(standin: StandinBedrock, front: TlsFront) -> None:
    env = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"https://localhost:{front.port}"}
    with GatewayProcess(env, standin) as trusting_others:
        reply = exchange(trusting_others.port, converse_request())

    assert (reply.status, reply.header("x-amzn-errortype")) == (503, "ServiceUnavailableException")
    assert standin.requests == []
