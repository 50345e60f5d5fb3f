"""The seam to AWS: what is sent, what comes back, and outside errors as ours."""

import socket

import pytest

from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import (
    Answer,
    Chunk,
    Close,
    EndChunks,
    Gate,
    NoAnswer,
    Pause,
    Reset,
    Send,
    Step,
    Wait,
    chunked_answer,
    json_answer,
    raw_answer,
)
from tests.upstream.client_process import CallFailedError, ClientProcess, RemoteClient
from tests.upstream.conftest import deaf_port

HEAD = b"HTTP/1.1 200 OK\r\n"
SIZED = Send(HEAD + b"Content-Length: 10\r\n\r\nhalf")
CHUNKED = Send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


@pytest.fixture
def client(process: ClientProcess, standin: StandinBedrock) -> RemoteClient:
    """One in front of the stand-in."""
    return process.client(standin.url("bedrock-runtime"))


def failure(client: RemoteClient) -> CallFailedError:
    """What a whole call raises."""
    with pytest.raises(CallFailedError) as raised:
        client.exchange()
    return raised.value


def test_a_reply_has_aws_status_reason_and_headers(client: RemoteClient, standin: StandinBedrock) -> None:
    """In their case, repeated ones repeated and in order."""
    headers = [("X-B", "1"), ("X-B", "2"), ("x-a", "3"), ("Content-Length", "2")]
    standin.script(Answer(299, "Odd", headers, [Send(b"{}")]))
    head = client.start().head()

    assert (head.status, head.reason) == (299, "Odd")
    assert head.headers[-4:] == [list(pair) for pair in headers]


def test_a_redirect_is_an_answer(client: RemoteClient, standin: StandinBedrock) -> None:
    """It is not followed: whoever redirects would get a signed request."""
    standin.script(json_answer({}, 307, [("Location", "http://127.0.0.1:1/")]))

    assert client.start().head().status == 307
    assert len(standin.requests) == 1


def test_cookies_are_not_kept(client: RemoteClient, standin: StandinBedrock) -> None:
    """One caller's would be the next one's."""
    standin.script(json_answer({}, headers=[("Set-Cookie", "sid=1; Path=/")]))
    client.exchange()
    client.exchange()

    assert standin.requests[1].header("cookie") is None


@pytest.mark.parametrize(
    ("method", "size", "length"),
    [("POST", 2, "2"), ("POST", 0, "0"), ("PUT", 0, "0"), ("DELETE", 0, "0"), ("GET", 0, None), ("GET", 2, "2")],
)
def test_a_request_is_framed_by_its_length(
    client: RemoteClient, standin: StandinBedrock, method: str, size: int, length: str | None
) -> None:
    """Never in chunks, which AWS does not sign."""
    client.exchange(method=method, body_size=size)
    (sent,) = standin.requests

    assert (sent.method, sent.header("content-length"), len(sent.body)) == (method, length, size)
    assert sent.header("transfer-encoding") is None


def test_a_target_is_sent_as_it_is(client: RemoteClient, standin: StandinBedrock) -> None:
    """No library on the way writes it anew."""
    target = "/model/a%3A0%2Fb%252F~%7B/converse/?b=%2B&a=%C3%A9&b="
    client.exchange(target)
    verdict = standin.requests[0].verdict

    assert standin.requests[0].target == target
    assert verdict is not None
    assert verdict.ok


def test_nothing_of_the_machine_is_sent(client: RemoteClient, standin: StandinBedrock) -> None:
    """The headers are the signature's, the framing's and one name."""
    client.exchange()
    names = {name.lower() for name, _ in standin.requests[0].headers}

    signature = {"authorization", "x-amz-date", "x-amz-content-sha256"}
    assert names - signature == {"host", "content-length", "user-agent", "accept-encoding"}
    assert standin.requests[0].header("user-agent") == "outcrop"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_unreachable(process: ClientProcess, scheme: str) -> None:
    """Nothing was sent: it may be tried again, in a second."""
    failed = failure(process.client(f"{scheme}://127.0.0.1:1"))

    assert (failed.kind, failed.retry_after) == ("UpstreamUnreachable", 1)
    assert "connection refused" in failed.message


def test_a_connection_that_is_not_answered_is_unreachable(process: ClientProcess) -> None:
    """After the timeout of connecting."""
    with deaf_port() as port:
        assert failure(process.client(f"http://127.0.0.1:{port}", connect=0.3)).kind == "UpstreamUnreachable"


