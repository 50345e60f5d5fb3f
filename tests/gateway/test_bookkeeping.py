"""A call's money: what is taken before it is sent, what is booked once it has ended, and what is given back."""

import json
from decimal import Decimal
from typing import Any

import pytest

from app.core import targets
from app.core.accounts import KeyGrant, Limits, Rights
from app.core.errors import (
    AccessDenied,
    BudgetSpent,
    ClientLeft,
    CredentialsMissing,
    GatewayError,
    MalformedRequest,
    Throttled,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
)
from app.core.ledger_entries import NO_WINDOW, Account, Entry
from app.core.limits import PayingCustomer
from app.core.messages import ProxyRequest
from app.core.operations import load_table
from app.core.policy import RegionRules
from app.core.tickets import Balance, Claim, Reason, Refusal
from app.gateway.passage import Passage
from tests.event_frames import event_frame
from tests.fake_keys import TEXT, FakeKeySource, a_customer, a_doorman, a_key, a_team, a_user
from tests.fakes import Books, FakeBedrock, FakeBody, FakeLedger, FakeReply, Step, json_reply, stream_reply
from tests.gateway.a_bookkeeping import NOW, FakeTickets, a_bookkeeping
from tests.gateway_process import MASTER_KEY

TABLE = load_table()
SERVICES = frozenset(TABLE.services)
NOVA = "/bedrock/model/amazon.nova-lite-v1%3A0"
CONVERSE, STREAM = f"{NOVA}/converse", f"{NOVA}/converse-stream"
USAGE = {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500}
# amazon.nova-lite-v1:0 costs 0.06 and 0.24 US dollars a million tokens
COST = Decimal("0.00018")
ANSWER = json.dumps({"output": {}, "usage": USAGE}).encode()
BUDGET = Limits(max_budget=Decimal(1))
ALL = Rights(operations=("all",))


