"""What one worker holds is bounded, and callers who hold it up keep nobody else out."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ClientMaker
from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM, FRAMES, converse_request, gated
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate

MOST = 2
KEY = ("Authorization", f"Bearer {MASTER_KEY}")
# of the connections that a worker holds beside its calls (app/settings.py), and more than it holds
SETTLED, MANY = 700, 1100


@pytest.fixture(scope="module")
def narrow_for_all(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway that holds two calls."""
    env = {"OUTCROP_MAX_IN_FLIGHT": str(MOST), "OUTCROP_BODY_TIMEOUT": "0.5"}
    with GatewayProcess(env, standin_for_all) as gateway:
        yield gateway


@pytest.fixture
def narrow(narrow_for_all: GatewayProcess, standin: StandinBedrock) -> GatewayProcess:
    """The same, once it holds none."""
    deadline = time.monotonic() + 10
    while _details(narrow_for_all)["in_flight"]:
        assert time.monotonic() < deadline, "calls of an earlier test are held"
    return narrow_for_all


def _details(gateway: GatewayProcess) -> Any:
    return json.loads(exchange(gateway.port, raw_request("GET", "/health/readiness/details", [KEY])).body)


def _code(reply: RawReply) -> tuple[int, str | None]:
    return reply.status, reply.header("x-amzn-ErrorType")


def _health(port: int) -> int:
    return exchange(port, raw_request("GET", "/health/readiness")).status


def test_a_worker_that_is_full_says_so_and_answers_who_asks_how_it_is(
    narrow: GatewayProcess, standin: StandinBedrock
) -> None:
    gate, before = Gate(), _details(narrow)["turned_away"]
    standin.answer = lambda request: gated(gate)
    with ExitStack() as stack:
        streams = [stack.enter_context(RawConnection(narrow.port)) for _ in range(MOST)]
        for stream in streams:
            stream.send(converse_request())
            stream.read_until(FRAMES[0])
        refused = exchange(narrow.port, converse_request())
        unknown = exchange(narrow.port, converse_request(key="sk-unknown"))
        told = _details(narrow)

        assert (_code(refused), refused.header("Retry-After")) == ((503, "ServiceUnavailableException"), "1")
        assert refused.header("x-should-retry") is None
        assert unknown.status == 503  # decided before the key is looked at
        assert _health(narrow.port) == 200
        assert (told["in_flight"], told["turned_away"] - before) == (MOST, 2)
        gate.open()
        for stream in streams:
            stream.read_until(FRAMES[-1] + b"\r\n0\r\n\r\n")
        assert exchange(narrow.port, converse_request()).status == 200
    assert len(standin.requests) == MOST + 1


@pytest.mark.parametrize("begun", [b"", b"{", b'{"messages": ['])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_that_does_not_come_is_refused_and_its_place_is_free(
    narrow: GatewayProcess, standin: StandinBedrock, begun: bytes, chunked: bool
) -> None:
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000")
    begun = b"%x\r\n%b\r\n" % (len(begun), begun) if chunked and begun else begun
    with ExitStack() as stack:
        slow = [stack.enter_context(RawConnection(narrow.port)) for _ in range(MOST)]
        for one in slow:
            one.send(raw_request("POST", CONVERSE_STREAM, [KEY, framing]) + begun)
        for one in slow:
            assert _code(one.read_reply()) == (408, "RequestTimeoutException")
            assert one.wait_ended() in ("cut", "reset")
    assert exchange(narrow.port, converse_request(CONVERSE)).status == 200


def test_so_is_the_body_of_an_admin_request(narrow: GatewayProcess) -> None:
    """Its bounds are fixed, so that this one takes ten seconds."""
    with RawConnection(narrow.port, timeout=30) as one:
        one.send(raw_request("POST", "/key/generate", [KEY, ("Content-Length", "20")]) + b"{")

        assert one.read_reply().status == 408


def test_a_thousand_idle_connections_lock_nobody_out(narrow: GatewayProcess) -> None:
    """Those that were used and are kept alive, and those that never say anything."""
    health = raw_request("GET", "/health/liveliness")
    with ExitStack() as stack:
        idle = [stack.enter_context(RawConnection(narrow.port)) for _ in range(SETTLED)]
        for one in idle:
            one.send(health)
            assert one.read_reply("GET").status == 200
        for _ in range(MANY - SETTLED):
            stack.enter_context(RawConnection(narrow.port))

        assert exchange(narrow.port, converse_request(CONVERSE)).status == 200
        assert idle[0].wait_ended() == "cut"  # the one that was idle longest
        idle[-1].send(health)
        assert idle[-1].read_reply("GET").status == 200


def test_boto3_tries_again_where_a_worker_is_full(
    narrow: GatewayProcess, standin: StandinBedrock, make_client: ClientMaker
) -> None:
    gate = Gate()
    standin.answer = lambda request: gated(gate)
    client = make_client(
        "bedrock-runtime", f"{narrow.url}/bedrock", MASTER_KEY, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    with ExitStack() as stack:
        for _ in range(MOST):
            stream = stack.enter_context(RawConnection(narrow.port))
            stream.send(converse_request())
            stream.read_until(FRAMES[0])
        with pytest.raises(ClientError) as raised:
            client.converse(modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "a"}]}])
        gate.open()

    assert raised.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 1
