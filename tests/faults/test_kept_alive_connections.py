"""AWS closes connections that are kept alive, whenever it likes: no caller hears of it, and nobody pays twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.counts import count
from tests.faults.ward import Ward, someone, upstream_sockets, ward
from tests.raw_client import RawConnection
from tests.standin_answers import INPUT_TOKENS, OUTPUT_TOKENS, default_answer
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Close, NoAnswer, Recorded, Reply, Reset

CALLERS = 8
CALLS = count("KEPT_ALIVE_CALLS", 8)  # of each caller
ENDED_BY = someone()
USED = {"input": INPUT_TOKENS, "output": OUTPUT_TOKENS}


@pytest.fixture(scope="module")
def closing_ward(standin_for_all: StandinBedrock) -> Iterator[Ward]:
    """A gateway of its own."""
    with ward(standin_for_all) as found:
        yield found


def call_from_all_sides(ward: Ward) -> Counter[int]:
    """The statuses that callers on kept-alive connections get, CALLS each."""
    statuses: Counter[int] = Counter()

    def call() -> None:
        with RawConnection(ward.gateway.port, timeout=30) as caller:
            for _ in range(CALLS):
                caller.send(ward.request(end_user=ENDED_BY))
                statuses[caller.read_reply().status] += 1

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return statuses


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01])
def test_no_call_fails_when_connections_close_just_after_each_answer(
    closing_ward: Ward, standin: StandinBedrock, seconds: float
) -> None:
    standin.close_after_answer = seconds
    before = closing_ward.rows.count()

    with closing_ward.watched():
        statuses = call_from_all_sides(closing_ward)
        standin.close_after_answer = None

    assert statuses == {200: CALLERS * CALLS}
    assert closing_ward.rows.count() >= before + CALLERS * CALLS
    closing_ward.wait_for_agreement()


def _announced(request: Recorded) -> Reply:
    answer = default_answer(request)
    return Answer(headers=[*answer.headers, ("Connection", "close")], steps=answer.steps)


def _unannounced(request: Recorded) -> Reply:
    answer = default_answer(request)
    return Answer(headers=answer.headers, steps=[*answer.steps, Close()])


def _reset(request: Recorded) -> Reply:
    answer = default_answer(request)
    return Answer(headers=answer.headers, steps=[*answer.steps, Reset()])


@pytest.mark.parametrize("close", [_announced, _unannounced, _reset])
def test_no_call_fails_when_each_answer_ends_its_connection(
    closing_ward: Ward, standin: StandinBedrock, close: Callable[[Recorded], Reply]
) -> None:
    closing_ward.break_victims(close)

    with closing_ward.watched():
        assert call_from_all_sides(closing_ward) == {200: CALLERS * CALLS}
        # those that it keeps are seen to be dead, and left, when they are wanted
        closing_ward.heal()
        assert call_from_all_sides(closing_ward) == {200: CALLERS * CALLS}


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_that_crosses_the_end_of_its_connection_is_sent_once_more_and_billed_once(
    closing_ward: Ward, standin: StandinBedrock, how: str
) -> None:
    ended = NoAnswer(how)  # type: ignore[arg-type]  # one of them, as the table says
    closing_ward.break_victims(lambda request: ended if request.exchange > 1 else default_answer(request))

    with closing_ward.watched(), RawConnection(closing_ward.gateway.port) as caller:
        for _ in range(CALLS):
            standin.requests.clear()
            caller.send(closing_ward.request(end_user=(end_user := someone())))
            assert caller.read_reply().status == 200
            assert sum("nova-lite" in request.path for request in standin.requests) <= 2
            row = closing_ward.row_of(end_user)
            assert (row.ended, row.source, row.counts) == ("complete", "reported", USED)


def test_connections_that_all_closed_while_idle_cost_no_call(closing_ward: Ward, standin: StandinBedrock) -> None:
    with closing_ward.watched():
        for _ in range(3):
            assert call_from_all_sides(closing_ward) == {200: CALLERS * CALLS}
            standin.close_idle()
        # none is kept beside those that are used: one a caller, and one or two of the probe's
        assert len(upstream_sockets(closing_ward.gateway, standin)) <= CALLERS + 2
