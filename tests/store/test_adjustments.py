"""What accounts spent, changed otherwise than by calls, and lines that go: the sums hold all the same."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Budget, Limits, Spender
from app.core.ledger_entries import Account, Posting
from app.core.usage import Usage
from app.store import adjustments
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.registry import Registry
from tests.postings import CENT, posting
from tests.store.conftest import Put, Spend
from tests.store.ledger_views import PAYERS, ZERO, balances, lines, sums, totals
from tests.store.samples import NOW, STAMPS, plain_customer, plain_key, plain_team, plain_user

KEY, TEAM, USER, CUSTOMER = plain_key(1, alias="batch"), plain_team(1, alias="Red"), plain_user(1), plain_customer(1)
TWO = Decimal(2)


def _read(registry: Registry, spender: Spender) -> tuple[Decimal, Decimal]:
    kind = type(spender).__name__.removeprefix("Virtual").lower()
    found: Any = registry.read(lambda records: getattr(records, kind)(spender.id))
    return found.spend, found.total_spend


@pytest.mark.parametrize("spender", [KEY, TEAM, USER, CUSTOMER], ids=["key", "team", "user", "customer"])
def test_what_an_account_brings_along_counts_as_spent_now_and_in_all(
    database: Database, registry: Registry, put: Put, spend: Spend, spender: Spender
) -> None:
    put(spender)
    assert _read(registry, spender) == (ZERO, ZERO)
    spend(spender, TWO)
    spend(spender, Decimal("0.0000000000005"))

    assert _read(registry, spender) == (TWO, TWO)
    first, second = sorted(lines(database), key=lambda line: -line["cost"])
    kind = next(kind for kind, column in PAYERS.items() if first[column] == spender.id)
    assert (first["kind"], first["cost"], first["note"], second["cost"]) == ("carried", TWO, {"by": "master"}, 0)
    found = totals(database)
    assert {name: (total["cost"], total["calls"]) for name, total in found.items()} == {
        ("all", ""): (TWO, 0),
        ("end_user" if kind == "customer" else kind, spender.id): (TWO, 0),
    }


def test_a_spend_that_is_set_leaves_what_was_spent_in_all(
    database: Database, registry: Registry, put: Put, spend: Spend
) -> None:
    put(KEY)
    spend(KEY, TWO)
    registry.change(lambda change: change.set_spend(KEY, Decimal("0.5"), "ops"))

    assert _read(registry, KEY) == (Decimal("0.5"), TWO)
    (line,) = [line for line in lines(database) if line["kind"] == "adjustment"]
    assert line["note"] == {"spend_from": "2", "spend_to": "0.5", "by": "ops"}
    assert (line["cost"], line["key_id"], line["key_token"], line["key_alias"]) == (ZERO, KEY.id, KEY.token, "batch")


def test_to_put_a_record_writes_nothing_of_what_it_spent(registry: Registry, put: Put, spend: Spend) -> None:
    put(KEY)
    spend(KEY, TWO)
    put(replace(KEY, spend=Decimal(9), total_spend=Decimal(9)))

    assert _read(registry, KEY) == (TWO, TWO)


def test_a_key_that_is_deleted_and_made_again_has_spent_what_it_had(registry: Registry, put: Put, spend: Spend) -> None:
    put(KEY)
    spend(KEY, TWO)
    registry.change(lambda change: change.remove(KEY))
    put(KEY)

    assert _read(registry, KEY) == (TWO, TWO)


@pytest.mark.parametrize(("microseconds", "spent"), [(-1, TWO), (0, ZERO), (1, ZERO)])
def test_what_was_spent_in_a_window_that_is_over_is_told_no_more(
    database: Database, put: Put, spend: Spend, microseconds: int, spent: Decimal
) -> None:
    daily = replace(KEY, limits=Limits(budget_duration="1d"))
    put(daily, plain_key(2))
    spend(daily, TWO)
    spend(plain_key(2), CENT)
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    later = Registry(database, lambda: midnight + timedelta(microseconds=microseconds))

    assert _read(later, daily) == (spent, TWO)
    later.change(lambda change: change.set_spend(daily, CENT, "ops"))
    assert _read(later, daily) == (CENT, TWO), "in the window that is on"


def test_a_key_s_window_is_that_of_the_budget_it_names(
    database: Database, registry: Registry, put: Put, spend: Spend
) -> None:
    named = replace(KEY, budget_id="b")
    put(named, Budget("b", STAMPS, Limits(budget_duration="1mo")))
    spend(named, TWO)

    assert balances(database)[Account("key", KEY.id)].window.duration == "1mo"


def test_a_change_that_fails_adjusts_nothing(database: Database, registry: Registry, put: Put) -> None:
    def work(change: Any) -> None:
        change.carry_spend(KEY, TWO, "master")
        raise LookupError

    with pytest.raises(LookupError):
        registry.change(work)
    assert not lines(database)
    assert not balances(database)


def test_keys_and_teams_are_reset_part_by_part(
    database: Database, registry: Registry, put: Put, spend: Spend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adjustments, "_LOCKED_AT_ONCE", 2)
    idle = plain_key(9)
    put(KEY, TEAM, USER, idle, plain_key(2))
    for one in (KEY, TEAM, USER, plain_key(2)):
        spend(one, TWO)

    parts, after = [], None
    while part := registry.change(lambda change, after=after: change.reset_spends(after, "master")):  # type: ignore[misc]  # bound at once
        parts.append([(account.id, spent) for account, spent in part])
        after = part[-1][0]
    assert parts == [[(KEY.id, TWO), ("key-002", TWO)], [(TEAM.id, TWO)]]
    assert [_read(registry, one)[0] for one in (KEY, TEAM, USER)] == [ZERO, ZERO, TWO]
    assert sum(line["kind"] == "adjustment" for line in lines(database)) == 3


def _random_calls(count: int, chance: random.Random) -> list[Posting]:
    calls = []
    for number in range(count):
        key, team = f"key-{chance.randrange(4):03}", chance.choice((None, "team-001"))
        customer = chance.choice((None, "customer-001"))
        at = NOW - timedelta(days=chance.randrange(10))
        cost = chance.choice((None, ZERO, Decimal(chance.randrange(10**9)).scaleb(-12)))
        payers = (("customer", customer), ("key", key), ("team", team))
        accounts: Any = [(Account(kind, name), posting("").accounts[1][1]) for kind, name in payers if name]  # type: ignore[arg-type]  # kinds as they are
        call = posting(
            f"call-{number}", cost, key_id=key, team_id=team, counted_end_user=customer, started_at=at, ended_at=at,
            usage=Usage("reported", {"input": 1}),
        )  # fmt: skip
        calls.append(replace(call, accounts=tuple(accounts)))
    return calls


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a large ledger is pruned."""
    monkeypatch.setattr("app.store.ledger_pruning._BATCH", 7)


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("seed", range(2))
def test_the_lines_sum_is_what_was_spent_after_calls_imports_resets_and_pruning(
    database: Database, registry: Registry, put: Put, spend: Spend, seed: int
) -> None:
    chance = random.Random(seed)
    keys = [plain_key(number) for number in range(4)]
    put(*keys, TEAM, CUSTOMER)
    ledger, seen = LedgerStore(database, lambda: NOW), []
    calls = _random_calls(90, chance)
    spend(keys[0], CENT)
    registry.change(lambda change: change.reset_spends(None, "master"))
    by_day: dict[str, Decimal] = {}
    for part in (calls[:45], calls[45:]):
        ledger.book(part)
        spend(TEAM, CENT)
        registry.change(lambda change: change.set_spend(keys[1], ZERO, "master"))
        before = balances(database)
        old = [
            line for line in lines(database) if line["kind"] == "call" and line["started_at"] < NOW - timedelta(days=4)
        ]
        for line in old:
            by_day[line["day"]] = by_day.get(line["day"], ZERO) + (line["cost"] or 0)
        told: list[int] = []
        assert ledger.prune(NOW - timedelta(days=4), told.append) == len(old)
        assert told == [*range(7, len(old), 7), len(old)]
        assert balances(database) == before
        seen.append(len(old))

    assert all(seen)
    found = sums(database)
    for account, balance in balances(database).items():
        assert balance.total_spend == found.pop((account.kind, account.id), ZERO)
    assert list(found) == [("all", "")]
    carried = [line for line in lines(database) if "pruned" in line["note"]]
    assert len(carried) <= 16, "one for those who pay together, however often it is pruned"
    assert all(line["started_at"] < NOW - timedelta(days=4) for line in carried)
    for line in lines(database):
        if line not in carried:
            by_day[line["day"]] = by_day.get(line["day"], ZERO) + (line["cost"] or 0)
    assert _cost_by_day(database) == by_day
    assert ledger.prune(NOW - timedelta(days=4)) == 0


def _cost_by_day(database: Database) -> dict[str, Decimal]:
    with database.statement() as connection:
        rows = connection.exec_driver_sql("SELECT day, cost FROM daily_totals WHERE kind = 'all'").all()
    return {day: Decimal(cost).scaleb(-12) for day, cost in rows}
