"""A key's lists in the passage: the path is judged before the body is read, the body before anything is sent."""

import json

import pytest

from app.core import targets
from app.core.accounts import KeyGrant, Rights
from app.core.errors import AccessDenied, MalformedRequest
from app.core.messages import ProxyRequest
from app.core.operations import load_table
from app.core.policy import RegionRules
from app.gateway.passage import Passage
from tests.fake_keys import TEXT, a_doorman, a_key, a_team, a_user
from tests.fakes import Books, FakeBedrock, FakeBody, FakeLedger
from tests.gateway.a_bookkeeping import a_bookkeeping

TABLE = load_table()
SERVICES = frozenset(TABLE.services)
CONVERSE = "/bedrock/model/amazon.nova-lite-v1%3A0/converse"
CHAT = "/bedrock/v1/chat/completions"
VIDEO = {"messages": [{"role": "user", "content": [{"video": {"source": {"s3Location": {"uri": "s3://b/k"}}}}]}]}


class House(Books):
    """A passage for one key, with all its fakes on one trace."""

    def __init__(self, grant: KeyGrant, body: object = None) -> None:
        super().__init__()
        self.bedrock = FakeBedrock(trace=self.trace)
        self.body = FakeBody(body if isinstance(body, bytes) else json.dumps(body or {}).encode(), self.trace)
        self.passage = Passage(
            doorman=a_doorman(grant),
            operations=TABLE,
            regions=RegionRules("us-east-1", frozenset({"us-east-1", "eu-west-1"}), explicit=True),
            bedrock=self.bedrock,
            bookkeeping=a_bookkeeping(FakeLedger(self.trace), self.bedrock),
            journal=self.journal,
            clock=self.clock,
        )
        self.settlement = self.passage.open(self.record, self.client)

    def run(self, raw: str, method: str = "POST", address: str | None = "192.0.2.1") -> None:
        headers = {"authorization": f"Bearer {TEXT}"}
        request = ProxyRequest(method, targets.parse(raw, SERVICES), headers, None, raw, address)
        self.passage.run(request, self.body, self.settlement)


def with_key(**lists: tuple[str, ...]) -> KeyGrant:
    """A key with lists, and nothing above it."""
    return KeyGrant(a_key(rights=Rights(**lists)))


def test_a_call_that_every_list_lets_pass_is_sent() -> None:
    lists = Rights(("amazon.*",), ("inference",), (), ("us-east-1",), ("192.0.2.0/24",))
    house = House(KeyGrant(a_key(team_id="team-1", rights=lists), a_team(rights=lists), a_user(rights=lists)))
    house.run(CONVERSE)

    assert house.trace == ["read body", "send", "release body", "settle", "tell"]


@pytest.mark.parametrize(
    ("lists", "raw", "method"),
    [
        ({"models": ("anthropic.*",)}, CONVERSE, "POST"),
        ({"operations": ("agents",)}, CONVERSE, "POST"),
        ({"regions": ("eu-west-1",)}, CONVERSE, "POST"),
        ({"addresses": ("10.0.0.0/8",)}, CONVERSE, "POST"),
        ({"resources": ("KB1",)}, "/bedrock/knowledgebases/KB2/retrieve", "POST"),
        ({"models": ("anthropic.*",)}, "/bedrock/knowledgebases/KB2/retrieve", "POST"),
        ({}, "/bedrock/agents/", "PUT"),
        ({}, "/bedrock/no/such/path", "GET"),
    ],
)
def test_what_the_path_forbids_is_refused_before_the_body_is_read(
    lists: dict[str, tuple[str, ...]], raw: str, method: str
) -> None:
    house = House(with_key(**lists))
    with pytest.raises(AccessDenied):
        house.run(raw, method)

    assert house.trace == []


@pytest.mark.parametrize(
    ("lists", "raw", "body"),
    [
        ({"models": ("anthropic.*",)}, CHAT, {"model": "openai.gpt-oss-120b"}),
        ({"models": ("anthropic.*",)}, CHAT, {}),
        ({"regions": ("us-east-1",)}, CHAT, {"model": "us.openai.gpt"}),
        ({}, CHAT, {"model": "openai.gpt-oss-120b", "tools": [{"type": "web_search"}]}),
        ({}, CONVERSE, VIDEO),
        ({"resources": ("s3://other",)}, CONVERSE, VIDEO),
        ({"resources": ("g1",)}, CONVERSE, {"guardrailConfig": {"guardrailIdentifier": "g2"}}),
    ],
)
def test_what_the_body_forbids_is_refused_before_anything_is_sent(
    lists: dict[str, tuple[str, ...]], raw: str, body: object
) -> None:
    house = House(with_key(**lists), body)
    with pytest.raises(AccessDenied):
        house.run(raw)

    assert house.trace == ["read body", "release body"]
    assert not house.record.sent


def test_a_body_that_may_hide_a_location_and_is_no_json_is_not_sent() -> None:
    house = House(with_key(), json.dumps(VIDEO).encode("utf-16"))
    with pytest.raises(MalformedRequest):
        house.run(CONVERSE)

    assert house.bedrock.requests == []


def test_a_body_that_no_list_asks_about_is_sent_as_it_is() -> None:
    house = House(with_key(), b"\xff no JSON")
    house.run(CONVERSE)

    assert house.bedrock.requests[0].body == b"\xff no JSON"


def test_an_unknown_address_is_in_no_list() -> None:
    house = House(with_key(addresses=("0.0.0.0/0",)))
    with pytest.raises(AccessDenied, match="not known"):
        house.run(CONVERSE, address=None)


@pytest.mark.parametrize("key_type", ["management", "read_only"])
def test_a_key_for_the_admin_routes_reaches_nothing(key_type: str) -> None:
    house = House(KeyGrant(a_key(key_type=key_type)))
    with pytest.raises(AccessDenied, match="admin routes alone"):
        house.run(CONVERSE)

    assert house.trace == []


def test_narrowing_a_team_binds_its_keys() -> None:
    key = a_key(team_id="team-1", rights=Rights(models=("amazon.*",)))
    House(KeyGrant(key, a_team())).run(CONVERSE)

    with pytest.raises(AccessDenied, match="The team's models"):
        House(KeyGrant(key, a_team(rights=Rights(models=("anthropic.*",))))).run(CONVERSE)


def test_the_record_says_whose_key_it_was() -> None:
    key = a_key(alias="ci", team_id="team-1", user_id="ada")
    house = House(KeyGrant(key, a_team(alias="search"), a_user("ada")))
    house.run(CONVERSE)

    assert (house.record.caller, house.record.team, house.record.user) == ("ci", "search", "ada")


def test_a_team_without_an_alias_is_recorded_by_its_id() -> None:
    house = House(KeyGrant(a_key(team_id="team-1"), a_team()))
    house.run(CONVERSE)

    assert (house.record.team, house.record.user) == ("team-1", None)


def test_a_refused_call_is_recorded_with_its_caller() -> None:
    house = House(KeyGrant(a_key(alias="ci", rights=Rights(models=("anthropic.*",)))))
    with pytest.raises(AccessDenied):
        house.run(CONVERSE)

    assert (house.record.caller, house.record.operation, house.record.region) == ("ci", "Converse", "us-east-1")
