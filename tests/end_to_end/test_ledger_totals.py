"""Every call that AWS saw has one row, and rows, balances and totals of the days agree to the last pico-dollar.

Calls of many kinds from many callers at once, through several workers: some fail, some hang up, none is lost.
"""

import json
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.core.accounts import Customer, Limits, Stamps, Team, User
from app.store.database import Database
from app.store.registry import Registry
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.ledger_sums import LedgerSums, eventually, ledger_sums
from tests.fake_keys import NOW
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, raw_request
from tests.standin_answers import converse, converse_frames, invoke_frames, invoke_model
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Recorded, aws_error, event_stream

# LEDGER_CALLS=5000 for the figure
CALLS = int(os.environ.get("LEDGER_CALLS", "600"))
CALLERS = 12
STAMPS = Stamps(NOW, "master", NOW, "master")
MODELS = (
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-lite-v1:0",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "acme.without-a-price-v1:0",
)
OPERATIONS = ("converse", "converse-stream", "invoke", "invoke-with-response-stream")
FAILS, HANGS_UP = "x-fails", "x-hangs-up"
_PACE_SECONDS = 0.002


def answer(request: Recorded) -> Answer:
    """As the operation's, or an error where the caller asks for one."""
    if request.header(FAILS):
        return aws_error(int(request.header(FAILS) or 0), "ThrottlingException", "too much")
    operation = request.path.rpartition("/")[2]
    if operation == "converse":
        return converse(request)
    if operation == "invoke":
        return invoke_model(request)
    return event_stream(converse_frames() if operation == "converse-stream" else invoke_frames(), _PACE_SECONDS)


class Caller(threading.Thread):
    """Makes its calls one after the other, and remembers the ids of those that it saw the end of."""

    def __init__(self, port: int, key: Issued, calls: int, seed: int) -> None:
        super().__init__()
        self._port = port
        self._key = key
        self._calls = calls
        self._chance = random.Random(seed)
        self.seen: list[str] = []
        self.hung_up = 0

    def run(self) -> None:
        connection = RawConnection(self._port, timeout=30)
        for _ in range(self._calls):
            kind = self._chance.choices(("plain", "fails", "hangs up"), (8, 1, 1))[0]
            connection.send(self._request(kind))
            if kind == "hangs up":
                if self._chance.random() < 0.5:
                    connection.read_some(self._chance.randrange(1, 400))
                connection.reset()
                self.hung_up += 1
                connection = RawConnection(self._port, timeout=30)
            else:
                reply = connection.read_reply()
                assert reply.ended == "clean"
                self.seen.append(str(reply.header("x-litellm-call-id")))
        connection.close()

    def _request(self, kind: str) -> bytes:
        model = self._chance.choice(MODELS).replace(":", "%3A")
        headers = [("Authorization", f"Bearer {self._key.text}"), ("Content-Type", "application/json")]
        headers.append(("x-litellm-end-user-id", self._chance.choice(("ada", "bob", "stranger"))))
        headers.append(("x-litellm-tags", self._chance.choice(("blue", "green", "blue,green"))))
        if kind == "fails":
            headers.append((FAILS, self._chance.choice(("400", "429", "500"))))
        body = json.dumps({"messages": [], "max_tokens": 50, "inferenceConfig": {"maxTokens": 50}}).encode()
        return raw_request("POST", f"/bedrock/model/{model}/{self._chance.choice(OPERATIONS)}", headers, body)


@pytest.fixture
def gateways(database_url: str, standin: StandinBedrock) -> Iterator[list[GatewayProcess]]:
    """Four workers: of two gateways on PostgreSQL, of one on SQLite."""
    standin.answer = answer
    shared = database_url.startswith("postgresql")
    environment = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "2" if shared else "4"}
    with ExitStack() as stack:
        yield [stack.enter_context(GatewayProcess(environment, standin)) for _ in range(2 if shared else 1)]


def some_keys(url: str) -> list[Issued]:
    """Of two teams and of none, with and without limits, and two customers that are registered."""
    database = Database.at(url)
    registry = Registry(database, lambda: NOW)
    roomy = Limits(rpm_limit=10**6, max_budget=None, max_parallel_requests=1000)

    def accounts(change: object) -> None:
        for record in (
            Team("red", STAMPS, limits=Limits(tpm_limit=10**9)),
            Team("blue", STAMPS),
            User("ada", STAMPS),
            Customer("ada", STAMPS, limits=Limits(rpm_limit=10**6)),
            Customer("bob", STAMPS),
        ):
            change.put(record)  # type: ignore[attr-defined]  # of the registry

    registry.change(accounts)
    database.close()
    with key_ring(url) as ring:
        return [
            ring.issue(team_id="red", user_id="ada", tags=("nightly",)),
            ring.issue(team_id="blue", limits=roomy),
            ring.issue(limits=roomy),
        ]


def test_rows_balances_and_totals_agree_after_a_storm_of_calls(
    database_url: str, gateways: list[GatewayProcess], standin: StandinBedrock
) -> None:
    keys = some_keys(database_url)
    callers = [
        Caller(gateways[number % len(gateways)].port, keys[number % len(keys)], CALLS // CALLERS, number)
        for number in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(300)
    seen = [call_id for caller in callers for call_id in caller.seen]
    with ledger_sums(database_url) as sums:
        _check(sums, seen, callers, standin)


def _check(sums: LedgerSums, seen: list[str], callers: list[Caller], standin: StandinBedrock) -> None:
    eventually(lambda: sums.tickets() == 0 and sums.rows() == len(_model_calls(standin)) and sums.disagreements() == [])
    hung_up = sum(caller.hung_up for caller in callers)

    assert len(seen) == CALLS // CALLERS * CALLERS - hung_up
    assert set(seen) - set(sums.request_ids()) == set(), "a call whose end was seen has no row"
    assert sums.rows() == len(_model_calls(standin)), "as many rows as calls that AWS saw"
    assert sums.disagreements() == []
    assert sums.held() == (0, 0)
    assert sums.counted("ended").keys() <= {"complete", "client_gone"}
    assert sums.counted("status")["failure"] > 0


def _model_calls(standin: StandinBedrock) -> list[Recorded]:
    return [request for request in standin.requests if request.path.startswith("/model/")]
