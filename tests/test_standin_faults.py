"""The stand-in Bedrock breaks exactly as it is told to, and knows when its peer has left."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EventStreamError
from urllib3.exceptions import ProtocolError

from tests.conftest import ClientMaker
from tests.event_frames import decode_frames, encode_frame, error_frame, event_frame, exception_frame
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_answers import converse_frames
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import (
    EVENT_STREAM,
    Answer,
    Chunk,
    Close,
    EndChunks,
    Gate,
    NoAnswer,
    Pause,
    Reply,
    Reset,
    Send,
    Step,
    Wait,
    chunked_answer,
    event_stream,
    json_answer,
    raw_answer,
)

CONVERSE = raw_request("POST", "/model/x/converse", body=b"{}")
STREAM = raw_request("POST", "/model/x/converse-stream", body=b"{}")
ANSWERED = json_answer({"answered": True})
CROWD = 320  # more than any worker's share in the end-to-end tests


@pytest.fixture
def standin() -> Iterator[StandinBedrock]:
    """Start one of our own: the shared one may hold connections of the gateway, and we count."""
    with StandinBedrock() as own:
        yield own


@pytest.fixture
def port(standin: StandinBedrock) -> int:
    """Return bedrock-runtime's port, for clients that do not sign."""
    standin.lenient = True
    return standin.port("bedrock-runtime")


def streamed(standin: StandinBedrock, make_client: ClientMaker, reply: Reply) -> Any:
    """Have boto3 read a ConverseStream that goes as scripted."""
    keys = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    client = make_client("bedrock-runtime", standin.url("bedrock-runtime"), credentials=keys)
    standin.script(reply)
    return client.converse_stream(modelId="x", messages=[{"role": "user", "content": [{"text": "Hi"}]}])["stream"]


def test_frames_are_encoded_as_botocore_reads_them() -> None:
    """Encoding and botocore's decoding are each other's inverse; a torn tail is left out."""
    frames = [
        encode_frame({"a": "1", ":b": "é"}, b"\x00\xff"),
        event_frame("metadata", {"n": 1}),
        error_frame("C", "m"),
    ]
    first, second, third = decode_frames(b"".join(frames) + frames[0][:-1])

    assert (first.headers, first.payload) == ({"a": "1", ":b": "é"}, b"\x00\xff")
    assert (second.event_type, second.payload) == ("metadata", b'{"n":1}')
    assert third.headers == {":error-code": "C", ":error-message": "m", ":message-type": "error"}


def test_an_exception_frame_reaches_boto3(standin: StandinBedrock, make_client: ClientMaker) -> None:
    """A modelled exception in mid-stream is an EventStreamError with its code and message."""
    frames = [*converse_frames()[:2], exception_frame("throttlingException", "slow down")]

    with closing(streamed(standin, make_client, event_stream(frames))) as stream:
        assert "messageStart" in next(iter(stream))
        with pytest.raises(EventStreamError, match=r"throttlingException.*slow down"):
            list(stream)


def test_a_stream_without_its_last_chunk_is_cut_for_boto3(standin: StandinBedrock, make_client: ClientMaker) -> None:
    """FIN without the last chunk is not a clean end."""
    reply = chunked_answer([Chunk(converse_frames()[0]), Close()], EVENT_STREAM)

    with closing(streamed(standin, make_client, reply)) as stream, pytest.raises(ProtocolError):
        list(stream)


def test_no_answer_at_all_is_a_closed_connection_for_boto3(standin: StandinBedrock, make_client: ClientMaker) -> None:
    """boto3 calls both RST and FIN before the head a closed connection."""
    for silence in (NoAnswer("reset"), NoAnswer("close")):
        with pytest.raises(ConnectionClosedError):
            streamed(standin, make_client, silence)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json_answer([1]), (200, b"[1]", "clean")),
        (chunked_answer([Chunk(b"ab"), EndChunks()], "text/plain"), (200, b"ab", "clean")),
        (chunked_answer([Chunk(b"ab"), Close()], "text/plain"), (200, b"ab", "cut")),
        (chunked_answer([Chunk(b"ab"), Reset()], "text/plain"), (200, b"ab", "reset")),
        (chunked_answer([Chunk(b"ab"), Send(b"5\r\nabc"), Close()], "text/plain"), (200, b"ababc", "cut")),
        (Answer(headers=[("Content-Length", "5")], steps=[Send(b"abc"), Close()]), (200, b"abc", "cut")),
        (Answer(headers=[("Content-Length", "5")], steps=[Send(b"abc"), Reset()]), (200, b"abc", "reset")),
        (Answer(529, "Overloaded", [("Content-Length", "0")]), (529, b"", "clean")),
        (raw_answer(Send(b"HTTP/1.1 200 OK\r\n\r\nto the end"), Close()), (200, b"to the end", "clean")),
        (raw_answer(Send(b"HTTP/1.1 200 OK\r\nContent-"), Close()), (0, b"", "cut")),
        (raw_answer(Send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n")), (204, b"", "clean")),
        (NoAnswer("close"), (0, b"", "cut")),
        (NoAnswer("reset"), (0, b"", "reset")),
    ],
)
def test_the_raw_client_tells_clean_cut_and_reset_apart(
    standin: StandinBedrock, port: int, reply: Reply, expected: tuple[int, bytes, str]
) -> None:
    """Each break is seen for what it is, with all that came before it."""
    standin.script(reply)
    seen: RawReply = exchange(port, CONVERSE)

    assert (seen.status, seen.body, seen.ended) == expected


