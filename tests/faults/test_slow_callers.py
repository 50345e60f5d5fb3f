"""Callers who read or write as slowly as they can: they are given up in time, and cost the others nothing."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.faults.counts import count
from tests.faults.large_streams import BIG, PIECES, large_stream, read_all
from tests.faults.ward import JSON, VICTIM, Ward, someone, ward
from tests.raw_client import RawConnection, raw_request
from tests.standin_bedrock import StandinBedrock

READERS = count("SLOW_READERS", 20)
WRITERS = count("SLOW_WRITERS", 20)
KINDS = count("SLOW_KINDS", 1)
BODY_SECONDS = count("BODY_TIMEOUT", 3)
WRITE_SECONDS = 3


@pytest.fixture(scope="module")
def strict_ward(standin_for_all: StandinBedrock) -> Iterator[Ward]:
    """A gateway that waits for nobody for long."""
    bounds = {"OUTCROP_WRITE_TIMEOUT": str(WRITE_SECONDS), "OUTCROP_BODY_TIMEOUT": str(BODY_SECONDS)}
    with ward(standin_for_all, bounds) as found:
        yield found


def begin_streams(ward: Ward, stack: ExitStack) -> dict[str, RawConnection]:
    """Streams of callers who have read their head, by their end user."""
    callers = {}
    for _ in range(READERS):
        caller = stack.enter_context(RawConnection(ward.gateway.port, timeout=60, receive_buffer=4096))
        caller.send(ward.request("converse-stream", end_user := someone()))
        caller.read_until(b"\r\n\r\n")
        callers[end_user] = caller
    return callers


@contextmanager
def dripping(work: Callable[[], object]) -> Iterator[None]:
    """`work` once a half second, until the block ends."""
    stopping = threading.Event()

    def drip() -> None:
        while not stopping.wait(0.5):
            work()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.mark.parametrize("size", [1, 0][:KINDS], ids=["two bytes a second", "nothing"][:KINDS])
def test_readers_who_take_next_to_nothing_are_given_up_and_billed(
    strict_ward: Ward, standin: StandinBedrock, size: int
) -> None:
    strict_ward.break_victims(lambda request: large_stream())
    memory = strict_ward.gateway.rss_kib()

    with strict_ward.watched(), ExitStack() as stack:
        callers = begin_streams(strict_ward, stack)
        stack.enter_context(dripping(lambda: [caller.read_some(size) for caller in callers.values() if size]))
        for end_user in callers:
            row = strict_ward.row_of(end_user)
            assert (row.ended, row.source, bool(row.cost)) == ("client_gone", "estimated", True)
        grown = strict_ward.gateway.rss_kib() - memory

    # a piece of 64 KiB each on its way, and what python has of a call
    assert grown < READERS * 512 + 8 * 1024


def test_a_reader_who_pauses_gets_all_of_its_stream(strict_ward: Ward, standin: StandinBedrock) -> None:
    strict_ward.break_victims(lambda request: large_stream())

    with strict_ward.watched(), RawConnection(strict_ward.gateway.port, timeout=60) as caller:
        caller.send(strict_ward.request("converse-stream", end_user := someone()))
        caller.read_until(b"\r\n\r\n")
        time.sleep(WRITE_SECONDS / 3)
        assert read_all(caller) > PIECES * len(BIG)
        row = strict_ward.row_of(end_user)
        assert (row.ended, row.source) == ("complete", "reported")


@pytest.mark.parametrize("chunked", [False, True][:KINDS], ids=["with a length", "chunked"][:KINDS])
def test_writers_of_two_bytes_a_second_are_refused_and_hold_nothing(
    strict_ward: Ward, standin: StandinBedrock, chunked: bool
) -> None:
    before = strict_ward.sums.rows_of(strict_ward.unbudgeted.key.id)
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "500")
    headers = [("Authorization", f"Bearer {strict_ward.unbudgeted.text}"), JSON, framing]
    head = raw_request("POST", f"/bedrock/model/{VICTIM}/converse", headers)

    with strict_ward.watched(), ExitStack() as stack:
        callers = [stack.enter_context(RawConnection(strict_ward.gateway.port, timeout=60)) for _ in range(WRITERS)]
        for caller in callers:
            caller.send(head)
        drop = b"1\r\n{\r\n" if chunked else b"{"
        stack.enter_context(dripping(lambda: _send_to_all(callers, drop)))
        replies = [caller.read_reply() for caller in callers]

    assert {(reply.status, reply.header("x-amzn-ErrorType")) for reply in replies} == {(408, "RequestTimeoutException")}
    assert all(json.loads(reply.body)["message"].startswith("The body comes too slowly") for reply in replies)
    assert strict_ward.sums.rows_of(strict_ward.unbudgeted.key.id) == before


def _send_to_all(callers: list[RawConnection], data: bytes) -> None:
    for caller in callers:
        _send(caller, data)


def _send(caller: RawConnection, data: bytes) -> None:
    try:
        caller.send(data)
    except OSError:
        pass  # it has been given up


def test_a_large_body_that_comes_steadily_arrives(strict_ward: Ward, standin: StandinBedrock) -> None:
    said = {"messages": [{"role": "user", "content": [{"text": "outcrop " * 20_000}]}]}
    request = strict_ward.request(end_user=(end_user := someone()), body=json.dumps(said).encode())
    pieces = [request[at : at + 16_000] for at in range(0, len(request), 16_000)]

    with strict_ward.watched(), RawConnection(strict_ward.gateway.port) as caller:
        caller.send_pieces(pieces, pause=min(BODY_SECONDS, 20) / 2 / len(pieces))

        assert caller.read_reply().status == 200
        assert strict_ward.row_of(end_user).said["bytes_in"] == len(request.partition(b"\r\n\r\n")[2])
