"""Who pays for a call, and what a ticket claims of whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.core.accounts import Budget, Customer, KeyGrant, Limits, Stamps, Team, User, VirtualKey
from app.core.ledger_entries import NO_WINDOW, Account, Window
from app.core.limits import (
    Payer,
    PayingCustomer,
    accounts_of,
    claims_of,
    model_budget_account,
    payers_of,
    soft_budget_passed,
)
from app.core.tickets import Claim

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOMORROW = datetime(2026, 11, 26, tzinfo=UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HOLD = Decimal("0.5")
OPAQUE = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"


def key(**fields: object) -> VirtualKey:
    return VirtualKey("k1", "token", "sk-...1234", STAMPS, **fields)  # type: ignore[arg-type]  # any field


def claims(grant: KeyGrant, *models: str, customer: PayingCustomer | None = None) -> dict[Account, Claim]:
    found = claims_of(payers_of(grant, customer, models, NOW), HOLD, NOW)
    assert list(found) == sorted(found, key=lambda claim: claim.account)
    return {claim.account: claim for claim in found}


def test_everybody_above_a_key_pays_for_its_calls_and_only_who_limits_anything_is_claimed() -> None:
    team, user = Team("t1", STAMPS, limits=Limits(rpm_limit=5)), User("u1", STAMPS)
    grant = KeyGrant(key(team_id="t1", user_id="u1"), team, user)
    customer = PayingCustomer(Customer("c1", STAMPS))
    payers = payers_of(grant, customer, (), NOW)

    everybody = [Account("customer", "c1"), Account("key", "k1"), Account("team", "t1"), Account("user", "u1")]
    assert [account for account, _ in accounts_of(payers, NOW)] == everybody
    assert claims_of(payers, HOLD, NOW) == (Claim(Account("team", "t1"), rpm=5),)


def test_the_master_key_is_paid_for_by_nobody_but_the_customer_that_it_names() -> None:
    assert payers_of(None, None, (SONNET,), NOW) == ()
    assert [payer.account.kind for payer in payers_of(None, PayingCustomer(Customer("c", STAMPS)), (), NOW)] == [
        "customer"
    ]


def test_each_limit_has_its_part_in_the_claim() -> None:
    limits = Limits(Decimal(10), Decimal(5), "1d", None, 1, 2, 3)
    account = Account("key", "k1")

    claim = claims(KeyGrant(key(limits=limits)))[account]

    assert claim == Claim(account, Window("1d", TOMORROW), HOLD, Decimal(10), 1, 2, 3)


def test_what_costs_nothing_may_run_on_a_spent_budget_but_not_faster_than_the_limits() -> None:
    payer = Payer(Account("key", "k1"), Limits(max_budget=Decimal(0), rpm_limit=1), "key")

    assert claims_of((payer,), None, NOW) == (Claim(payer.account, rpm=1),)


@pytest.mark.parametrize("kind", ["key", "customer"])
def test_own_limits_win_over_those_of_the_budget_field_by_field(kind: str) -> None:
    budget = Budget("b", STAMPS, Limits(Decimal(7), budget_duration="1d", rpm_limit=9))
    own = Limits(rpm_limit=1)
    grant = KeyGrant(key(limits=own if kind == "key" else Limits()), budget=budget if kind == "key" else None)
    customer = PayingCustomer(Customer("k1", STAMPS, limits=own), budget) if kind == "customer" else None

    claim = claims(grant, customer=customer)[Account(kind, "k1")]  # type: ignore[arg-type]  # one of its kinds

    assert (claim.budget, claim.window.duration, claim.rpm) == (Decimal(7), "1d", 1)


@pytest.mark.parametrize(("late", "budget"), [(-1, 15), (0, 10), (1, 10)])
def test_a_raise_ends_by_itself(late: int, budget: int) -> None:
    raised = key(
        limits=Limits(max_budget=Decimal(10)),
        temp_budget_increase=Decimal(5),
        temp_budget_expiry=NOW - timedelta(seconds=late),
    )

    assert claims(KeyGrant(raised))[Account("key", "k1")].budget == budget


def test_a_raise_makes_no_limit_where_there_is_none() -> None:
    assert not claims(KeyGrant(key(temp_budget_increase=Decimal(5), temp_budget_expiry=TOMORROW)))


@pytest.mark.parametrize(
    ("pattern", "models", "claimed"),
    [
        (SONNET, (SONNET,), True),
        (SONNET, (f"us.{SONNET}",), True),
        (f"us.{SONNET}", (SONNET,), False),
        ("anthropic.*", (f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}",), True),
        ("amazon.*", (SONNET,), False),
        ("anthropic.*", (OPAQUE,), False),
        ("arn:aws:bedrock:*:1:application-inference-profile/*", (OPAQUE,), True),
        ("anthropic.*", (OPAQUE, SONNET), True),
        ("anthropic.*", (), False),
        ("*", ("m" * 5000,), False),
    ],
)
def test_a_budget_for_a_model_is_claimed_by_the_calls_of_that_model(
    pattern: str, models: tuple[str, ...], claimed: bool
) -> None:
    limits = Limits(model_max_budget={pattern: {"budget_limit": 1.1, "time_period": "1d"}})
    account = model_budget_account(Account("key", "k1"), pattern)

    found = claims(KeyGrant(key(limits=limits)), *models)

    assert found == ({account: Claim(account, Window("1d", TOMORROW), HOLD, Decimal("1.1"))} if claimed else {})


def test_each_layer_has_its_own_budgets_for_models_in_either_spelling() -> None:
    limits = Limits(model_max_budget={"*": {"max_budget": 3, "budget_duration": None}})
    grant = KeyGrant(key(limits=limits, team_id="t1"), Team("t1", STAMPS, limits=limits))

    found = claims(grant, SONNET)

    assert {account.id: (claim.budget, claim.window) for account, claim in found.items()} == {
        "key:k1:*": (Decimal(3), NO_WINDOW),
        "team:t1:*": (Decimal(3), NO_WINDOW),
    }


def test_no_two_model_budgets_share_an_account_whatever_their_names() -> None:
    names = {model_budget_account(Account("team", owner), rest).id for owner, rest in [("a", "b:c"), ("a:b", "c")]}

    assert len(names) == 2
    assert model_budget_account(Account("team", "a%3Ab"), "c") != model_budget_account(Account("team", "a:b"), "c")


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        (Decimal("0.0000000000011"), Decimal("0.000000000002")),
        (Decimal(10) ** 30, Decimal(100_000)),
        (Decimal(-1), Decimal(0)),
    ],
)
def test_a_hold_is_one_that_the_database_can_count(hold: Decimal, held: Decimal) -> None:
    payer = Payer(Account("key", "k1"), Limits(max_budget=Decimal(1)), "key")

    assert claims_of((payer,), hold, NOW)[0].hold == held


@pytest.mark.parametrize(("spend", "passed"), [("4.99", False), ("5", True), ("5.01", True)])
def test_a_soft_budget_is_passed_once_it_is_spent(spend: str, passed: bool) -> None:
    limits = Limits(soft_budget=Decimal(5))

    assert soft_budget_passed(limits, Decimal(spend)) is passed
    assert not soft_budget_passed(replace(limits, soft_budget=None), Decimal(spend))
