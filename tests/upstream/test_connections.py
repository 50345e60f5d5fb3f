"""Connections to AWS: reused, resent on once and only where that is safe, timed by phase, and hung up on."""

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
    Reply,
    Reset,
    Send,
    Wait,
    aws_error,
    chunked_answer,
    json_answer,
    raw_answer,
)
from tests.upstream.client_process import CallFailedError, ClientProcess, RemoteClient

OK = json_answer({"ok": True})
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ANSWERS = {
    "with a length": OK,
    "in chunks": chunked_answer([Chunk(b"a"), Chunk(b"b"), EndChunks()], "application/json"),
    "empty": Answer(headers=[("Content-Length", "0")]),
    "without content": Answer(204),
    "an error": aws_error(400, "ValidationException", "no"),
}


@pytest.fixture
def client(process: ClientProcess, standin: StandinBedrock) -> RemoteClient:
    """One with a pool of its own, in front of the stand-in."""
    return process.client(standin.url("bedrock-runtime"))


def exchanges(standin: StandinBedrock) -> list[tuple[int, int]]:
    """For each request: which of the connections seen it came on, and as the how manieth."""
    numbers = list(dict.fromkeys(request.connection for request in standin.requests))
    return [(numbers.index(request.connection) + 1, request.exchange) for request in standin.requests]


def open_together(client: RemoteClient, standin: StandinBedrock, count: int) -> None:
    """Make so many calls at the same time: as many connections lie idle afterwards."""
    gate = Gate()
    standin.script(*[raw_answer(Wait(gate), Send(WHOLE))] * count)
    calls = [client.start() for _ in range(count)]
    standin.wait_for_requests(count)
    gate.open()
    for call in calls:
        call.head()
        call.read_all()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_connection_is_reused_after_every_kind_of_answer(
    client: RemoteClient, standin: StandinBedrock, answer: Reply
) -> None:
    """Six calls, one connection: another costs a TLS handshake on the request path."""
    standin.answer = lambda request: answer
    for _ in range(6):
        client.exchange()

    assert exchanges(standin) == [(1, number) for number in range(1, 7)]


def test_a_connection_goes_back_with_the_last_byte_of_a_known_length(
    client: RemoteClient, standin: StandinBedrock
) -> None:
    """Whoever knows that it is the last need not read again."""
    standin.script(OK)
    first = client.start()
    first.head()
    assert first.read() == b'{"ok":true}'
    client.exchange()

    assert exchanges(standin) == [(1, 1), (1, 2)]


def test_calls_at_the_same_time_have_a_connection_each(client: RemoteClient, standin: StandinBedrock) -> None:
    """And what they opened is used again afterwards."""
    open_together(client, standin, 3)
    client.exchange()

    assert sorted(exchanges(standin)[:3]) == [(1, 1), (2, 1), (3, 1)]
    assert exchanges(standin)[3][1] == 2


def test_a_half_read_answer_costs_its_connection(client: RemoteClient, standin: StandinBedrock) -> None:
    """The rest of it would be the next call's answer."""
    standin.script(chunked_answer([Chunk(b"a"), Wait(Gate())], "application/json"))
    call = client.start()
    call.head()
    call.read()
    call.close()
    call.close()
    standin.wait_closed_by_peer(standin.requests[0].connection)
    client.exchange()

    assert exchanges(standin) == [(1, 1), (2, 1)]


def test_a_connection_that_aws_will_close_is_not_reused(client: RemoteClient, standin: StandinBedrock) -> None:
    """It says so in its answer."""
    standin.script(Answer(headers=[("Content-Length", "2"), ("Connection", "close")], steps=[Send(b"{}")]))
    client.exchange()
    client.exchange()

    assert exchanges(standin) == [(1, 1), (2, 1)]


def test_a_connection_that_aws_closed_long_ago_is_not_used(client: RemoteClient, standin: StandinBedrock) -> None:
    """Its FIN has come: nothing need be tried."""
    client.exchange()
    while not standin.close_idle():
        pass  # it has sent its answer, and does not know yet that it has
    client.exchange()

    assert exchanges(standin) == [(1, 1), (2, 1)]


def test_a_connection_that_lay_idle_long_is_closed(process: ClientProcess, standin: StandinBedrock) -> None:
    """Also where nobody calls again; what is called later opens another."""
    client = process.client(standin.url("bedrock-runtime"), idle=0.2)
    client.exchange()
    standin.wait_closed_by_peer(standin.requests[0].connection)
    client.exchange()

    assert exchanges(standin) == [(1, 1), (2, 1)]


def test_a_connection_that_carries_an_answer_is_not_idle(process: ClientProcess, standin: StandinBedrock) -> None:
    """However long it is silent."""
    client = process.client(standin.url("bedrock-runtime"), idle=0.1)
    standin.script(chunked_answer([Chunk(b"a"), Pause(0.5), Chunk(b"b"), EndChunks()], "x/y"))

    assert client.exchange() == b"ab"


