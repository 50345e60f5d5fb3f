"""Request bodies through the real gateway: read only for those who may, within bounds, and hashed beside the hub."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.streams import CONVERSE, converse_request
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate, Send, Wait, raw_answer

MIB = 1024 * 1024
LARGEST = 32 * MIB
BUFFER = 128 * MIB
KEY = ("Authorization", f"Bearer {MASTER_KEY}")


def _upload(body: bytes, key: tuple[str, str] = KEY, target: str = CONVERSE) -> bytes:
    return raw_request("POST", target, [key, ("Content-Type", "application/json")], body)


def _chunked(body: bytes, size: int = 100_000) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return raw_request("POST", CONVERSE, [KEY, ("Transfer-Encoding", "chunked")], framed)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, MIB, MIB + 1, LARGEST])
def test_bodies_of_every_size_arrive_as_they_were_sent(
    gateway: GatewayProcess, standin: StandinBedrock, size: int
) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]

    assert exchange(gateway.port, _upload(body), timeout=30).status == 200
    assert standin.requests[0].body == body


def test_a_chunked_body_arrives_whole_with_its_length(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    body = bytes(range(256)) * 3000

    assert exchange(gateway.port, _chunked(body)).status == 200
    assert standin.requests[0].body == body
    assert standin.requests[0].header("content-length") == str(len(body))


def test_no_body_is_read_for_a_caller_who_is_not_known(gateway: GatewayProcess) -> None:
    head = _upload(bytes(1000), ("Authorization", "Bearer sk-unknown")).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with RawConnection(gateway.port) as caller:
        caller.send(head)

        assert b"401" in caller.read_until(b"\r\n\r\n")


def test_no_body_is_read_for_a_path_that_policy_refuses(gateway: GatewayProcess) -> None:
    elsewhere = "/bedrock/eu-west-3/model/amazon.nova-lite-v1:0/converse"
    head = _upload(bytes(1000), target=elsewhere).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with RawConnection(gateway.port) as caller:
        caller.send(head)

        assert b"403" in caller.read_until(b"\r\n\r\n")


@pytest.fixture
def waiting(standin: StandinBedrock) -> Gate:
    """Every answer waits here before its first byte, so that the bodies of its calls are held."""
    gate = Gate()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    standin.answer = lambda request: raw_answer(Wait(gate), Send(reply))
    return gate


def test_twenty_of_the_largest_bodies_stay_inside_the_buffer(
    gateway: GatewayProcess, standin: StandinBedrock, waiting: Gate
) -> None:
    fit = BUFFER // LARGEST
    before_kib = gateway.rss_kib()
    upload = _upload(bytes(LARGEST))
    with ThreadPoolExecutor(20) as callers:
        calls = [callers.submit(exchange, gateway.port, upload, 60) for _ in range(20)]
        _wait_until(lambda: sum(call.done() for call in calls) + len(standin.requests) == 20)
        held = len(standin.requests)
        grown_kib = gateway.rss_kib() - before_kib
        waiting.open()
        replies = [call.result() for call in calls]

    assert 1 <= held <= fit
    assert sorted(reply.status for reply in replies) == [200] * held + [503] * (20 - held)
    assert all(reply.header("retry-after") for reply in replies if reply.status == 503)
    # a bytearray that grows keeps an eighth ahead of itself, and twenty connections have a buffer each
    assert grown_kib < (BUFFER + BUFFER // 8 + 48 * MIB) // 1024


def test_the_buffer_is_free_again_after_its_calls(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    upload = _upload(bytes(LARGEST))

    assert [exchange(gateway.port, upload, 60).status for _ in range(6)] == [200] * 6


def test_the_buffer_is_free_again_after_callers_that_left_while_sending(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    upload = _upload(bytes(LARGEST))
    for _ in range(6):
        with RawConnection(gateway.port) as caller:
            caller.send(upload[:MIB])
            caller.reset()
        gateway.wait_for_log(lambda line: line["ended"] == "client_left" or line["status"] == 400)
        gateway.clear_log()

    assert exchange(gateway.port, upload, 60).status == 200


def test_a_body_one_byte_over_the_limit_is_refused_and_the_answer_arrives(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    reply = exchange(gateway.port, _upload(bytes(LARGEST + 1)), 30)

    assert (reply.status, reply.header("x-amzn-errortype")) == (413, "ValidationException")
    assert standin.requests == []


def test_a_chunked_body_over_the_limit_is_refused_and_the_answer_arrives(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    reply = exchange(gateway.port, _chunked(bytes(LARGEST + 1)), 30)

    assert (reply.status, reply.header("x-amzn-errortype")) == (413, "ValidationException")
    assert standin.requests == []


def test_small_calls_go_on_while_large_bodies_are_received_and_hashed(gateway: GatewayProcess) -> None:
    """A worker that does nothing else meanwhile keeps one waiting for as long: of three, as machines are busy."""
    assert any(_goes_on_meanwhile(gateway) for _ in range(3))


def _goes_on_meanwhile(gateway: GatewayProcess) -> bool:
    upload, slowest, began = _upload(bytes(LARGEST)), 0.0, time.monotonic()
    with ThreadPoolExecutor(1) as callers:
        large = callers.submit(lambda: exchange(gateway.port, upload, 60).status)
        while not large.done():
            started = time.monotonic()
            assert exchange(gateway.port, converse_request(CONVERSE)).status == 200
            slowest = max(slowest, time.monotonic() - started)
    assert large.result() == 200
    return slowest < (time.monotonic() - began) / 2


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.01)