class House(Books):
    """A passage for one key with real bookkeeping, and fakes at its ports."""

    def __init__(
        self,
        *answers: FakeReply | GatewayError,
        grant: KeyGrant | None = None,
        tickets: FakeTickets | None = None,
        source: FakeKeySource | None = None,
    ) -> None:
        super().__init__()
        self.bedrock = FakeBedrock(*answers, trace=self.trace)
        self.ledger = FakeLedger(self.trace)
        self.tickets = tickets or FakeTickets()
        self.passage = Passage(
            doorman=a_doorman(grant or KeyGrant(a_key())),
            operations=TABLE,
            regions=RegionRules("us-east-1", frozenset({"us-east-1"}), explicit=True),
            bedrock=self.bedrock,
            bookkeeping=a_bookkeeping(self.ledger, self.bedrock, self.tickets, source),
            journal=self.journal,
            clock=self.clock,
        )
        self.settlement = self.passage.open(self.record, self.client)

    def call(self, raw: str = CONVERSE, body: Any = None, method: str = "POST", **headers: str) -> None:
        """One call to its end, refused or not. Header names with underscores for dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"authorization": f"Bearer {TEXT}"}
        request = ProxyRequest(method, targets.parse(raw, SERVICES), sent, None, raw, "192.0.2.1")
        content = b"" if body is None else json.dumps(body).encode()
        try:
            reply = self.passage.run(request, FakeBody(content, self.trace), self.settlement)
        except GatewayError as error:
            self.settlement.refuse(error)
            raise
        try:
            list(reply)
        except ConnectionResetError:
            pass
        finally:
            reply.close()

    @property
    def entry(self) -> Entry:
        """The one row."""
        (posting,) = self.ledger.postings
        return posting.entry


def stream_of(*texts: str, usage: bool = True) -> list[Step]:
    deltas: list[Step] = [event_frame("contentBlockDelta", {"delta": {"text": text}}) for text in texts]
    return [*deltas, event_frame("metadata", {"usage": USAGE})] if usage else deltas


def limited(**limits: Any) -> KeyGrant:
    return KeyGrant(a_key(limits=Limits(**limits)))


def refusing(reason: Reason) -> FakeTickets:
    claim = Claim(Account("key", a_key().id), NO_WINDOW, Decimal(1), Decimal(1), 1, 1, 1)
    return FakeTickets(refusals=[Refusal(reason, claim, Balance(spend=Decimal("0.5")))])


@pytest.mark.parametrize("reply", [json_reply(ANSWER), stream_reply(stream_of("a", "b"))], ids=["whole", "stream"])
def test_a_call_is_booked_with_what_aws_reports_at_its_price(reply: FakeReply) -> None:
    house = House(reply)
    house.call(CONVERSE if reply.headers[0][1] == "application/json" else STREAM)

    assert house.entry.usage.counts == {"input": 1000, "output": 500}
    assert (house.entry.charge.cost, house.entry.usage.source) == (COST, "reported")
    assert (house.entry.status, house.entry.ended, house.entry.http_status) == ("success", "complete", 200)


def test_the_record_is_told_what_the_row_says() -> None:
    house = House(json_reply(ANSWER))
    house.ledger.key_spend = Decimal("1.5")
    house.call()
    (told,) = house.journal.told

    assert (told.cost, told.key_spend, told.usage_source) == (COST, Decimal("1.5"), "reported")
    assert (told.input_tokens, told.output_tokens, told.cache_read_tokens) == (1000, 500, 0)


def test_a_row_says_whose_call_it_was_and_who_pays() -> None:
    key = a_key(alias="ci", team_id="team-1", user_id="user-1", tags=("nightly",))
    house = House(
        json_reply(ANSWER),
        grant=KeyGrant(key, a_team(alias="search", tags=("search",)), a_user()),
        source=FakeKeySource(),
    )
    house.call(x_litellm_end_user_id="ada", x_litellm_tags="blue,nightly")
    entry = house.entry

    assert (entry.key_id, entry.key_token, entry.key_alias) == (key.id, key.token, "ci")
    assert (entry.team_id, entry.team_alias, entry.user_id) == ("team-1", "search", "user-1")
    assert (entry.attribution.end_user, entry.counted_end_user, entry.address) == ("ada", "ada", "192.0.2.1")
    assert (entry.key_tags, entry.attribution.tags) == (("nightly", "search"), ("blue", "nightly"))
    (posting,) = house.ledger.postings
    payers = (
        Account("customer", "ada"),
        Account("key", key.id),
        Account("team", "team-1"),
        Account("user", "user-1"),
    )
    assert posting.accounts == tuple((payer, NO_WINDOW) for payer in payers)


def test_a_call_that_nobody_limits_takes_no_ticket() -> None:
    house = House(json_reply(ANSWER))
    house.call()

    assert (house.tickets.taken, house.ledger.postings[0].ticket) == ([], None)


def test_a_budget_holds_what_the_call_may_cost_and_its_booking_ends_the_ticket() -> None:
    house = House(json_reply(ANSWER), grant=limited(max_budget=Decimal(1)))
    body = {"messages": [], "inferenceConfig": {"maxTokens": 1000}}
    house.call(body=body)
    (ticket,) = house.tickets.taken
    bytes_sent = len(json.dumps(body))

    # nova-lite has no dearer input than 0.06: whole tokens of three bytes, and the stated output at 0.24
    assert ticket.claims[0].hold == Decimal(-(-bytes_sent // 3)) * Decimal("6e-8") + 1000 * Decimal("24e-8")
    assert house.ledger.postings[0].ticket == ticket.id == house.record.call_id


@pytest.mark.parametrize(
    ("reason", "error"),
    [("spent", BudgetSpent), ("held", Throttled), ("rpm", Throttled), ("tpm", Throttled), ("parallel", Throttled)],
)
def test_a_call_without_room_is_refused_before_aws_and_has_no_row(reason: Reason, error: type[GatewayError]) -> None:
    grant = limited(max_budget=Decimal(1), rpm_limit=1, tpm_limit=1, max_parallel_requests=1)
    house = House(grant=grant, tickets=refusing(reason))
    with pytest.raises(error):
        house.call()

    assert (house.bedrock.requests, house.ledger.postings) == ([], [])
    assert house.journal.told[0].ended == "refused"


def test_a_call_that_could_not_be_sent_gives_its_ticket_back_and_costs_nothing() -> None:
    """Its end is known all the same."""
    house = House(UpstreamUnreachable("no"), grant=limited(max_budget=Decimal(1)))
    with pytest.raises(UpstreamUnreachable):
        house.call()

    assert house.tickets.given_back == house.tickets.taken
    assert (house.entry.status, house.entry.ended) == ("failure", "upstream_broken")
    assert house.entry.charge.cost == 0
    assert house.ledger.postings[0].ticket is None


def test_a_call_that_cannot_be_signed_gives_its_ticket_back_and_has_no_row() -> None:
    house = House(CredentialsMissing("none"), grant=limited(max_budget=Decimal(1)))
    with pytest.raises(CredentialsMissing):
        house.call()

    assert house.tickets.given_back == house.tickets.taken != []
    assert house.ledger.postings == []


def test_an_error_that_aws_answers_costs_nothing() -> None:
    house = House(json_reply(b'{"message": "no"}', 400, (("x-amzn-ErrorType", "ValidationException:http://x"),)))
    house.call()

    assert (house.entry.status, house.entry.http_status) == ("failure", 400)
    assert house.entry.charge.cost == 0
    assert house.entry.error == "ValidationException"


def test_a_call_that_broke_before_its_answer_has_no_cost_that_is_known() -> None:
    """The model may have run: it is not free, and not guessed."""
    house = House(UpstreamBroke("broke"))
    with pytest.raises(UpstreamBroke):
        house.call()

    assert (house.entry.charge.cost, house.entry.usage.source, house.entry.status) == (None, "unknown", "failure")


def test_a_stream_that_its_caller_left_is_billed_by_what_was_produced() -> None:
    house = House(stream_reply([*stream_of("some words " * 50, usage=False), ClientLeft("gone")]))
    house.call(STREAM, {"messages": [{"role": "user", "content": [{"text": "words " * 30}]}]})

    assert house.entry.usage.source == "estimated"
    assert house.entry.usage.method.startswith("estimated")
    assert house.entry.usage.input_tokens > 10
    assert house.entry.usage.output_tokens > 50
    assert house.entry.charge.cost is not None
    assert house.entry.charge.cost > 0


def test_a_stream_that_its_caller_left_before_aws_answered_is_not_free() -> None:
    """Its model reads all the same."""
    house = House(ClientLeft("gone"))
    with pytest.raises(ClientLeft):
        house.call(STREAM, {"messages": [{"role": "user", "content": [{"text": "words " * 30}]}]})

    assert (house.entry.ended, house.entry.usage.source) == ("client_gone", "estimated")
    assert house.entry.usage.input_tokens > 10


def test_an_answer_that_the_gateway_did_not_wait_for_is_not_free() -> None:
    """Its model reads all the same: else whoever asks for more than the deadline allows would pay nothing."""
    house = House(UpstreamSilent("too late"))
    with pytest.raises(UpstreamSilent):
        house.call(STREAM, {"messages": [{"role": "user", "content": [{"text": "words " * 30}]}]})

    assert (house.entry.ended, house.entry.status, house.entry.usage.source) == (
        "upstream_broken",
        "failure",
        "estimated",
    )
    assert house.entry.charge.cost is not None
    assert house.entry.charge.cost > 0


def test_numbers_that_cannot_be_believed_are_unknown_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    house = House(json_reply(b'{"usage": {"inputTokens": -1, "outputTokens": 2}}'))
    house.call()

    assert (house.entry.usage.source, house.entry.charge.cost) == ("unknown", None)
    assert f"the usage of call {house.record.call_id}" in caplog.text


def test_a_model_without_a_price_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    house = House(json_reply(ANSWER))
    house.call("/bedrock/model/acme.unheard-of-v9%3A0/converse")

    assert (house.entry.charge.cost, house.entry.usage.input_tokens) == (None, 1000)
    assert "no price for 'acme.unheard-of-v9:0'" in caplog.text


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        ("/bedrock/model/acme.unheard-of-v9%3A0/converse", {}),
        ("/bedrock/knowledgebases/KB12345678/retrieve", {"retrievalQuery": {"text": "x"}}),
    ],
    ids=["no price", "no usage"],
)
def test_on_a_budget_what_cannot_be_priced_or_metered_is_refused_unless_the_key_allows_it(raw: str, body: Any) -> None:
    house = House(grant=KeyGrant(a_key(limits=BUDGET)))
    with pytest.raises(AccessDenied):
        house.call(raw, body)
    allowing = House(grant=KeyGrant(a_key(limits=BUDGET, unmetered_calls="allow")))
    allowing.call(raw, body)

    assert house.bedrock.requests == []
    assert len(allowing.bedrock.requests) == 1


def test_a_call_that_aws_does_not_bill_costs_nothing_and_asks_no_budget() -> None:
    house = House(json_reply(b'{"modelSummaries": []}'), grant=KeyGrant(a_key(limits=BUDGET, rights=ALL)))
    house.call("/bedrock/foundation-models", method="GET")

    assert house.entry.operation == "ListFoundationModels"
    assert house.entry.charge.cost == 0
    assert house.tickets.taken == []


def test_a_call_of_which_nobody_knows_what_it_is_is_not_free() -> None:
    """Only who may call everything gets as far."""
    house = House(json_reply(b"{}"))
    record, client = house.record, house.client
    settlement = house.passage.open(record, client)
    headers = {"authorization": f"Bearer {MASTER_KEY}"}
    request = ProxyRequest("POST", targets.parse("/bedrock/what/is/this", SERVICES), headers, None)
    list(house.passage.run(request, FakeBody(b"{}"), settlement))

    assert (house.entry.operation, house.entry.charge.cost, house.entry.usage.source) == (None, None, "unknown")


def test_a_customer_that_is_blocked_is_refused() -> None:
    source = FakeKeySource(KeyGrant(a_key()))
    source.put_customer(PayingCustomer(a_customer("ada", blocked=True)))
    house = House(source=source)
    with pytest.raises(AccessDenied):
        house.call(x_litellm_customer_id="ada")

    assert house.bedrock.requests == []


def test_a_key_that_must_name_an_end_user_is_told_how() -> None:
    house = House(grant=KeyGrant(a_key(end_user_required=True)))
    with pytest.raises(MalformedRequest, match="x-litellm-customer-id"):
        house.call()


def test_the_end_of_a_row_is_when_it_was_booked() -> None:
    house = House(json_reply(ANSWER))
    house.call()

    assert (house.entry.ended_at, house.entry.started_at) == (NOW, house.record.arrived_at)