def test_an_answer_carries_date_and_request_id_unless_it_brings_its_own(standin: StandinBedrock, port: int) -> None:
    """The rest of the head is the answer's own, in its order."""
    standin.script(ANSWERED, Answer(headers=[("Date", "today"), ("X-AMZN-RequestId", "7"), ("Content-Length", "0")]))
    first, second = exchange(port, CONVERSE), exchange(port, CONVERSE)

    assert [name for name, _ in first.headers] == ["Date", "x-amzn-RequestId", "Content-Type", "Content-Length"]
    assert first.header("x-amzn-requestid") == standin.requests[0].request_id
    assert [value for _, value in second.headers] == ["today", "7", "0"]


def test_a_hanging_answer_hangs_until_the_peer_leaves(standin: StandinBedrock, port: int) -> None:
    """The client's patience ends first, and the stand-in sees it leave."""
    silence = NoAnswer("hang")
    standin.script(silence)

    with RawConnection(port) as connection:
        connection.send(CONVERSE)
        silence.gate.wait_reached()
        connection.timeout = 0.05
        with pytest.raises(TimeoutError):
            connection.read_reply()
    standin.wait_closed_by_peer(standin.requests[0].connection)


@pytest.mark.parametrize("leave", [RawConnection.close, RawConnection.reset])
def test_a_peer_that_leaves_is_noticed_while_nothing_is_sent(standin: StandinBedrock, port: int, leave: Any) -> None:
    """FIN and RST alike end an answer that stands at a gate, and are counted."""
    gate = Gate()
    standin.script(chunked_answer([Chunk(b"a"), Wait(gate), Chunk(b"b"), EndChunks()], "text/plain"))
    connection = RawConnection(port)
    connection.send(CONVERSE)
    connection.read_until(b"1\r\na\r\n")
    gate.wait_reached()

    assert (standin.open_connections, standin.busy_connections) == (1, 1)
    leave(connection)
    standin.wait_no_connections()
    assert standin.connections_closed_by_peer == 1


def test_a_gate_holds_the_answer_until_it_opens(standin: StandinBedrock, port: int) -> None:
    """What comes before the gate is out at once; the rest follows its opening."""
    gate = Gate()
    standin.script(event_stream([b"one", b"two"], pace=0.01), chunked_answer([Wait(gate), EndChunks()], "text/plain"))
    with RawConnection(port) as connection:
        connection.send(STREAM)
        assert connection.read_reply().chunks == (b"one", b"two")
        connection.send(STREAM)
        gate.wait_reached()
        gate.open()
        assert connection.read_reply().ended == "clean"


def test_a_connection_carries_many_exchanges(standin: StandinBedrock, port: int) -> None:
    """Keep-alive: exchanges are numbered, also two that are sent at once."""
    with RawConnection(port) as connection:
        connection.send(CONVERSE + STREAM)
        assert connection.read_reply().status == 200
        assert len(decode_frames(connection.read_reply().body)) == len(converse_frames())

    assert [(r.connection - standin.requests[0].connection, r.exchange) for r in standin.requests] == [(0, 1), (0, 2)]


def test_idle_connections_can_be_closed_behind_the_clients_back(standin: StandinBedrock, port: int) -> None:
    """close_idle() sends FIN, to those that wait for a request only."""
    gate = Gate()
    with RawConnection(port) as idle, RawConnection(port) as busy:
        idle.send(CONVERSE)
        idle.read_reply()
        standin.script(chunked_answer([Wait(gate), EndChunks()], "text/plain"))
        busy.send(CONVERSE)
        gate.wait_reached()

        assert standin.close_idle() == 1
        assert idle.wait_ended() == "cut"
        gate.open()
        assert busy.read_reply().ended == "clean"
    assert standin.requests[0].connection not in standin.closed_by_peer


def test_a_late_fin_can_follow_each_answer(standin: StandinBedrock, port: int) -> None:
    """close_after_answer ends a connection once it has been idle for so long."""
    standin.close_after_answer = 0.01
    with RawConnection(port) as connection:
        connection.send(CONVERSE)
        assert connection.read_reply().ended == "clean"
        assert connection.wait_ended() == "cut"


def test_reset_cuts_what_is_under_way_and_forgets(standin: StandinBedrock, port: int) -> None:
    """After reset() nothing is recorded, scripted or being answered."""
    standin.script(chunked_answer([Chunk(b"a"), Pause(60)], "text/plain"), ANSWERED)
    with RawConnection(port) as connection:
        connection.send(CONVERSE)
        connection.read_until(b"a\r\n")
        standin.reset()

        assert connection.wait_ended() == "reset"
    assert standin.requests == []
    assert exchange(port, CONVERSE).status == 403


def test_a_crowd_of_streams_is_served_at_the_same_time(standin: StandinBedrock, port: int) -> None:
    """Hundreds of streams stand open together and all come to a clean end."""
    gate = Gate()
    first, *rest = converse_frames()
    steps: list[Step] = [Chunk(first), Wait(gate), *map(Chunk, rest), EndChunks()]
    standin.answer = lambda request: chunked_answer(steps, EVENT_STREAM)
    crowd = [RawConnection(port) for _ in range(CROWD)]
    for connection in crowd:
        connection.send(STREAM)
    standin.wait_for(lambda: standin.busy_connections == CROWD)
    gate.open()
    replies = [connection.read_reply() for connection in crowd]
    for connection in crowd:
        connection.close()

    assert {reply.ended for reply in replies} == {"clean"}
    assert {reply.body for reply in replies} == {b"".join(converse_frames())}
    standin.wait_no_connections()
