"""Calls within their holds never pass a budget, however many arrive at once: through real workers and databases."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ClientMaker
from tests.databases import PostgresServer
from tests.end_to_end.fleet import COST, MODEL, Fleet, asking, borrowed, calling, fleet, held_back, name, statuses
from tests.end_to_end.ledger_sums import eventually
from tests.raw_client import RawConnection, RawReply
from tests.standin_answers import INPUT_TOKENS
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Gate, json_answer

CALLS = 200
PAYS_FOR_TEN = COST * Decimal("10.5")
PAYS_FOR_ONE = COST * Decimal("1.5")
# end users that no worker knows are nobody's customers: unlike an unknown key's, their calls ask no database
KNOWN_WITHIN_SECONDS = 1.2
RETRIEVE = "/bedrock/knowledgebases/KB12345678/retrieve"


@pytest.fixture(scope="module")
def shared(
    standin_for_all: StandinBedrock, postgres_server: PostgresServer, postgresql_template: str
) -> Iterator[Fleet]:
    """Two gateways of two workers each on PostgreSQL."""
    with ExitStack() as stack:
        url = stack.enter_context(borrowed(postgres_server, postgresql_template))
        yield stack.enter_context(fleet(standin_for_all, url))


@pytest.fixture(scope="module")
def single(
    standin_for_all: StandinBedrock, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """One gateway of two workers on SQLite."""
    path = tmp_path_factory.mktemp("single") / "outcrop.db"
    path.write_bytes(sqlite_template.read_bytes())
    with fleet(standin_for_all, f"sqlite:///{path}", gateways=1) as running:
        yield running


@pytest.fixture(params=["shared", "single"])
def gateways(request: pytest.FixtureRequest, standin: StandinBedrock) -> Fleet:
    """Each in turn, and an AWS that has seen nothing."""
    running: Fleet = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def pair(shared: Fleet, standin: StandinBedrock) -> Fleet:
    """Those on PostgreSQL, and an AWS that has seen nothing."""
    return shared


def refused_for_now(reply: RawReply) -> bool:
    """While what stands in the way is only held."""
    return (reply.status, reply.header("x-amzn-ErrorType"), reply.header("Retry-After")) == (
        429,
        "ThrottlingException",
        "1",
    ) and reply.header("x-amz-retry-after") == "1000"


def refused_for_good(reply: RawReply) -> bool:
    """No SDK tries again."""
    return (reply.status, reply.header("x-amzn-ErrorType"), reply.header("Retry-After")) == (
        400,
        "ServiceQuotaExceededException",
        None,
    )


def test_calls_in_flight_hold_what_they_may_cost(gateways: Fleet, standin: StandinBedrock) -> None:
    """Nine holds fit into what pays for ten and a half calls, and the tenth once the nine have cost less."""
    gate = Gate()
    standin.answer = lambda _: held_back(gate)
    key = gateways.key(max_budget=PAYS_FOR_TEN)
    with gateways.crowd([calling(key)] * CALLS) as crowd:
        refused = crowd.replies(CALLS - 9)
        at_aws = len(gateways.calls_at_aws())
        gate.open()
        served = crowd.replies()
    alone = [gateways.call(key) for _ in range(4)]

    assert at_aws == 9
    assert all(map(refused_for_now, refused))
    assert statuses(served) == {200: 9}
    assert [reply.status for reply in alone] == [200, 400, 400, 400]
    assert all(map(refused_for_good, alone[1:]))
    gateways.wait_until_settled()
    assert gateways.spend(key) == COST * 10
    assert len(gateways.calls_at_aws()) == 10


def _key(gateways: Fleet) -> Callable[[int], bytes]:
    key = gateways.key(max_budget=PAYS_FOR_TEN)
    return lambda _: calling(key)


def _keys_of_a_team(gateways: Fleet) -> Callable[[int], bytes]:
    team = gateways.admin("/team/new", team_alias=name(), max_budget=PAYS_FOR_TEN)["team_id"]
    keys = [gateways.key(team_id=team) for _ in range(2)]
    return lambda number: calling(keys[number % 2])


def _keys_of_a_user(gateways: Fleet) -> Callable[[int], bytes]:
    user = gateways.admin("/user/new", user_id=name(), max_budget=PAYS_FOR_TEN, auto_create_key=False)["user_id"]
    keys = [gateways.key(user_id=user) for _ in range(2)]
    return lambda number: calling(keys[number % 2])


def _a_customer(gateways: Fleet) -> Callable[[int], bytes]:
    customer = name()
    gateways.admin("/customer/new", user_id=customer, max_budget=PAYS_FOR_TEN)
    time.sleep(KNOWN_WITHIN_SECONDS)
    keys = [gateways.key() for _ in range(2)]
    return lambda number: calling(keys[number % 2], end_user=customer)


def _a_model(gateways: Fleet) -> Callable[[int], bytes]:
    budgets = {"amazon.nova-*": {"budget_limit": float(PAYS_FOR_TEN), "time_period": "30d"}}
    key = gateways.key(max_budget=PAYS_FOR_TEN * 9, model_max_budget=budgets)
    return lambda _: calling(key)


def _a_budgets_name(gateways: Fleet) -> Callable[[int], bytes]:
    budget = name()
    gateways.admin("/budget/new", budget_id=budget, max_budget=PAYS_FOR_TEN)
    key = gateways.key(budget_id=budget)
    return lambda _: calling(key)


@pytest.mark.parametrize("payer", [_keys_of_a_team, _keys_of_a_user, _a_customer, _a_model, _a_budgets_name])
def test_whoever_pays_pays_for_ten_of_two_hundred_calls(
    pair: Fleet, payer: Callable[[Fleet], Callable[[int], bytes]]
) -> None:
    _pays_for_ten(pair, payer)


def test_a_key_pays_for_ten_of_two_hundred_calls(gateways: Fleet) -> None:
    _pays_for_ten(gateways, _key)


def _pays_for_ten(gateways: Fleet, payer: Callable[[Fleet], Callable[[int], bytes]]) -> None:
    request = payer(gateways)
    with gateways.crowd(map(request, range(CALLS))) as crowd:
        replies = crowd.replies()
    gateways.wait_until_settled()
    while not refused_for_good(replies[-1]) and len(replies) < CALLS + 20:
        with gateways.crowd([request(len(replies))]) as alone:
            replies += alone.replies()
        gateways.wait_until_settled()

    served = [reply for reply in replies if reply.status == 200]
    refused = [reply for reply in replies if reply.status != 200]
    assert len(served) == len(gateways.calls_at_aws()) == 10
    assert [reply.body for reply in refused if not refused_for_now(reply) and not refused_for_good(reply)] == []
    assert gateways.sums.disagreements() == []


def test_boto3_sees_the_exceptions_that_it_knows(
    pair: Fleet, standin: StandinBedrock, make_client: ClientMaker
) -> None:
    gate = Gate()
    standin.answer = lambda _: held_back(gate)
    key = pair.key(key_alias=name(), max_budget=PAYS_FOR_ONE)
    client = make_client("bedrock-runtime", pair.gateways[1].url + "/bedrock", key)
    asked = {"modelId": MODEL, **json.loads(asking())}
    with pair.crowd([calling(key)]) as first:
        standin.wait_for(pair.calls_at_aws)
        with pytest.raises(client.exceptions.ThrottlingException) as throttled:
            client.converse(**asked)
        gate.open()
        assert statuses(first.replies()) == {200: 1}
    with pytest.raises(ClientError) as spent:
        client.converse(**asked)

    assert "no budget left for this call while others are in flight" in str(throttled.value)
    assert spent.value.response["Error"]["Code"] == "ServiceQuotaExceededException"
    assert (
        f"has no room left in its budget for this call: {COST.normalize():f} of {PAYS_FOR_ONE.normalize():f} USD"
        in str(spent.value)
    )


def test_a_window_that_is_over_begins_anew(pair: Fleet) -> None:
    key = pair.key(max_budget=PAYS_FOR_ONE, budget_duration="6s")
    time.sleep(6 - time.time() % 6 if time.time() % 6 > 1 else 0)
    first = [pair.call(key).status for _ in range(2)]
    eventually(lambda: pair.call(key).status == 200, 15)

    assert first == [200, 400]
    assert pair.spend(key) == COST * 2


def test_a_raise_that_ends_by_itself_counts_until_then(pair: Fleet) -> None:
    key = pair.key(max_budget=PAYS_FOR_ONE)
    raised = {"key": key, "temp_budget_increase": COST, "temp_budget_expiry": "2999-01-01T00:00:00Z"}
    assert [pair.call(key).status for _ in range(2)] == [200, 400]
    pair.admin("/key/update", **raised)
    eventually(lambda: pair.call(key).status == 200, 5)
    assert pair.call(key).status == 400

    pair.admin(
        "/key/update", **raised | {"temp_budget_increase": COST * 9, "temp_budget_expiry": "2020-01-01T00:00:00Z"}
    )
    assert [pair.call(key).status for _ in range(2)] == [400, 400]
    assert pair.spend(key) == COST * 2


def test_a_soft_budget_refuses_nothing_and_says_one_line(pair: Fleet) -> None:
    """Of each worker that sees it: here of one."""
    alias = name()
    key = pair.key(key_alias=alias, soft_budget=PAYS_FOR_ONE)
    gateway = pair.gateways[0]
    with RawConnection(gateway.port) as caller:
        for _ in range(5):
            caller.send(calling(key))
            assert caller.read_reply().status == 200
    gateway.wait_for_log(lambda line: alias in line.get("message", ""), event="log")
    lines = [line["message"] for line in gateway.log_lines("log") if alias in line["message"]]

    assert len(lines) == 1
    assert "has passed its soft budget" in lines[0]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/bedrock/model/acme.without-a-price-v1:0/converse", "has no price here"),
        (RETRIEVE, "AWS does not report what Retrieve uses"),
    ],
)
def test_what_a_budget_cannot_be_held_against_is_refused_unless_allowed(pair: Fleet, target: str, says: str) -> None:
    strict = pair.key(max_budget=PAYS_FOR_TEN, operations=["inference", "agents"])
    lax = pair.key(max_budget=PAYS_FOR_TEN, unmetered_calls="allow", operations=["inference", "agents"])
    free = pair.key(operations=["inference", "agents"])
    body = asking() if "converse" in target else b'{"retrievalQuery":{"text":"Hello"}}'
    refused, *served = [pair.call(key, target, body=body) for key in (strict, lax, free)]

    assert (refused.status, refused.header("x-amzn-ErrorType")) == (403, "AccessDeniedException")
    assert says in json.loads(refused.body)["message"]
    assert statuses(served) == {200: 2}


def test_what_costs_more_than_its_hold_is_booked_in_full(gateways: Fleet, standin: StandinBedrock) -> None:
    used = {"inputTokens": INPUT_TOKENS, "outputTokens": 1000, "totalTokens": INPUT_TOKENS + 1000}
    standin.answer = lambda _: json_answer({"output": {}, "usage": used})
    key = gateways.key(max_budget=PAYS_FOR_TEN)

    assert [gateways.call(key).status for _ in range(2)] == [200, 400]
    gateways.wait_until_settled()
    assert gateways.spend(key) == Decimal("0.00000006") * INPUT_TOKENS + Decimal("0.00000024") * 1000
