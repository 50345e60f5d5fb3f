"""Rates and places are exact across workers and gateways, wherever they are counted; and what was taken comes back."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.databases import PostgresServer
from tests.end_to_end.fleet import (
    CONVERSE,
    Fleet,
    borrowed,
    calling,
    fleet,
    held_back,
    name,
    statuses,
    wait_for_room_in_the_minute,
)
from tests.end_to_end.ledger_sums import eventually
from tests.end_to_end.streams import gated
from tests.raw_client import RawReply
from tests.redis_server import RedisServer
from tests.standin_answers import INPUT_TOKENS, OUTPUT_TOKENS
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate

# LIMIT_ABORTS=1000 for the figure
ABORTS = int(os.environ.get("LIMIT_ABORTS", "100"))
AT_ONCE = 20
# a dead worker is missed after 20 s, and waiting for that three times is too long for every run: LIMIT_KILLS=1 does
SOURCES = ("postgresql", "redis", "sqlite")
KILLED_AT = SOURCES if os.environ.get("LIMIT_KILLS") == "1" else SOURCES[:1]
ENDED_WITHIN_SECONDS = 60.0
# port 1 is nobody's
UNREACHABLE = {"AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": "http://127.0.0.1:1"}
NOWHERE = "/bedrock/knowledgebases/KB12345678/retrieve"
STREAM = f"{CONVERSE}-stream"


@dataclass(frozen=True)
class Counted:
    """Gateways, and where they count: `redis` is None for their database."""

    gateways: Fleet
    redis: RedisServer | None = None

    def places_taken(self, key: str) -> int:
        """Of a key by its id."""
        if self.redis is None:
            return self.gateways.sums.held()[1]
        with self.redis.client() as client:
            return int(client.zcard(f"{{outcrop}}:leases:key:{key}"))


@pytest.fixture(scope="module", params=SOURCES)
def counted(  # noqa: PLR0917  # fixtures
    request: pytest.FixtureRequest,
    standin_for_all: StandinBedrock,
    postgres_server: PostgresServer,
    postgresql_template: str,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Counted]:
    """Two gateways of two workers each, on SQLite one."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            path = tmp_path_factory.mktemp("limits") / "outcrop.db"
            path.write_bytes(sqlite_template.read_bytes())
            yield Counted(stack.enter_context(fleet(standin_for_all, f"sqlite:///{path}", UNREACHABLE, gateways=1)))
            return
        url = stack.enter_context(borrowed(postgres_server, postgresql_template))
        redis = stack.enter_context(RedisServer()) if request.param == "redis" else None
        environment = UNREACHABLE | ({"REDIS_URL": redis.url} if redis else {})
        yield Counted(stack.enter_context(fleet(standin_for_all, url, environment)), redis)


@pytest.fixture
def gateways(counted: Counted, standin: StandinBedrock) -> Fleet:
    """With an AWS that has seen nothing."""
    return counted.gateways


def refused(replies: list[RawReply], says: str) -> bool:
    """Whether all were, for this limit, with the seconds until it is worth trying again."""
    return all(
        reply.status == 429
        and says in reply.body.decode()
        and 1 <= int(reply.header("Retry-After") or 0) <= 60
        and reply.header("x-amz-retry-after") == f"{reply.header('Retry-After')}000"
        for reply in replies
    )


def test_requests_of_a_minute(gateways: Fleet) -> None:
    key = gateways.key(rpm_limit=30)
    wait_for_room_in_the_minute(10)
    with gateways.crowd([calling(key)] * 120) as crowd:
        replies = crowd.replies()

    assert statuses(replies) == {200: 30, 429: 90}
    assert len(gateways.calls_at_aws()) == 30
    assert refused([reply for reply in replies if reply.status == 429], "rpm_limit")


def test_requests_of_a_teams_minute(gateways: Fleet) -> None:
    """By two keys, of which one has a limit of its own."""
    team = gateways.admin("/team/new", team_alias=name(), rpm_limit=30)["team_id"]
    narrow, wide = gateways.key(team_id=team, rpm_limit=5), gateways.key(team_id=team)
    wait_for_room_in_the_minute(10)
    with gateways.crowd([calling(narrow)] * 20) as crowd:
        first = crowd.replies()
    with gateways.crowd([calling(wide)] * 60) as crowd:
        then = crowd.replies()

    assert statuses(first) == {200: 5, 429: 15}
    assert statuses(then) == {200: 25, 429: 35}