@pytest.mark.parametrize("surplus", [b"x", WHOLE])
def test_what_comes_after_an_answer_is_not_the_next_ones(
    client: RemoteClient, standin: StandinBedrock, surplus: bytes
) -> None:
    """With its last byte or later: that connection is not used again."""
    standin.script(raw_answer(Send(WHOLE + surplus)), raw_answer(Send(WHOLE), Pause(0.1), Send(surplus)))
    client.exchange()
    client.exchange()
    standin.wait_for(lambda: not standin.busy_connections)
    client.exchange()

    assert exchanges(standin) == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("how", [NoAnswer("close"), NoAnswer("reset"), raw_answer(Pause(0.1), Close())])
def test_a_stale_connection_is_resent_on_once(client: RemoteClient, standin: StandinBedrock, how: Reply) -> None:
    """Closed under the request, within a second and without a byte: AWS had not read it."""
    standin.script(OK, how, OK)
    client.exchange()

    assert client.exchange() == b'{"ok":true}'
    assert exchanges(standin) == [(1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_fresh_connection_is_never_resent_on(client: RemoteClient, standin: StandinBedrock, how: str) -> None:
    """It cannot have been stale: the model may have run."""
    standin.script(NoAnswer("close" if how == "close" else "reset"), OK)
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        client.exchange()

    assert exchanges(standin) == [(1, 1)]


def test_a_second_failure_is_not_resent(client: RemoteClient, standin: StandinBedrock) -> None:
    """Once is once."""
    standin.script(OK, NoAnswer("close"), NoAnswer("close"), OK)
    client.exchange()
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        client.exchange()

    assert exchanges(standin) == [(1, 1), (1, 2), (2, 1)]


def test_a_connection_that_closes_after_a_second_is_not_resent_on(
    client: RemoteClient, standin: StandinBedrock
) -> None:
    """AWS may have read the request by then."""
    standin.script(OK, raw_answer(Pause(1.2), Close()), OK)
    client.exchange()
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        client.exchange()

    assert exchanges(standin) == [(1, 1), (1, 2)]


def test_a_silent_connection_is_not_resent_on(process: ClientProcess, standin: StandinBedrock) -> None:
    """A read timeout says nothing about whether the model runs."""
    client = process.client(standin.url("bedrock-runtime"), first_byte=2)
    standin.script(OK, NoAnswer("hang"), OK)
    client.exchange()
    with pytest.raises(CallFailedError, match="UpstreamSilent"):
        client.exchange()

    assert exchanges(standin) == [(1, 1), (1, 2)]


@pytest.mark.parametrize("end", [Reset(), Close()])
@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\nX-A", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", b"HTT"])
def test_an_answer_that_has_begun_is_not_resent(
    client: RemoteClient, standin: StandinBedrock, end: Reset | Close, part: bytes
) -> None:
    """The first byte of a head proves that AWS read the request: a second one would be paid twice."""
    standin.script(OK, raw_answer(Send(part), Pause(0.1), end), OK)
    client.exchange()
    with pytest.raises(CallFailedError, match="UpstreamBroke"):
        client.exchange()

    assert exchanges(standin) == [(1, 1), (1, 2)]


def test_a_resend_takes_no_other_idle_connection(client: RemoteClient, standin: StandinBedrock) -> None:
    """What lay idle as long is as stale."""
    open_together(client, standin, 2)
    standin.script(NoAnswer("close"))
    client.exchange()

    assert exchanges(standin)[-1] == (3, 1)


def test_a_cancelled_call_is_not_resent(client: RemoteClient, standin: StandinBedrock) -> None:
    """A caller that leaves within the second looks like a stale connection, and is none: idle ones stay open."""
    open_together(client, standin, 2)
    standin.script(hang := NoAnswer("hang"))
    leaving = client.start()
    hang.gate.wait_reached()
    leaving.cancel("client_left")
    with pytest.raises(CallFailedError, match="ClientLeft"):
        leaving.head()
    client.exchange()

    assert len(standin.requests) == 4
    ours = {request.connection for request in standin.requests}
    assert standin.closed_by_peer & ours == {standin.requests[2].connection}


def test_a_call_that_ended_cannot_hang_up_on_the_next(client: RemoteClient, standin: StandinBedrock) -> None:
    """Its connection is another's by then."""
    ended = client.start()
    ended.head()
    ended.read_all()
    standin.script(chunked_answer([Chunk(b"a"), Wait(gate := Gate()), Chunk(b"b"), EndChunks()], "x/y"))
    running = client.start()
    running.head()
    running.read()
    ended.cancel("client_left")
    gate.open()

    assert running.read_all() == b"b"
    assert exchanges(standin) == [(1, 1), (1, 2)]
