"""PostgreSQL away in every way that there is, under load: known keys without limits lose no call and wait for nobody,
limited ones are told so at once, all rows are exact afterwards, and nobody has to start anything anew."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import ClientMaker
from tests.end_to_end.fleet import MODEL
from tests.end_to_end.ledger_sums import eventually, ledger_sums
from tests.faults.counts import count
from tests.faults.mixed_load import CALLERS, Call, Keys, Load, answer, check_delay, of, some_keys, spread
from tests.faults.postgres_faults import Fault, FaultyPostgres
from tests.faults.probe import BOUND_SECONDS
from tests.faults.ward import upstream_sockets
from tests.faults.watched_app import PATH
from tests.gateway_process import GatewayProcess
from tests.raw_client import exchange, raw_request
from tests.standin_bedrock import StandinBedrock

OUTAGE_SECONDS = count("OUTAGE_SECONDS", 6)
# those that differ from the long one in how they begin and end, not in what they are while they last
BRIEF_SECONDS = OUTAGE_SECONDS / 6
RECOVERY_SECONDS = 10
PAUSE_SECONDS = 0.03
# a worker's connections to its database
POOL = 3


@dataclass
class Town:
    """A gateway, its database, keys that it knows, and what was served so far."""

    postgres: FaultyPostgres
    gateway: GatewayProcess
    standin: StandinBedrock
    keys: Keys
    served: list[Call] = field(default_factory=list)

    def load(self) -> Load:
        return Load(self.gateway, self.keys.all, pause=PAUSE_SECONDS)

    def holds(self) -> dict[str, int]:
        """What the worker holds; descriptors but for those to AWS, which may be kept (and which others have, too)."""
        held: dict[str, int] = json.loads(exchange(self.gateway.port, raw_request("GET", PATH)).body)
        pooled = upstream_sockets(self.gateway, self.standin)
        held["descriptors"] = sum(name not in pooled for name in self.gateway.open_files())
        return held

    def check_leaks(self, before: dict[str, int]) -> None:
        """Soon the worker holds what it held; its pools of connections may be full by now, also that of those to
        AWS."""
        room = {"descriptors": POOL, "greenlets": POOL, "Line": CALLERS}

        def more() -> list[str]:
            return [name for name, held in self.holds().items() if held > before.get(name, 0) + room.get(name, 0)]

        try:
            eventually(lambda: not more(), 15)
        except TimeoutError:
            raise AssertionError(f"{before} became {self.holds()}: {sorted(self.gateway.open_files())}") from None

    def readiness(self) -> str:
        reply = exchange(self.gateway.port, raw_request("GET", "/health/readiness"))
        assert reply.status == 200
        return str(json.loads(reply.body)["db"])

    def settled(self, load: Load) -> None:
        """All calls of a load have ended: each that was served has its row, and all sums agree."""
        self.served += load.served()
        with ledger_sums(self.postgres.own_url) as sums:
            ids = {str(call.id) for call in self.served}
            eventually(lambda: ids <= set(sums.request_ids()))
            eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0))
            assert len(ids) == len(self.served)
            assert {one.key.id: sums.rows_of(one.key.id) for one in self.keys.all} == {
                one.key.id: len(of(self.served, [one])) for one in self.keys.all
            }
            assert sums.disagreements() == []
        assert {path.suffix for path in (self.gateway.home / "spool").iterdir()} <= {".database"}


@pytest.fixture(scope="module")
def town_for_all(standin_for_all: StandinBedrock) -> Iterator[Town]:
    """Warm: what a first call brings with it is there, and keys are known to be as they are."""
    standin_for_all.answer = answer
    with ExitStack() as stack:
        postgres = stack.enter_context(FaultyPostgres())
        gateway = GatewayProcess(
            {"DATABASE_URL": postgres.url}, standin_for_all, application="tests.faults.watched_app:app"
        )
        gateway.environment["OUTCROP_SPOOL_DIR"] = str(gateway.home / "spool")
        stack.enter_context(gateway)
        town = Town(postgres, gateway, standin_for_all, some_keys(postgres.own_url))
        with town.load() as load:
            load.warm_up()
        town.settled(load)
        yield town


@pytest.fixture
def town(town_for_all: Town, standin: StandinBedrock) -> Town:
    standin.answer = answer
    town_for_all.gateway.clear_log()
    return town_for_all


def tell(capsys: pytest.CaptureFixture[str], what: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n    {what}")


def check_free(calls: list[Call], before: list[Call]) -> None:
    """All were served, and soon: they ask the database for nothing, and wait for it once, with their rows."""
    assert len(calls) > 10
    assert [call for call in calls if not call.served] == []
    check_delay(calls, before)


def check_limited(calls: list[Call], before: list[Call]) -> None:
    """They were served, or refused soon and told when to come again. Who is served may have waited for what was kept
    meanwhile, which moves the same balances."""
    refused = [call for call in calls if not call.served]
    assert {(call.status, call.whole, call.retry_after) for call in refused} <= {(503, True, "1")}
    check_delay(refused, before)
    assert max(call.seconds for call in calls) < BOUND_SECONDS


FAULTS: dict[str, tuple[Fault, float, str]] = {
    "stopped": (FaultyPostgres.stopped, OUTAGE_SECONDS, "unreachable"),
    "frozen": (FaultyPostgres.frozen, BRIEF_SECONDS, "unreachable"),
    "silent": (FaultyPostgres.silent, BRIEF_SECONDS, "unreachable"),
    "deaf": (FaultyPostgres.deaf, BRIEF_SECONDS, "unreachable"),
    "cut off": (FaultyPostgres.cut_off, BRIEF_SECONDS, "unreachable"),
    "killed": (FaultyPostgres.killed, BRIEF_SECONDS, "unreachable"),
    "full": (FaultyPostgres.full, BRIEF_SECONDS, "unreachable"),
    "restarted": (FaultyPostgres.restarted, 0, "connected"),
    "ending sessions": (FaultyPostgres.ending_sessions, 3 * BRIEF_SECONDS, ""),
    "read only": (FaultyPostgres.read_only, BRIEF_SECONDS, "connected"),
    "out of disk": (FaultyPostgres.out_of_disk, BRIEF_SECONDS, "connected"),
    "slow": (FaultyPostgres.slow, BRIEF_SECONDS, ""),
    "locked": (FaultyPostgres.locked, BRIEF_SECONDS, "connected"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_known_keys_go_on_and_no_call_is_lost_while_the_database_is(
    name: str, town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    fault, seconds, readiness = FAULTS[name]
    before, workers = town.holds(), town.gateway.worker_pids()
    with town.load() as load:
        eventually(lambda: len(load.served()) > 30)
        began = time.monotonic()
        with fault(town.postgres):
            if readiness:
                eventually(lambda: town.readiness() == readiness, 5)
            eventually(lambda: time.monotonic() > began + seconds, seconds + 1)
            away = load.since(began)
        back_at = time.monotonic()
        eventually(lambda: town.readiness() == "connected", RECOVERY_SECONDS)
        eventually(lambda: any(call.served for call in of(load.since(back_at), town.keys.limited)), RECOVERY_SECONDS)
        recovered = time.monotonic() - back_at
        settled_at = time.monotonic()
        eventually(lambda: len(load.since(settled_at)) > 15)
    town.settled(load)
    limited = of(away, town.keys.limited)
    refused = [call for call in limited if call.status == 503]
    tell(capsys, f"{name}: free {spread(of(away, town.keys.free))}")
    tell(capsys, f"{name}: limited {spread(limited)}, {len(refused)} refused {spread(refused)}; "
                 f"back after {recovered:.1f} s")  # fmt: skip

    usual = load.before(began)
    # a limited one may have met a database that a busy machine held up
    assert [call for call in of(usual, town.keys.free) if not call.served] == []
    check_free(of(load.since(began), town.keys.free), usual)
    check_limited(of(load.since(began), town.keys.limited), usual)
    town.check_leaks(before)
    assert town.gateway.worker_pids() == workers


def test_boto3_is_told_of_limits_that_cannot_be_checked_and_goes_on_once_they_can(
    town: Town, make_client: ClientMaker
) -> None:
    """By itself, as it tries again what it is told to."""
    [issued, _] = town.keys.limited
    url = town.gateway.url + "/bedrock"
    once = make_client("bedrock-runtime", url, issued.text)
    patient = make_client("bedrock-runtime", url, issued.text, retries={"total_max_attempts": 10, "mode": "standard"})
    said: dict[str, Any] = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    answers: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(patient.converse(**said)))
    with town.postgres.silent():
        with pytest.raises(once.exceptions.ServiceUnavailableException) as refused:
            once.converse(**said)
        refusals = _refusals(town)
        waiting.start()
        eventually(lambda: _refusals(town) > refusals, RECOVERY_SECONDS)
    waiting.join(30)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "cannot be checked at the moment" in refused.value.response["Error"]["Message"]
    assert [answer["ResponseMetadata"]["HTTPStatusCode"] for answer in answers] == [200]
    assert answers[0]["ResponseMetadata"]["RetryAttempts"] > 0


def _refusals(town: Town) -> int:
    return sum(line["status"] == 503 for line in town.gateway.log_lines())
