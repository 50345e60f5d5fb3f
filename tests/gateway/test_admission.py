"""Whether a call may start, and what its caller is told if not."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.accounts import Customer, KeyGrant, Limits, Stamps, Team, User, VirtualKey
from app.core.errors import AccessDenied, BudgetSpent, GatewayError, StoreUnavailable, Throttled
from app.core.killed_calls import killed
from app.core.ledger_entries import Account, Entry, Window
from app.core.limits import PayingCustomer
from app.core.tickets import Balance, Claim, Reason, Refusal, Ticket
from app.core.usage import UNKNOWN, Usage
from app.gateway.admission import Admission, Admitted, Order

NOW = datetime(2026, 11, 25, 12, 0, 41, tzinfo=UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")
KEY = Account("key", "k1")
ENTRY = Entry("call-1", NOW, NOW, model="amazon.nova-lite-v1:0", operation="Converse", key_id="k1")
BUDGET = Limits(max_budget=Decimal("10.50"), budget_duration="1mo")
NO_LIMITS, NOTHING = Limits(), Balance()
USED = Usage("reported", {"input": 70, "output": 7})
RATES = Limits(rpm_limit=5, tpm_limit=100, max_parallel_requests=2)
BOTH = replace(RATES, max_budget=Decimal(1))
SMALLER = " A call that may cost less could still fit: state less output, such as maxTokens."


class FakeTickets:
    """Tickets or Counters that do as they are told, and remember."""

    def __init__(self, reason: Reason | None = None, balance: Balance = NOTHING, *, away: bool = False) -> None:
        self.reason, self.balance, self.away = reason, balance, away
        self.taken: list[Ticket] = []
        self.given_back: list[str] = []
        self.settled: list[tuple[str, int]] = []

    def take(self, ticket: Ticket) -> Refusal | None:
        if self.away:
            raise StoreUnavailable("secret host", reason="secret host")
        if self.reason:
            return Refusal(self.reason, ticket.claims[0], self.balance)
        self.taken.append(ticket)
        return None

    def give_back(self, ticket: Ticket) -> None:
        self.given_back.append(ticket.id)

    def settle(self, ticket: Ticket, tokens: int) -> None:
        self.settled.append((ticket.id, tokens))


def order(limits: Limits = NO_LIMITS, *, hold: Decimal | None = Decimal("0.25"), **fields: object) -> Order:
    key = VirtualKey("k1", "token", "sk-...1234", STAMPS, alias="ci", limits=limits)
    models = ("amazon.nova-lite-v1:0",)
    plain = Order(lambda: ENTRY, KeyGrant(key), models=models, hold=lambda: hold, metered=True)
    return replace(plain, **fields)  # type: ignore[arg-type]  # any field


def admission(tickets: FakeTickets, counters: FakeTickets | None = None, *, allow_when_down: bool = False) -> Admission:
    return Admission(tickets, counters, allow_when_down=allow_when_down, now=lambda: NOW)


def told(error: type[GatewayError], asked: Order, reason: Reason, balance: Balance = NOTHING) -> GatewayError:
    with pytest.raises(error) as raised:
        admission(FakeTickets(reason, balance)).enter(asked)
    return raised.value


def test_a_call_that_nobody_limits_asks_nobody() -> None:
    tickets, counters = FakeTickets(away=True), FakeTickets(away=True)

    admitted = admission(tickets, counters).enter(order())

    assert (admitted.ticket_id, admitted.counted) == (None, None)
    assert admitted.accounts(NOW) == ((KEY, Window()),)


def test_a_ticket_says_what_to_book_if_the_gateway_dies() -> None:
    tickets = FakeTickets()

    admission(tickets).enter(order(BUDGET))

    posting = killed(tickets.taken[0], NOW)
    assert posting.entry == replace(ENTRY, ended="gateway_killed", status="failure")
    assert posting.accounts == ((KEY, Window("1mo", datetime(2026, 12, 1, tzinfo=UTC))),)
    assert posting.ticket == tickets.taken[0].id == "call-1"


def test_without_counters_all_is_asked_of_the_database() -> None:
    tickets = FakeTickets()

    admission(tickets).enter(order(BOTH))

    assert tickets.taken[0].claims == (Claim(KEY, Window(), Decimal("0.25"), Decimal(1), 5, 100, 2),)


def test_with_counters_the_database_is_asked_for_budgets_alone() -> None:
    tickets, counters = FakeTickets(), FakeTickets()
    gate = admission(tickets, counters)

    gate.enter(order(RATES))
    assert tickets.taken == []

    admitted = gate.enter(order(BOTH))
    assert tickets.taken[0].claims == (Claim(KEY, Window(), Decimal("0.25"), Decimal(1)),)
    assert counters.taken[1].claims == (Claim(KEY, rpm=5, tpm=100, parallel=2),)
    assert admitted.ticket_id == "call-1"


def test_what_was_counted_is_given_back_where_the_budget_refuses_or_does_not_answer() -> None:
    for tickets, error in [(FakeTickets("spent"), BudgetSpent), (FakeTickets(away=True), StoreUnavailable)]:
        counters = FakeTickets()
        with pytest.raises(error):
            admission(tickets, counters).enter(order(BOTH))
        assert counters.given_back == ["call-1"]


def test_a_call_that_never_reached_aws_gives_everything_back() -> None:
    tickets, counters = FakeTickets(), FakeTickets()
    gate = admission(tickets, counters)

    gate.leave(gate.enter(order(BOTH)), UNKNOWN, reached_aws=False)

    assert (tickets.given_back, counters.given_back, counters.settled) == (["call-1"], ["call-1"], [])


def test_a_call_that_reached_aws_is_settled_and_leaves_its_ticket_to_the_booking() -> None:
    tickets, counters = FakeTickets(), FakeTickets()
    gate = admission(tickets, counters)

    gate.leave(gate.enter(order(BOTH)), USED, reached_aws=True)
    gate.leave(Admitted(), USED, reached_aws=True)

    assert (tickets.given_back, counters.given_back, counters.settled) == ([], [], [("call-1", 77)])


def test_what_is_away_refuses_unless_the_operator_allows() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        admission(FakeTickets(away=True)).enter(order(BUDGET))
    assert "host" not in raised.value.message
    assert raised.value.retry_after

    tickets, counters = FakeTickets(), FakeTickets(away=True)
    admitted = admission(tickets, counters, allow_when_down=True).enter(order(BOTH))
    assert (admitted.counted, admitted.ticket_id) == (None, "call-1")
    assert admission(FakeTickets(away=True), allow_when_down=True).enter(order(BUDGET)).ticket_id is None


@pytest.mark.parametrize(
    ("spent", "what", "then"),
    [
        ("0", "has no room left in its budget for this call: 0 of 10.5 USD are spent", SMALLER),
        ("10.4", "has no room left in its budget for this call: 10.4 of 10.5 USD are spent", SMALLER),
        ("10.5", "has spent its budget: 10.5 of 10.5 USD are spent", ""),
    ],
)
def test_a_budget_without_room_is_told_with_its_figures_and_its_end(spent: str, what: str, then: str) -> None:
    balance = Balance(spend=Decimal(spent), window=Window("1mo", datetime(2026, 12, 1, tzinfo=UTC)))

    error = told(BudgetSpent, order(BUDGET), "spent", balance)

    assert error.message == (
        f'Key "ci" {what}, and this call may cost 0.25. It begins anew at 2026-12-01T00:00:00Z; the administrator can '
        f"raise it.{then}"
    )


@pytest.mark.parametrize(
    ("reason", "seconds", "says"),
    [
        ("held", 1, "0.25 held"),
        ("rpm", 19, "5 requests of this minute (rpm_limit)"),
        ("tpm", 19, "120 of its 100 tokens of this minute (tpm_limit)"),
        ("parallel", 1, "2 calls in flight (max_parallel_requests)"),
    ],
)
def test_a_limit_is_told_by_its_name_and_when_to_try_again(reason: Reason, seconds: int, says: str) -> None:
    error = told(Throttled, order(BOTH), reason, Balance(held=Decimal("0.25"), tokens=120))

    assert error.message.startswith('Key "ci" has ')
    assert says in error.message
    assert error.retry_after == seconds


def test_what_others_spent_is_not_told() -> None:
    def asked(customer_team: str | None) -> Order:
        customer = Customer("c1", STAMPS, alias="their word", team_id=customer_team, limits=BUDGET)
        return order(customer=PayingCustomer(customer))

    balance = Balance(spend=Decimal("77.7"), held=Decimal("77.7"), tokens=777)
    shared, own = told(BudgetSpent, asked(None), "spent", balance), told(BudgetSpent, asked("t1"), "spent", balance)

    assert "77.7" not in shared.message
    assert "their word" not in shared.message
    assert 'End user "c1"' in shared.message
    assert "77.7" in own.message


def test_a_delegated_key_is_not_told_what_its_user_spent() -> None:
    key = VirtualKey("k1", "token", "sk-...1234", STAMPS, user_id="u1", delegated=True)
    asked = order(grant=KeyGrant(key, user=User("u1", STAMPS, limits=BUDGET)))

    assert "77.7" not in told(BudgetSpent, asked, "spent", Balance(spend=Decimal("77.7"))).message


@pytest.mark.parametrize(
    ("hold", "metered", "says"),
    [(None, True, "has no price"), (Decimal(1), False, "not report"), (None, False, "not report")],
)
def test_what_a_budget_cannot_tell_the_cost_of_is_refused_unless_the_key_allows_it(
    hold: Decimal | None, metered: bool, says: str
) -> None:
    asked = order(BUDGET, hold=hold, metered=metered)
    tickets = FakeTickets()
    with pytest.raises(AccessDenied, match=says) as raised:
        admission(tickets).enter(asked)
    assert "unmetered_calls" in raised.value.message
    assert tickets.taken == []

    assert asked.grant
    allowing = replace(asked.grant, key=replace(asked.grant.key, unmetered_calls="allow"))
    admission(tickets).enter(replace(asked, grant=allowing))
    assert tickets.taken[0].claims[0].hold == (hold or 0)


def test_a_team_with_a_budget_refuses_what_has_no_price_too() -> None:
    key = VirtualKey("k1", "token", "sk-...1234", STAMPS, team_id="t1")
    grant = KeyGrant(key, Team("t1", STAMPS, alias="research", limits=BUDGET))

    with pytest.raises(AccessDenied, match='team "research" has a budget'):
        admission(FakeTickets()).enter(order(grant=grant, hold=None))


def test_what_aws_does_not_bill_needs_no_price_and_no_budget() -> None:
    tickets = FakeTickets()

    admission(tickets).enter(order(BUDGET, hold=None, metered=False, billed=False))
    admission(tickets).enter(order(BOTH, hold=None, metered=False, billed=False))

    assert [(claim.budget, claim.rpm) for ticket in tickets.taken for claim in ticket.claims] == [(None, 5)]
    admission(FakeTickets()).enter(order(hold=None, metered=False))
