"""Bodies and connections that mean harm: where one request ends is never left to interpretation."""

import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM, FRAMES, broken, converse_request
from tests.end_to_end.test_hostile_requests import KEY, PLANTED, Attack
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Close

HEAD = f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nlitellm_user_api_key: {KEY[1]}\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = converse_request("/bedrock/model/smuggled/converse")
TOO_LARGE = 33 * 1024 * 1024
SMALL = 64 * 1024


@pytest.fixture(scope="module")
def attacked_for_all(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway that holds no more than one full body at a time, and whose whole output is looked through."""
    env = {"OUTCROP_MAX_BODY_BYTES": str(SMALL), "OUTCROP_BUFFER_BYTES": str(SMALL)}
    running = GatewayProcess(env=env, standin=standin_for_all)
    with running:
        yield running
    assert not [line for line in [*running.stdout, *running.stderr] if PLANTED in line or KEY[1] in line]


@pytest.fixture
def attack(attacked_for_all: GatewayProcess, standin: StandinBedrock) -> Attack:
    return Attack(attacked_for_all, standin)


BROKEN_BODIES = {
    "short": HEAD + "Content-Length: 50\r\n\r\n{}",
    "as large as may be, and short": HEAD + f"Content-Length: {SMALL}\r\n\r\n" + "{" * 1000,
    "nothing of it": HEAD + "Content-Length: 1\r\n\r\n",
    "a size that is no number": CHUNKED + "zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": CHUNKED + "-2\r\n{}\r\n0\r\n\r\n",
    "a size with a sign": CHUNKED + "+2\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + "0x2\r\n{}\r\n0\r\n\r\n",
    "a size with an underscore": CHUNKED + "1_0\r\n{}\r\n0\r\n\r\n",
    "no size": CHUNKED + "\r\n{}\r\n0\r\n\r\n",
    "a size without end": CHUNKED + "2" * 20_000,
    "an extension with a control": CHUNKED + "2;\x01\r\n{}\r\n0\r\n\r\n",
    "an extension without end": CHUNKED + f"2;x={PLANTED}{'a' * 20_000}",
    "truncated within a chunk": CHUNKED + "5\r\n{}",
    "truncated between chunks": CHUNKED + "2\r\n{}\r\n",
    "truncated after the last chunk": CHUNKED + "2\r\n{}\r\n0\r\n",
    "longer than its chunk": CHUNKED + "2\r\n{}{}\r\n0\r\n\r\n",
    "bare LF": CHUNKED + "2\n{}\n0\n\n",
    "a credential in the trailer": CHUNKED + f"2\r\n{{}}\r\n0\r\nAuthorization: Bearer {PLANTED}\r\n\r\n",
    "a length in the trailer": CHUNKED + "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a trailer that is no header": CHUNKED + f"2\r\n{{}}\r\n0\r\n{PLANTED}\r\n\r\n",
    "a trailer without end": CHUNKED + f"2\r\n{{}}\r\n0\r\nX: {PLANTED}",
}


@pytest.mark.parametrize("request_text", BROKEN_BODIES.values(), ids=list(BROKEN_BODIES))
def test_a_broken_body_is_refused_and_nothing_of_it_is_sent(attack: Attack, request_text: str) -> None:
    reply = attack.send(request_text.encode("latin-1"), then_end=True)

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert attack.standin.requests == []


def test_broken_bodies_use_up_no_memory_of_the_worker(attack: Attack) -> None:
    for request_text in BROKEN_BODIES.values():
        with RawConnection(attack.gateway.port) as connection:
            connection.send(request_text.encode("latin-1"))

    largest = raw_request("POST", CONVERSE, [KEY], bytes(SMALL))
    assert attack.send(largest).status == 200


UNDECIDED = {
    "TE and CL": "Transfer-Encoding: chunked\r\nContent-Length: 4",
    "CL and TE": "Content-Length: 4\r\nTransfer-Encoding: chunked",
    "TE and CL with a key": f"Transfer-Encoding: chunked\r\nContent-Length: {PLANTED}",
    "identity": "Transfer-Encoding: identity\r\nContent-Length: 4",
    "chunked twice": "Transfer-Encoding: chunked, chunked",
    "chunked on two lines": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "chunked not last": "Transfer-Encoding: chunked, identity",
    "an unknown coding": "Transfer-Encoding: xchunked",
    "a parameter": "Transfer-Encoding: chunked;q=1",
    "a quoted coding": 'Transfer-Encoding: "chunked"',
    "an empty coding": "Transfer-Encoding:\r\nContent-Length: 4",
    "a tab": "Transfer-Encoding:\x0bchunked\r\nContent-Length: 4",
    "space before the colon": "Transfer-Encoding : chunked\r\nContent-Length: 4",
    "a folded coding": "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4",
    "gzip alone": "Transfer-Encoding: gzip",
    "two lengths": "Content-Length: 2\r\nContent-Length: 3",
    "the same length twice": "Content-Length: 4\r\nContent-Length: 4",
    "a list of lengths": "Content-Length: 4, 4",
    "a signed length": "Content-Length: +4",
    "a negative length": "Content-Length: -4",
    "a hexadecimal length": "Content-Length: 0x4",
    "a length of superscripts": "Content-Length: \xb2",
    "a length with an underscore": "Content-Length: 1_0",
    "no length": "Content-Length:",
    "a length of 5,000 digits": "Content-Length: " + "9" * 5000,
}


@pytest.mark.parametrize("framing", UNDECIDED.values(), ids=list(UNDECIDED))
def test_a_framing_that_two_servers_could_read_differently_ends_the_connection(attack: Attack, framing: str) -> None:
    request = f"{HEAD}{framing}\r\n\r\n".encode("latin-1") + b"0\r\n\r\n" + SMUGGLED
    with RawConnection(attack.gateway.port) as connection:
        connection.send(request)
        status = connection.read_reply().status
        rest = connection.read_some()

    assert (status in {400, 501}, rest) == (True, b"")
    assert attack.standin.requests == []
    attack.send(converse_request(CONVERSE))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_names_with_underscores_do_not_frame_a_body(attack: Attack, version: str) -> None:
    request = (
        HEAD.replace("1.1", version) + "Content_Length: 9\r\nTransfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"
    )

    assert attack.send(request.encode()).status == 200
    assert attack.standin.requests[0].body == b"{}"


def test_http_1_0_has_no_chunks(attack: Attack) -> None:
    reply = attack.send(CHUNKED.replace("HTTP/1.1", "HTTP/1.0").encode() + b"2\r\n{}\r\n0\r\n\r\n")

    assert reply.status == 400
    assert attack.standin.requests == []


REFUSALS = {
    "an unknown key": ("POST", CONVERSE, [("x-api-key", "sk-unknown")], 401),
    "no key": ("POST", CONVERSE, [], 401),
    "a region": ("POST", "/bedrock/eu-west-1/model/x/converse", [KEY], 403),
    "a target": ("POST", "/bedrock/model/../x", [KEY], 400),
    "a known method": ("OPTIONS", CONVERSE, [KEY], 405),
    "an unknown method": ("FOO", CONVERSE, [KEY], 405),
    "an unknown path": ("POST", "/nothing", [], 404),
    "a health route": ("GET", "/health/liveliness", [], 200),
    "a health route's method": ("POST", "/health/liveliness", [], 405),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_the_body_of_a_refused_call_is_never_the_next_request(
    attack: Attack, refusal: tuple[str, str, list[tuple[str, str]], int], chunked: bool
) -> None:
    method, target, headers, status = refusal
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED) if chunked else SMUGGLED
    framing = [("Transfer-Encoding", "chunked")] if chunked else []
    with RawConnection(attack.gateway.port) as connection:
        connection.send(raw_request(method, target, [*headers, *framing], body))

        assert connection.read_reply(method).status == status
        try:
            connection.send(converse_request(CONVERSE))
            assert connection.read_reply().status in {200, 0}  # 0: it was closed, which is right too
        except ConnectionError:
            pass
    assert "smuggled" not in " ".join(request.target for request in attack.standin.requests)


def test_pipelined_requests_are_answered_one_by_one_in_order(attack: Attack) -> None:
    wrong = raw_request("POST", "/bedrock/model/../x", [KEY], b"{}")
    right = converse_request(CONVERSE)
    with RawConnection(attack.gateway.port) as connection:
        connection.send(right + wrong + right + CHUNKED.encode() + b"2\r\n{}\r\n0\r\n\r\n" + right)

        assert [connection.read_reply().status for _ in range(5)] == [200, 400, 200, 200, 200]
    assert len(attack.standin.requests) == 4


def test_what_follows_connection_close_is_not_read(attack: Attack) -> None:
    with RawConnection(attack.gateway.port) as connection:
        connection.send(raw_request("POST", CONVERSE, [KEY, ("Connection", "close")], b"{}") + SMUGGLED)

        assert connection.read_reply().status == 200
        assert connection.read_some() == b""
    assert len(attack.standin.requests) == 1


@pytest.mark.parametrize("upgrade", ["h2c", "TLS/1.0"])
def test_a_connection_is_not_upgraded(attack: Attack, upgrade: str) -> None:
    settings = ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
    reply = attack.send(
        raw_request(
            "POST", CONVERSE, [KEY, ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", upgrade), settings], b"{}"
        )
    )

    assert reply.status == 200
    assert b"pgrade" not in attack.standin.requests[0].raw


def test_a_websocket_is_refused(attack: Attack) -> None:
    reply = attack.send(raw_request("GET", CONVERSE, [KEY, ("Connection", "Upgrade"), ("Upgrade", "websocket")]))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert attack.standin.requests == []


def test_connect_ends_the_connection(attack: Attack) -> None:
    with RawConnection(attack.gateway.port) as connection:
        connection.send(raw_request("CONNECT", "127.0.0.1:443", [KEY]) + SMUGGLED)

        assert connection.read_reply("CONNECT").status in {400, 404, 405}
        assert connection.read_some() == b""
    assert attack.standin.requests == []


def test_expect_100_continue_is_answered_here_and_goes_no_further(attack: Attack) -> None:
    head, _, body = raw_request("POST", CONVERSE, [KEY, ("Expect", "100-continue")], b"{}").partition(b"\r\n\r\n")
    with RawConnection(attack.gateway.port) as connection:
        connection.send(head + b"\r\n\r\n")

        assert connection.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        assert connection.read_reply().status == 200
    assert attack.standin.requests[0].header("expect") is None


def test_a_caller_of_http_1_0_is_served_and_let_go(attack: Attack) -> None:
    with RawConnection(attack.gateway.port) as connection:
        connection.send(converse_request(CONVERSE).replace(b"HTTP/1.1", b"HTTP/1.0"))

        assert connection.read_reply().status == 200
        assert connection.wait_ended() == "cut"


def test_a_stream_to_http_1_0_that_breaks_does_not_look_like_its_end(attack: Attack) -> None:
    attack.standin.script(broken(Close(), FRAMES[0], FRAMES[1][:20]))
    reply = exchange(attack.gateway.port, converse_request(CONVERSE_STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert (reply.status, reply.ended) == (200, "reset")  # without chunks, only a reset tells


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_the_answer_to_33_mib_is_read_by_who_sends_them_and_then_serves_on(attack: Attack, chunked: bool) -> None:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (TOO_LARGE, bytes(TOO_LARGE)) if chunked else bytes(TOO_LARGE)
    framing = [("Transfer-Encoding", "chunked")] if chunked else []
    reply = attack.send(raw_request("POST", CONVERSE, [KEY, *framing], body))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (413, "ValidationException")
    assert attack.standin.requests == []


@pytest.mark.parametrize("target", [CONVERSE, "/nothing"])
def test_a_refused_body_of_one_byte_chunks_does_not_stop_the_others(attack: Attack, target: str) -> None:
    head = raw_request("POST", target, [("x-api-key", "sk-unknown"), ("Transfer-Encoding", "chunked")])
    with RawConnection(attack.gateway.port, timeout=60) as connection:
        try:
            connection.send(head + b"1\r\nx\r\n" * 3_000_000)
        except ConnectionError:
            pass  # it was let go
        started = time.monotonic()

        assert exchange(attack.gateway.port, converse_request(CONVERSE)).status == 200
        assert time.monotonic() - started < 2


TRICKLES = {
    "a refused body": raw_request("POST", CONVERSE, [("x-api-key", "sk-unknown"), ("Content-Length", "10000000")]),
    "what is no request": b"FOO\r\n\r\n",
}


@pytest.mark.parametrize("refused", TRICKLES.values(), ids=list(TRICKLES))
def test_a_refused_caller_who_goes_on_sending_byte_by_byte_is_let_go(attack: Attack, refused: bytes) -> None:
    started = time.monotonic()
    with RawConnection(attack.gateway.port) as connection, pytest.raises(ConnectionError):
        connection.send_pieces([refused, *[b"x"] * 50], pause=0.2)

    assert time.monotonic() - started < 10
