"""How a request stands on the wire, and the way to AWS where nothing is patched, as in a command."""

import socket
import threading
from collections.abc import Iterator

import pytest
from requests import PreparedRequest
from requests.exceptions import InvalidHeader

from app.core.errors import UpstreamSilent
from app.core.header_rules import to_aws
from app.core.messages import Cancellation, UpstreamRequest
from app.core.operations import load_table
from app.upstream.adapter import Adapter
from app.upstream.bedrock_client import BedrockClient
from app.upstream.connections import Line, Timeouts
from app.upstream.credentials import AwsCredentials, CredentialKeeper
from app.upstream.endpoints import Endpoints
from app.upstream.signing import Signer
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import Gate, NoAnswer, Send, Wait, raw_answer

HASTY = Timeouts(connect=5, first_byte=0.3, silence=0.3, total=30)


def a_client(url: str, timeouts: Timeouts = HASTY) -> BedrockClient:
    keeper = CredentialKeeper(lambda: AwsCredentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None))
    return BedrockClient(Endpoints(load_table(), {"": url}), Signer(keeper, None), Adapter(timeouts, 2, None), timeouts)


def a_request(body: bytes = b"{}") -> UpstreamRequest:
    headers = to_aws([("content-type", "application/json"), ("X-Amzn-Bedrock-Trace", "ENABLED")])
    return UpstreamRequest("bedrock-runtime", "us-east-1", "POST", "/model/x/converse", headers, body)


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A listener, at which a test answers itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def test_the_headers_of_a_request_are_in_their_order_and_case(standin: StandinBedrock) -> None:
    """The host, the caller's, the framing, our name, and the signature's."""
    reply = a_client(standin.url("bedrock-runtime")).send(a_request(), Cancellation())
    reply.close()

    assert [name for name, _ in standin.requests[0].headers] == [
        *("Host", "content-type", "x-amzn-bedrock-trace", "Accept-Encoding", "Content-Length", "User-Agent"),
        *("x-amz-date", "x-amz-content-sha256", "Authorization"),
    ]


@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_a_small_body_leaves_with_its_head(peer: socket.socket, size: int) -> None:
    """In one segment, or as much of it as one holds."""
    client = a_client(f"http://127.0.0.1:{peer.getsockname()[1]}", Timeouts(5, 5, 5, 5))
    sending = threading.Thread(target=lambda: client.send(a_request(b"x" * size), Cancellation()).close())
    sending.start()
    connection, _ = peer.accept()
    with connection:
        first = connection.recv(1024)
        assert b"\r\n\r\nx" in first
        left = size - len(first.partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(connection.recv(left))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        sending.join(10)


@pytest.mark.parametrize(
    ("method", "target", "name", "value"),
    [
        ("POST", "/x", "X-A", "b\r\nX-C: d"),
        ("POST", "/x", "X-A", "b\nX-C: d"),
        ("POST", "/x", "X-A", "b\rc"),
        ("POST", "/x", "X-A\r\nX-B", "c"),
        ("POST", "/x HTTP/1.1\r\nX-A: b", "X-B", "c"),
        ("POST", "/x y", "X-A", "b"),
        ("POST /y", "/x", "X-A", "b"),
    ],
)
def test_a_head_that_would_be_read_as_more_is_not_sent(method: str, target: str, name: str, value: str) -> None:
    """Whoever let it come so far: nobody connects."""
    request = PreparedRequest()
    request.method, request.url = method, f"http://127.0.0.1:1{target}"
    request.headers = {name: value}  # type: ignore[assignment]  # as BedrockClient gives them
    with pytest.raises(InvalidHeader):
        Adapter(HASTY, 1, None).send_on(Line(), request)


def test_silence_is_noticed_where_nothing_is_patched(standin: StandinBedrock) -> None:
    """No greenlet can hang up then: the socket's own timeout does."""
    standin.script(NoAnswer("hang"))
    with pytest.raises(UpstreamSilent, match="OUTCROP_FIRST_BYTE_TIMEOUT"):
        a_client(standin.url("bedrock-runtime")).send(a_request(), Cancellation())


def test_silence_in_a_body_is_noticed_where_nothing_is_patched(standin: StandinBedrock) -> None:
    """By the same."""
    standin.script(raw_answer(Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"), Wait(Gate())))
    reply = a_client(standin.url("bedrock-runtime")).send(a_request(), Cancellation())
    assert reply.read_chunk() == b"{"
    with pytest.raises(UpstreamSilent, match="OUTCROP_READ_TIMEOUT"):
        reply.read_chunk()
    reply.close()