def test_a_tls_handshake_that_is_not_answered_is_unreachable(process: ClientProcess) -> None:
    """It is part of connecting."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = process.client(f"https://127.0.0.1:{listener.getsockname()[1]}", connect=0.3)

        assert failure(client).kind == "UpstreamUnreachable"


def test_a_peer_without_tls_is_unreachable(process: ClientProcess, standin: StandinBedrock) -> None:
    """A request was never sent into the clear."""
    client = process.client(standin.url("bedrock-runtime").replace("http:", "https:"), connect=0.5)

    assert failure(client).kind == "UpstreamUnreachable"
    assert standin.requests == []


def test_silence_before_headers_is_silence(process: ClientProcess, standin: StandinBedrock) -> None:
    """It names the variable, and what would not have been silent."""
    standin.script(NoAnswer("hang"))
    failed = failure(process.client(standin.url("bedrock-runtime"), first_byte=0.3))

    assert failed.kind == "UpstreamSilent"
    assert "OUTCROP_FIRST_BYTE_TIMEOUT" in failed.message
    assert "streaming" in failed.message


@pytest.mark.parametrize("how", [Reset(), Close()])
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 2", HEAD, HEAD + b"Content-Length: 1", b"nonsense\r\n\r\n"])
def test_a_break_before_the_end_of_the_headers_is_a_break(
    client: RemoteClient, standin: StandinBedrock, how: Step, part: bytes
) -> None:
    """The model may have run: it is not unreachable, and half a head is no answer."""
    standin.script(raw_answer(*([Send(part)] if part else []), how))

    assert failure(client).kind == "UpstreamBroke"


@pytest.mark.parametrize("how", [Reset(), Close()])
@pytest.mark.parametrize("begun", [SIZED, CHUNKED, Send(CHUNKED.data + b"9\r\nmo")])
def test_a_break_in_the_body_is_a_break(client: RemoteClient, standin: StandinBedrock, how: Step, begun: Send) -> None:
    """By RST and by FIN, in a body with a length, between chunks and inside one."""
    standin.script(raw_answer(begun, how))

    assert failure(client).kind == "UpstreamBroke"


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"\r\n", b"9" * 70000])
def test_malformed_chunks_are_a_break(client: RemoteClient, standin: StandinBedrock, chunk: bytes) -> None:
    """Nobody knows what would follow."""
    standin.script(raw_answer(CHUNKED, Send(chunk), Close()))

    assert failure(client).kind == "UpstreamBroke"


@pytest.mark.parametrize(
    "header",
    [
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: two",
        b"Content-Length: 2\r\nContent-Length: 3",
        b" folded: x",
    ],
)
def test_an_answer_whose_end_cannot_be_known_is_a_break(
    client: RemoteClient, standin: StandinBedrock, header: bytes
) -> None:
    """It is closed at once: to wait for its end would make one of whatever came."""
    standin.script(raw_answer(Send(HEAD + header + b"\r\n\r\n{}"), Wait(Gate())))

    assert failure(client).kind == "UpstreamBroke"
    standin.wait_closed_by_peer(standin.requests[0].connection)


def test_what_came_before_a_break_was_handed_out(client: RemoteClient, standin: StandinBedrock) -> None:
    """Piece by piece."""
    standin.script(raw_answer(CHUNKED, Wait(gate := Gate()), Reset()))
    call = client.start()
    call.head()

    assert call.read() == b"half"
    gate.open()
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        call.read()


def test_pieces_come_as_aws_sends_them(client: RemoteClient, standin: StandinBedrock) -> None:
    """The first does not wait for the second."""
    standin.script(chunked_answer([Chunk(b"one"), Wait(gate := Gate()), Chunk(b"two"), EndChunks()], "x/y"))
    call = client.start()
    call.head()

    assert call.read() == b"one"
    gate.open()
    assert [call.read(), call.read()] == [b"two", b""]


def test_silence_in_the_body_is_silence(process: ClientProcess, standin: StandinBedrock) -> None:
    """With the variable that bounds it."""
    standin.script(raw_answer(CHUNKED, Wait(Gate())))
    failed = failure(process.client(standin.url("bedrock-runtime"), silence=0.3))

    assert failed.kind == "UpstreamSilent"
    assert "OUTCROP_READ_TIMEOUT" in failed.message


def test_a_slow_body_is_not_silent(process: ClientProcess, standin: StandinBedrock) -> None:
    """Silence is between two pieces, not over all of them."""
    steps = [step for _ in range(25) for step in (Pause(0.1), Chunk(b"x"))]
    standin.script(chunked_answer([*steps, EndChunks()], "x/y"))

    assert process.client(standin.url("bedrock-runtime"), silence=2, first_byte=2).exchange() == b"x" * 25
