"""AWS breaks off, stalls, errs or answers nonsense: boto3 says so by name, and nobody else notices."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest

from tests.faults.counts import count
from tests.faults.upstream_faults import Fault, Truth, cuts, errors, garbage, stalls
from tests.faults.victim import Victim
from tests.faults.ward import Ward, ward
from tests.standin_bedrock import StandinBedrock

REPEATS = count("REPEATS", 1)
FAULTS = [*cuts(), *stalls(), *errors(), *garbage()]
IMPATIENT = {"OUTCROP_CONNECT_TIMEOUT": "1", "OUTCROP_FIRST_BYTE_TIMEOUT": "1", "OUTCROP_READ_TIMEOUT": "1"}


@pytest.fixture(scope="module")
def broken_ward(standin_for_all: StandinBedrock) -> Iterator[Ward]:
    """Of bedrock-agent-runtime nobody is there, and of bedrock-agent somebody who takes no connection."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        stack.enter_context(socket.create_connection(full.getsockname()))
        endpoints = {
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_BEDROCK_AGENT": f"http://127.0.0.1:{full.getsockname()[1]}",
        }
        yield stack.enter_context(ward(standin_for_all, IMPATIENT | endpoints))


@pytest.fixture(scope="module")
def victim(broken_ward: Ward) -> Iterator[Victim]:
    """Its connection is there before it is noted what the worker holds."""
    with Victim(broken_ward) as found:
        for method in ("converse", "converse_stream", "retrieve", "list_agents"):
            found.call(method)
        broken_ward.note_holdings()
        yield found


def told(raised: str, ward: Ward, end_user: str) -> Truth:
    """What the caller and the ledger say. A cost that was estimated is `some`."""
    row = ward.row_of(end_user)
    assert row.said["status"] == (
        "failure" if row.ended == "upstream_broken" or row.said["http_status"] > 399 else "success"
    )
    estimated = row.source == "estimated" and row.cost
    return Truth(raised, row.said["http_status"], row.ended, row.source, "some" if estimated else row.cost)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_boto3_and_the_ledger_are_told_the_truth_and_others_are_served(
    broken_ward: Ward, victim: Victim, standin: StandinBedrock, fault: Fault
) -> None:
    broken_ward.break_victims(lambda request: fault.reply)

    with broken_ward.watched():
        for _ in range(REPEATS):
            met = victim.call(fault.method)
            assert told(met.raised, broken_ward, met.end_user) in fault.truths

    # none was sent twice but where AWS closed a connection that was kept alive, before it said anything
    broken_ward.heal()
    assert victim.call(fault.method).raised == ""


@pytest.mark.parametrize("method", ["retrieve", "list_agents"], ids=["refused", "not taken"])
def test_a_connection_that_cannot_be_made_costs_nothing_and_may_be_tried_again(
    broken_ward: Ward, victim: Victim, standin: StandinBedrock, method: str
) -> None:
    with broken_ward.watched():
        for _ in range(REPEATS):
            met = victim.call(method)
            expected = Truth("ServiceUnavailableException", 503, "upstream_broken", "unknown", Decimal(0))
            assert told(met.raised, broken_ward, met.end_user) == expected