def test_calls_at_once(gateways: Fleet, standin: StandinBedrock) -> None:
    """Five streams of forty, and five more when those have ended."""
    gate = Gate()
    standin.answer = lambda _: gated(gate)
    key = gateways.key(max_parallel_requests=5)
    with gateways.crowd([calling(key, STREAM)] * 40) as crowd:
        standin.wait_for_requests(5)
        early = crowd.replies(35, status=429)
        at_aws = len(gateways.calls_at_aws())
        gate.open()
        served = crowd.replies()
    gateways.wait_until_settled()
    with gateways.crowd([calling(key, STREAM)] * 5) as crowd:
        again = crowd.replies()

    assert at_aws == 5
    assert refused(early, "max_parallel_requests")
    assert statuses(served) == statuses(again) == {200: 5}


def test_tokens_of_a_minute(gateways: Fleet) -> None:
    """A call is admitted while those that have ended are below the limit: here three."""
    used = INPUT_TOKENS + OUTPUT_TOKENS
    key = gateways.key(tpm_limit=2 * used + 1)
    wait_for_room_in_the_minute(10)
    alone = []
    for _ in range(5):
        alone.append(gateways.call(key))
        gateways.wait_until_settled()
    with gateways.crowd([calling(key)] * 20) as crowd:
        then = crowd.replies()

    assert [reply.status for reply in alone] == [200, 200, 200, 429, 429]
    assert refused([*alone[3:], *then], "tpm_limit")


def test_calls_that_were_left_take_no_place(counted: Counted, gateways: Fleet, standin: StandinBedrock) -> None:
    """Before AWS answers and in the middle of a stream, by all places at once."""
    key = gateways.key(max_parallel_requests=AT_ONCE)
    for wave in range(ABORTS // AT_ONCE):
        _leave(gateways, standin, key, streams=wave % 2 == 0)
        eventually(lambda: counted.places_taken(gateways.key_id(key)) == 0)
    gate = Gate()
    gateways.wait_until_settled()
    standin.answer = lambda _: gated(gate)
    with gateways.crowd([calling(key, STREAM)] * (AT_ONCE + 1)) as crowd:
        early = crowd.replies(1, status=429)
        gate.open()
        served = crowd.replies()

    assert refused(early, "max_parallel_requests")
    assert statuses(served) == {200: AT_ONCE}
    eventually(lambda: gateways.sums.rows_of(gateways.key_id(key)) == ABORTS // AT_ONCE * AT_ONCE + AT_ONCE)


def _leave(gateways: Fleet, standin: StandinBedrock, key: str, *, streams: bool) -> None:
    gate = Gate()
    standin.answer = lambda _: gated(gate) if streams else held_back(gate)
    before = len(gateways.calls_at_aws())
    with gateways.crowd([calling(key, STREAM if streams else CONVERSE)] * AT_ONCE) as crowd:
        standin.wait_for_requests(before + AT_ONCE)
        crowd.hang_up()
    if not streams:  # whoever asked for a whole answer and left is served all the same
        gate.open()


def test_a_call_that_never_reached_aws_gives_its_place_in_the_minute_back(gateways: Fleet) -> None:
    key = gateways.key(rpm_limit=3, operations=["inference", "agents"])
    wait_for_room_in_the_minute(10)
    unserved = [gateways.call(key, NOWHERE, body=b'{"retrievalQuery":{"text":"Hello"}}').status for _ in range(5)]
    served = [gateways.call(key).status for _ in range(4)]

    assert unserved == [503] * 5
    assert served == [200, 200, 200, 429]


@pytest.mark.parametrize("counted", KILLED_AT, indirect=True)
def test_what_a_killed_worker_had_taken_comes_back_within_a_minute(
    counted: Counted, gateways: Fleet, standin: StandinBedrock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Places and holds; and its calls have rows."""
    gate = Gate()
    standin.answer = lambda _: gated(gate)
    key = gateways.key(max_parallel_requests=6, max_budget=1)
    key_id = gateways.key_id(key)
    with gateways.crowd([calling(key, STREAM)] * 6) as crowd:
        standin.wait_for_requests(6)
        assert counted.places_taken(key_id) == 6
        for pid in gateways.gateways[-1].worker_pids():
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        ours = 6 // len(gateways.gateways) % 6
        eventually(lambda: counted.places_taken(key_id) == ours, ENDED_WITHIN_SECONDS)
        places = time.monotonic() - began
        eventually(lambda: gateways.sums.tickets() == ours, ENDED_WITHIN_SECONDS)
        tickets = time.monotonic() - began
        gate.open()
        assert len([reply for reply in crowd.replies() if reply.ended == "clean" and reply.status == 200]) == ours
    gateways.wait_until_settled()
    with capsys.disabled():
        sys.stdout.write(f" places back after {places:.1f} s, holds after {tickets:.1f} s ")

    assert gateways.sums.rows_of(key_id) == 6
    assert gateways.sums.counted("ended")["gateway_killed"] == 6 - ours
    assert gateways.sums.disagreements() == []
