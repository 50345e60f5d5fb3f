"""What accounts have left: budgets with what is held, shared and raised for a time, and the limits of the minute."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Budget, KeyGrant, Limits, Member, Team, User, VirtualKey
from app.core.callers import MASTER, Actor, caller_of
from app.core.ledger_entries import Account, Window
from app.core.tickets import Balance
from app.gateway.standings import KeyStanding, Standing, Standings
from tests.fake_registry import NOW, STAMPS, FakeRegistry

MINUTE = int(NOW.timestamp()) // 60
LIMITS = Limits(max_budget=Decimal(10), rpm_limit=5, tpm_limit=100, max_parallel_requests=2)
KEY = VirtualKey("k", "t", "sk-...", STAMPS, team_id="red", user_id="rita", limits=LIMITS)
RED = Team("red", STAMPS, limits=Limits(max_budget=Decimal(100)))
RITA = User("rita", STAMPS, limits=Limits(max_budget=Decimal(50)))
SPENT = Balance(spend=Decimal(3), held=Decimal(2), in_flight=1, minute=MINUTE, requests=4, tokens=40)
ADMINISTRATOR = Actor(MASTER)


class FakeBalances:
    """The part of the port UsageReads that is asked here. `asked`: how often it was."""

    def __init__(self, balances: Mapping[Account, Balance]) -> None:
        self._balances = balances
        self.asked = 0

    def balances(self, accounts: Iterable[Account]) -> Mapping[Account, Balance]:
        self.asked += 1
        return {account: self._balances[account] for account in accounts if account in self._balances}

    def totals(self, query: Any) -> Any:
        raise NotImplementedError

    rows = page = key_ids = totals

    def row_sums(self, query: Any, groups: Any, most: int) -> Any:
        raise NotImplementedError


def of_key(
    key: VirtualKey = KEY,
    actor: Actor = ADMINISTRATOR,
    budget: Budget | None = None,
    balances: Mapping[Account, Balance] | None = None,
    **options: bool,
) -> KeyStanding:
    reads = FakeBalances({Account("key", "k"): SPENT} if balances is None else balances)
    return Standings(reads, FakeRegistry(KEY, RED, RITA), lambda: NOW, **options).of_key(actor, key, budget)


def left(standing: Standing) -> tuple[Decimal | None, int | None, int | None, int | None]:
    return standing.budget, standing.requests, standing.tokens, standing.parallel_requests


def test_what_is_spent_and_held_is_not_left() -> None:
    assert left(of_key().key) == (Decimal(5), 1, 60, 1)


def test_an_account_that_nothing_was_booked_on_has_all_of_it() -> None:
    assert left(of_key(balances={}).key) == (Decimal(10), 5, 100, 2)


def test_nothing_is_left_rather_than_less() -> None:
    beyond = Balance(spend=Decimal(11), in_flight=3, minute=MINUTE, requests=6, tokens=101)

    assert left(of_key(balances={Account("key", "k"): beyond}).key) == (Decimal(0), 0, 0, 0)


def test_without_a_limit_nothing_is_said_to_be_left() -> None:
    standing = of_key(replace(KEY, limits=Limits())).key

    assert left(standing) == (None, None, None, None)
    assert standing.rates is False


def test_a_minute_that_is_over_counts_no_more() -> None:
    before = replace(SPENT, minute=MINUTE - 1)

    assert left(of_key(balances={Account("key", "k"): before}).key) == (Decimal(5), 5, 100, 1)


def test_a_window_that_is_over_starts_anew() -> None:
    daily = replace(KEY, limits=replace(LIMITS, budget_duration="1d"))
    over = replace(SPENT, window=Window("1d", NOW))

    standing = of_key(daily, balances={Account("key", "k"): over}).key

    assert standing.budget == Decimal(8)
    assert standing.balance.window.resets_at == NOW.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(1)


def test_a_raise_for_a_time_is_in_the_budget_until_it_ends() -> None:
    raised = replace(KEY, temp_budget_increase=Decimal(7), temp_budget_expiry=NOW + timedelta(seconds=1))

    assert of_key(raised).key.budget == Decimal(12)
    assert of_key(replace(raised, temp_budget_expiry=NOW)).key.budget == Decimal(5)


def test_a_shared_budget_counts_where_the_key_says_nothing() -> None:
    budget = Budget("shared", STAMPS, Limits(max_budget=Decimal(4), rpm_limit=9))

    assert left(of_key(replace(KEY, limits=Limits(rpm_limit=5)), budget=budget).key)[:2] == (Decimal(0), 1)


def test_budgets_for_models_are_told_by_their_pattern() -> None:
    limits = replace(LIMITS, model_max_budget={"anthropic.*": {"budget_limit": 2, "time_period": "1d"}})
    balances = {Account("model_budget", "key:k:anthropic.*"): Balance(spend=Decimal("0.5"))}

    [(pattern, standing)] = of_key(replace(KEY, limits=limits), balances=balances).key.models

    assert (pattern, standing.budget) == ("anthropic.*", Decimal("1.5"))


def test_counts_that_are_kept_elsewhere_are_not_told() -> None:
    assert left(of_key(rates_elsewhere=True).key) == (Decimal(5), None, None, None)


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (MASTER, ("team", "user")),
        (caller_of(KeyGrant(KEY)), ("user",)),
        (caller_of(KeyGrant(replace(KEY, delegated=True))), ()),
        (caller_of(KeyGrant(replace(KEY, id="boss"), admin_of=frozenset(("red",)))), ("team",)),
        (caller_of(KeyGrant(replace(KEY, id="boss"), admin_of=frozenset(("blue",)))), ()),
        (caller_of(KeyGrant(replace(KEY, id="eye"), user=replace(RITA, role="proxy_admin_viewer"))), ("team", "user")),
    ],
)
def test_what_is_above_a_key_is_told_to_whom_may_see_it(caller: Any, sees: tuple[str, ...]) -> None:
    key = caller.grant.key if caller.grant and caller.grant.key.id == "k" else KEY

    standing = of_key(key, Actor(caller))

    assert tuple(name for name in ("team", "user") if getattr(standing, name)) == sees


def test_all_of_a_keys_balances_are_one_question() -> None:
    reads = FakeBalances({})
    standings = Standings(reads, FakeRegistry(KEY, RED, RITA, Member("red", "rita")), lambda: NOW)

    standings.of_key(ADMINISTRATOR, KEY, None)

    assert reads.asked == 1
