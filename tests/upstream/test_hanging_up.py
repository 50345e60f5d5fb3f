"""Calls that are ended from outside, by a deadline or by a caller that leaves: whoever waits for AWS is woken."""

import threading

import pytest

from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Chunk, EndChunks, Gate, NoAnswer, Pause, Send, Wait, chunked_answer, raw_answer
from tests.upstream.client_process import CallFailedError, ClientProcess, RemoteClient
from tests.upstream.conftest import deaf_port

HEAD = b"HTTP/1.1 200 OK\r\n"
SIZED = Send(HEAD + b"Content-Length: 10\r\n\r\nhalf")
CHUNKED = Send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
OPEN_ENDED = Send(HEAD + b"\r\nhalf")


@pytest.fixture
def client(process: ClientProcess, standin: StandinBedrock) -> RemoteClient:
    """One in front of the stand-in."""
    return process.client(standin.url("bedrock-runtime"))


@pytest.fixture
def hasty(process: ClientProcess, standin: StandinBedrock) -> RemoteClient:
    """One whose whole calls may take 3 s."""
    return process.client(standin.url("bedrock-runtime"), total=3)


def failure(client: RemoteClient) -> CallFailedError:
    """What a whole call raises."""
    with pytest.raises(CallFailedError) as raised:
        client.exchange()
    return raised.value


@pytest.mark.parametrize("begun", [CHUNKED, SIZED, OPEN_ENDED])
def test_the_whole_call_has_a_deadline(hasty: RemoteClient, standin: StandinBedrock, begun: Send) -> None:
    """In every kind of body; the connection is closed."""
    standin.script(raw_answer(begun, Wait(Gate())))
    failed = failure(hasty)

    assert failed.kind == "UpstreamSilent"
    assert "OUTCROP_TOTAL_TIMEOUT" in failed.message
    standin.wait_closed_by_peer(standin.requests[0].connection)


def test_a_call_without_headers_has_a_deadline(hasty: RemoteClient, standin: StandinBedrock) -> None:
    """Also where it is shorter than the one for headers."""
    standin.script(NoAnswer("hang"))

    assert failure(hasty).kind == "UpstreamSilent"


def test_headers_that_trickle_are_cut_when_they_are_due(process: ClientProcess, standin: StandinBedrock) -> None:
    """Each line would renew the wait for the next; half a head is no answer all the same."""
    lines = [step for _ in range(50) for step in (Pause(0.05), Send(b"X-A: b\r\n"))]
    standin.script(raw_answer(Send(HEAD), *lines, Wait(Gate())))
    failed = failure(process.client(standin.url("bedrock-runtime"), first_byte=0.4))

    assert failed.kind == "UpstreamSilent"
    assert "OUTCROP_FIRST_BYTE_TIMEOUT" in failed.message


def test_a_call_in_time_meets_no_deadline(hasty: RemoteClient, standin: StandinBedrock) -> None:
    """Nor does the next on its connection, in which the first one's would have passed."""
    hasty.exchange()
    standin.script(chunked_answer([Pause(1.6), Chunk(b"a"), EndChunks()], "x/y"))
    assert hasty.exchange() == b"a"
    standin.script(chunked_answer([Pause(1.6), Chunk(b"b"), EndChunks()], "x/y"))

    assert hasty.exchange() == b"b"


def test_a_caller_that_leaves_before_headers_wakes_the_wait(client: RemoteClient, standin: StandinBedrock) -> None:
    """And AWS sees the connection closed."""
    standin.script(hang := NoAnswer("hang"))
    call = client.start()
    hang.gate.wait_reached()
    call.cancel("client_left")
    with pytest.raises(CallFailedError, match="ClientLeft"):
        call.head()

    standin.wait_closed_by_peer(standin.requests[0].connection)


@pytest.mark.parametrize("begun", [CHUNKED, SIZED, OPEN_ENDED])
def test_a_caller_that_leaves_wakes_a_waiting_read(client: RemoteClient, standin: StandinBedrock, begun: Send) -> None:
    """In every kind of body: what was cut by us must not look complete."""
    standin.script(raw_answer(begun, Wait(Gate())))
    call = client.start()
    call.head()
    assert call.read() == b"half"
    piece = call.begin_read()
    call.cancel("client_left")
    with pytest.raises(CallFailedError, match="ClientLeft"):
        piece()

    call.close()
    standin.wait_closed_by_peer(standin.requests[0].connection)


def test_a_caller_that_left_before_it_began_sends_nothing(client: RemoteClient, standin: StandinBedrock) -> None:
    """Nobody would read what was paid for."""
    with pytest.raises(CallFailedError, match="ClientLeftEarly"):
        client.start(cancelled="client_left").head()
    client.exchange()

    assert len(standin.requests) == 1


def test_a_caller_that_leaves_while_connecting_is_told_apart(process: ClientProcess) -> None:
    """From an AWS that cannot be reached."""
    with deaf_port() as port:
        call = process.client(f"http://127.0.0.1:{port}", connect=3).start()
        call.cancel("client_left")
        with pytest.raises(CallFailedError, match="ClientLeftEarly"):
            call.head()


def test_a_caller_that_reads_slowly_is_not_aws_silence(process: ClientProcess, standin: StandinBedrock) -> None:
    """AWS is silent only while somebody waits for it."""
    standin.script(chunked_answer([Chunk(b"a"), Wait(gate := Gate()), Chunk(b"b"), EndChunks()], "x/y"))
    call = process.client(standin.url("bedrock-runtime"), silence=2).start()
    call.head()
    assert call.read() == b"a"
    threading.Event().wait(2.5)
    gate.open()

    assert call.read_all() == b"b"


@pytest.mark.parametrize("begun", [CHUNKED, SIZED, OPEN_ENDED])
def test_silence_in_every_kind_of_body_is_silence(process: ClientProcess, standin: StandinBedrock, begun: Send) -> None:
    """Also in one that ends with its connection, which is what a silent one is given."""
    standin.script(raw_answer(begun, Wait(Gate())))
    failed = failure(process.client(standin.url("bedrock-runtime"), silence=0.3))

    assert failed.kind == "UpstreamSilent"
    assert "OUTCROP_READ_TIMEOUT" in failed.message
    standin.wait_closed_by_peer(standin.requests[0].connection)
