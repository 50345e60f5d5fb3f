"""The gateway's AWS credentials expire while it serves: new ones are fetched beside the calls, which wait for nothing.

Where none can be had, AWS says what is wrong, in its own words, until there are some again.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.faults.counts import count
from tests.faults.credential_source import SECRET, TOKEN, CredentialSource
from tests.faults.victim import Met, Victim
from tests.faults.ward import Ward, ward
from tests.standin_bedrock import StandinBedrock

LASTING_SECONDS = 3.0
SOURCES = ("container", "process")[: count("CREDENTIAL_SOURCES", 1)]
RECOVERY_SECONDS = 20.0
NO_STATIC_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@dataclass(frozen=True)
class Renewed:
    """A gateway on credentials that last seconds."""

    ward: Ward
    source: CredentialSource


@pytest.fixture(scope="module", params=SOURCES)
def renewed_for_all(
    request: pytest.FixtureRequest, standin_for_all: StandinBedrock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Renewed]:
    with CredentialSource(LASTING_SECONDS) as source:
        standin_for_all.answer = source.verify
        standin_for_all.lenient = True
        folder = tmp_path_factory.mktemp("credentials")
        environment = source.as_container() if request.param == "container" else source.as_process(folder)
        with ward(standin_for_all, NO_STATIC_KEYS | dict(environment), "tests.faults.impatient_app:app") as found:
            yield Renewed(found, source)


@pytest.fixture
def renewed(renewed_for_all: Renewed, standin: StandinBedrock) -> Renewed:
    """In front of an AWS that takes what the source issued, as long as it lasts, and nothing else."""
    standin.answer = renewed_for_all.source.verify
    standin.lenient = True
    renewed_for_all.source.heal()
    with Victim(renewed_for_all.ward) as victim:
        wait_for(victim, "")
    return renewed_for_all


def wait_for(victim: Victim, raised: str) -> Met:
    """The first call that ends so."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while (met := victim.call("converse")).raised != raised:
        assert time.monotonic() < deadline, f"still {met.raised!r}"
    return met


def test_credentials_that_expire_are_renewed_and_no_call_notices(renewed: Renewed, standin: StandinBedrock) -> None:
    with renewed.ward.watched(), Victim(renewed.ward) as victim:
        ends = time.monotonic() + LASTING_SECONDS * 1.5
        while time.monotonic() < ends:
            assert victim.call("converse").raised == ""
    used = {request.verdict.access_key_id for request in standin.requests if request.verdict}
    assert len(used) >= 2


def test_calls_wait_for_no_source_that_stalls(renewed: Renewed) -> None:
    began = time.monotonic()
    renewed.source.stall()
    with Victim(renewed.ward) as victim:
        while time.monotonic() < began + LASTING_SECONDS / 3:
            assert victim.call("converse").raised == ""
    renewed.ward.probe.assert_served(since=began)


def test_where_none_can_be_had_aws_says_so_until_there_are_some(renewed: Renewed) -> None:
    renewed.source.fail()
    renewed.source.wait_until_all_expired()
    with Victim(renewed.ward) as victim:
        for method in ("converse", "converse_stream"):
            met = victim.call(method)
            row = renewed.ward.row_of(met.end_user)
            assert met.raised == "ExpiredTokenException"
            assert (row.said["status"], row.said["http_status"], row.cost) == ("failure", 403, Decimal(0))
        renewed.ward.gateway.wait_for_output("AWS credentials could not be refreshed")
        renewed.source.heal()
        wait_for(victim, "")
    renewed.ward.assert_holds_no_more_than_at_first()
    assert SECRET not in renewed.ward.gateway.output()
    assert TOKEN not in renewed.ward.gateway.output()
