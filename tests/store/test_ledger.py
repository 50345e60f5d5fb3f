"""What a booking moves, and that it moves it once."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete

from app.core.budget_windows import window
from app.core.ledger_entries import UNPRICED, Account, Charge, Entry, Posting
from app.core.tickets import Balance
from app.core.usage import UNKNOWN, Attribution, Usage
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.ledger_rows import entry_of
from app.store.money_rows import BALANCES
from tests.postings import CENT, MONTH, NOW, posting
from tests.store.ledger_views import ZERO, balances, lines, put_ticket, tickets, totals

KEY, TEAM = Account("key", "key-1"), Account("team", "team-1")
MINUTE = int(NOW.timestamp()) // 60
PICO = Decimal("1e-12")
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)
Book = Callable[..., dict[Account, Decimal]]


@pytest.fixture
def ledger(database: Database) -> LedgerStore:
    """At NOW for ever."""
    return LedgerStore(database, lambda: NOW)


def _paid(request_id: str, at: datetime, cost: Decimal = CENT, duration: str | None = "1d", tokens: int = 1) -> Posting:
    """By the key alone."""
    entry = Entry(
        request_id,
        at,
        at,
        key_id="key-1",
        charge=Charge(cost),
        usage=Usage("reported", {"input": tokens}),
    )
    return Posting(entry, ((KEY, window(duration, at)),))


def test_a_call_is_booked_on_all_who_pay_for_it(database: Database, ledger: LedgerStore) -> None:
    spent = ledger.book([posting("a"), posting("b", cost=Decimal("0.0000000000015"))])

    two = Decimal("0.010000000002")  # as columns hold it: half a pico-dollar goes to the even one
    assert spent == {KEY: two, TEAM: two}
    assert balances(database) == {
        KEY: Balance(two, two, window=MONTH, minute=MINUTE, tokens=60),
        TEAM: Balance(two, two, minute=MINUTE, tokens=60),
    }
    assert [line["request_id"] for line in lines(database)] == ["a", "b"]


def test_a_line_says_all_that_is_known_of_its_call(database: Database, ledger: LedgerStore) -> None:
    entry = Entry(
        "a",
        NOW - timedelta(seconds=2),
        NOW,
        "call",
        "failure",
        503,
        "ServiceUnavailableException",
        "upstream_broken",
        "key-1",
        "f" * 64,
        "batch",
        "team-1",
        "Search",
        "user-1",
        Attribution("ann", "user", "s-1", ("x", "y"), {"a": [1, {"b": None}]}, "theirs"),
        "ann",
        ("prod",),
        ("x", "(other)"),
        "bedrock-runtime",
        "Converse",
        "us.anthropic.x",
        "us-east-1",
        Usage("estimated", {"input": 3, "cache_write_5m": 4}, "converse", {"m": {"input": 3}}),
        Charge(Decimal("1.25"), "anthropic.x", "geo", "flex", {"input": Decimal("0.000003")}, "2026-11-22/x/geo"),
        1234.5,
        99.5,
        True,
        10,
        20,
        "10.0.0.1",
        "aws-1",
        {"k": "v"},
    )
    ledger.book([Posting(entry)])

    (line,) = lines(database)
    assert entry_of(line) == replace(entry, counted_tags=())
    assert (line["day"], line["cache_write_tokens"], line["total_tokens"]) == ("2026-11-25", 4, 7)


def test_days_are_counted_by_everything_that_reports_ask_for(database: Database, ledger: LedgerStore) -> None:
    whose = Attribution(tags=("x",))
    full = posting("a", user_id="u", counted_end_user="ann", key_tags=("p", "p"), attribution=whose, duration_ms=99.9)
    tagged = replace(full, entry=replace(full.entry, counted_tags=("x",)))
    failed = posting("b", cost=None, status="failure", team_id=None, model=None, duration_ms=100.0)
    ledger.book([tagged, failed])

    found = totals(database)
    assert set(found) == {
        ("all", ""), ("key", "key-1"), ("team", "team-1"), ("user", "u"), ("end_user", "ann"),
        ("model", "amazon.nova-lite-v1:0"), ("tag", "p"), ("claimed_tag", "x"),
    }  # fmt: skip
    every, team = found["all", ""], found["team", "team-1"]
    assert [every[name] for name in ("calls", "failures", "unpriced", "input_tokens", "output_tokens", "cost")] == [
        2, 1, 1, 20, 40, CENT,
    ]  # fmt: skip
    assert (every["duration_ms"], every["under_100ms"], every["under_300ms"], every["longer"]) == (199.9, 1, 1, 0)
    assert (team["calls"], team["failures"], team["cost"], found["tag", "p"]["calls"]) == (1, 0, CENT, 1)


def test_models_that_callers_make_up_are_counted_as_others(database: Database, ledger: LedgerStore) -> None:
    refused: dict[str, Any] = {"status": "failure", "http_status": 400}
    unheard: dict[str, Any] = {"status": "failure", "ended": "client_gone", "http_status": 499}
    profile, nova = "zz.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a"
    unpriced = Charge(None)
    ledger.book(
        [
            *(posting(f"a-{n}", model=f"made-up-{n}", charge=unpriced, **refused) for n in range(20)),
            *(posting(f"b-{n}", model=f"made-up-{n}", charge=unpriced, **unheard) for n in range(20)),
            posting("c", model=profile, **refused),
            posting("d", model=f"us.{nova}", **refused),
            posting("e", model=f"eu.{nova}", **unheard),
            posting("f", model=arn, charge=unpriced, http_status=200),
            posting("g", model="throttled", charge=unpriced, status="failure", http_status=429),
        ]
    )

    models = {name: total["calls"] for (kind, name), total in totals(database).items() if kind == "model"}
    assert models == {"(other)": 41, f"us.{nova}": 1, f"eu.{nova}": 1, arn: 1, "throttled": 1}


@pytest.mark.parametrize("limit", [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000])
def test_a_duration_counts_where_it_is_first_under(database: Database, ledger: LedgerStore, limit: int) -> None:
    ledger.book([posting(str(ms), duration_ms=float(ms)) for ms in (limit - 1, limit, limit + 1)])

    every = totals(database)["all", ""]
    names = "under_100ms under_300ms under_1s under_3s under_10s under_30s under_100s longer".split()
    place = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000].index(limit)
    assert [every[name] for name in names[place : place + 2]] == [1, 2]


def test_the_same_call_is_booked_once_however_it_is_handed_in(database: Database, ledger: LedgerStore) -> None:
    ledger.book([posting("a"), posting("a")])
    ledger.book([posting("a")])
    ledger.book([posting("b"), posting("a"), posting("c")])
    LedgerStore(database, lambda: NOW).book([posting("c")])

    assert balances(database)[KEY].total_spend == 3 * CENT
    assert balances(database)[KEY].tokens == 90
    assert totals(database)["all", ""]["calls"] == 3


def test_nothing_to_book_is_booked(ledger: LedgerStore) -> None:
    assert ledger.book([]) == {}


def test_an_unpriced_call_moves_no_money(database: Database, ledger: LedgerStore) -> None:
    assert ledger.book([posting("a", charge=UNPRICED, usage=UNKNOWN)]) == {KEY: 0, TEAM: 0}
    assert [line["cost"] for line in lines(database)] == [None]
    assert totals(database)["all", ""]["unpriced"] == 1


def test_a_ticket_gives_back_what_it_holds_once(database: Database, ledger: LedgerStore) -> None:
    other = Account("user", "nobody pays by it")
    put_ticket(database, "a", NOW, (KEY, Decimal(5)), (other, Decimal(0)))

    for _ in range(2):
        ledger.book([replace(posting("a"), ticket="a")])
        found = balances(database)
        assert (found[KEY].held, found[KEY].in_flight, found[KEY].total_spend) == (ZERO, 0, CENT)
        assert (found[other].in_flight, found[other].total_spend) == (0, ZERO)
        assert not tickets(database)


def test_a_ticket_that_is_gone_gives_nothing_back(database: Database, ledger: LedgerStore) -> None:
    put_ticket(database, "a", NOW, (KEY, Decimal(5)))

    ledger.book([replace(posting("b"), ticket="b")])
    assert (balances(database)[KEY].held, balances(database)[KEY].in_flight) == (Decimal(5), 1)
    assert tickets(database) == ["a"]


def test_a_ticket_ends_also_where_its_call_is_booked_already(database: Database, ledger: LedgerStore) -> None:
    ledger.book([posting("a", key_id=None)])
    other = Account("customer", "ann")
    put_ticket(database, "a", NOW, (other, Decimal(1)))

    ledger.book([replace(posting("a", key_id=None), ticket="a")])
    assert (balances(database)[other].held, balances(database)[other].in_flight) == (ZERO, 0)
    assert totals(database)["all", ""]["calls"] == 1


@pytest.mark.parametrize(
    ("late", "spend"),
    [
        (timedelta(microseconds=-1), Decimal("0.02")),
        (timedelta(0), CENT),
        (timedelta(microseconds=1), CENT),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_window_starts_anew_at_its_end(database: Database, late: timedelta, spend: Decimal, at_once: bool) -> None:
    ledger = LedgerStore(database, lambda: MIDNIGHT + timedelta(seconds=1))
    first, second = _paid("a", NOW), _paid("b", MIDNIGHT + late)

    for batch in [[second, first]] if at_once else [[first], [second]]:
        spent = ledger.book(batch)
    assert spent == {KEY: spend}
    assert (balances(database)[KEY].total_spend, balances(database)[KEY].spend) == (2 * CENT, spend)
    assert balances(database)[KEY].window == window("1d", MIDNIGHT + late)


def test_a_call_of_a_window_that_is_over_is_no_part_of_the_one_that_is_on(database: Database) -> None:
    ledger = LedgerStore(database, lambda: MIDNIGHT + timedelta(hours=2))
    ledger.book([_paid("a", MIDNIGHT + timedelta(hours=1))])

    assert ledger.book([_paid("late", NOW, 5 * CENT)]) == {KEY: CENT}
    assert balances(database)[KEY].total_spend == 6 * CENT
    assert balances(database)[KEY].window == window("1d", MIDNIGHT)


@pytest.mark.parametrize(("before", "after"), [("1d", "1mo"), ("1mo", "1d"), (None, "1d"), ("1d", None)])
def test_another_duration_keeps_what_was_spent(
    database: Database, ledger: LedgerStore, before: str | None, after: str | None
) -> None:
    ledger.book([_paid("a", NOW, duration=before)])

    assert ledger.book([_paid("b", NOW, duration=after)]) == {KEY: 2 * CENT}
    assert balances(database)[KEY].window == window(after, NOW)


def test_a_late_call_does_not_bring_an_earlier_duration_back(database: Database) -> None:
    ledger = LedgerStore(database, lambda: MIDNIGHT + timedelta(hours=2))
    ledger.book([_paid("a", MIDNIGHT, duration="1mo")])
    ledger.book([_paid("late", NOW, duration="1d")])

    assert balances(database)[KEY].window == window("1mo", MIDNIGHT)


@pytest.mark.parametrize(("minutes", "counted"), [(-2, (0, 1)), (-1, (0, 11)), (0, (0, 11)), (1, (1, 10))])
def test_tokens_count_in_their_minute_which_never_goes_back(
    database: Database, ledger: LedgerStore, minutes: int, counted: tuple[int, int]
) -> None:
    """Clocks that differ count into one of their minutes; what comes later than that throttles nobody."""
    ledger.book([_paid("a", NOW)])
    ledger.book([_paid("b", NOW + timedelta(minutes=minutes), tokens=10)])

    assert (balances(database)[KEY].minute - MINUTE, balances(database)[KEY].tokens) == counted


def test_of_one_batch_each_call_counts_in_its_own_minute(database: Database, ledger: LedgerStore) -> None:
    before, after = _paid("a", NOW, tokens=10), _paid("b", NOW + timedelta(minutes=1))
    ledger.book([after, before])
    assert balances(database)[KEY].tokens == 1

    ledger.book([_paid("c", NOW + timedelta(minutes=1), tokens=5), _paid("d", NOW, tokens=7)])
    assert (balances(database)[KEY].minute - MINUTE, balances(database)[KEY].tokens) == (1, 13)


def test_what_was_seen_takes_the_place_of_a_killed_line(database: Database, ledger: LedgerStore) -> None:
    put_ticket(database, "a", NOW, (KEY, Decimal(5)))
    killed = posting("a", None, ended="gateway_killed", status="failure", usage=UNKNOWN, model=None)
    claimed = replace(killed.entry, attribution=Attribution(tags=("x", "y")), counted_tags=("(other)",))
    ledger.book([replace(killed, entry=claimed, ticket="a")])
    assert totals(database)["all", ""]["failures"] == 1

    seen = replace(posting("a", duration_ms=5.0), ticket="a")
    for _ in range(2):
        ledger.book([seen, replace(killed, ticket="a")])

    (line,) = lines(database)
    assert (line["ended"], line["status"], line["cost"], line["model"]) == (
        "complete", "success", CENT, "amazon.nova-lite-v1:0",
    )  # fmt: skip
    found = totals(database)
    assert [found["all", ""][name] for name in ("calls", "failures", "unpriced", "under_100ms")] == [1, 0, 0, 1]
    assert found["model", "amazon.nova-lite-v1:0"]["calls"] == 1
    assert {name: total["calls"] for (kind, name), total in found.items() if kind == "claimed_tag"} == {"(other)": 0}
    assert balances(database)[KEY] == Balance(CENT, CENT, window=MONTH, minute=MINUTE, tokens=30)


def test_a_killed_line_takes_nobodys_place(database: Database, ledger: LedgerStore) -> None:
    killed = posting("a", None, ended="gateway_killed", status="failure")
    ledger.book([posting("a")])
    ledger.book([killed])
    ledger.book([replace(killed, entry=replace(killed.entry, request_id="b")), posting("b")])

    assert [line["ended"] for line in lines(database)] == ["complete", "complete"]
    assert totals(database)["all", ""]["failures"] == 0


def test_whatever_a_call_says_can_be_booked(database: Database, ledger: LedgerStore) -> None:
    hostile = Attribution("a\0\ud800", "user", "s" * 5000, ("\udfff",), {"\0": "\ud800", "n": [float("1e308")]}, "\0")
    ledger.book(
        [
            posting("a", attribution=hostile, model="m\0" * 3000, counted_end_user="\0" * 2000, key_tags=("\0",)),
            posting("b", Decimal("1e40"), usage=Usage("reported", {"input": 2**80}), bytes_in=2**70),
            posting("c", Decimal("NaN"), attribution=Attribution(metadata={"n": float("nan")})),
            posting("d", Decimal("1e40"), usage=Usage("reported", {"input": 2**80})),
        ]
    )

    assert lines(database)[0]["end_user"] == "a\ufffd\ufffd"
    assert balances(database)[KEY].total_spend == Decimal(2**63 - 1).scaleb(-12), "the most that a column holds"
    assert ledger.book([posting("e")])[KEY] == Decimal(2**63 - 1).scaleb(-12)


def test_a_balance_that_somebody_deleted_is_made_again(database: Database, ledger: LedgerStore) -> None:
    ledger.book([posting("a")])
    with database.change() as connection:
        connection.execute(delete(BALANCES))

    assert ledger.book([posting("b")])[KEY] == CENT


@pytest.mark.parametrize("seed", range(3))
def test_batches_come_to_what_the_rules_of_balances_say_call_by_call(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    durations = {Account("key", f"k{number}"): duration for number, duration in enumerate(("90s", "5m", None))}
    expected = dict.fromkeys(durations, Balance())
    at, number = NOW, 0
    for _ in range(25):
        batch = []
        for _ in range(chance.randint(1, 6)):
            at += timedelta(seconds=chance.choice((0, 1, 20, 45, 100)))
            number += 1
            cost = Decimal(chance.randint(0, 10**9)) * PICO
            paying = chance.sample(list(durations.items()), chance.randint(1, 3))
            accounts = tuple(sorted((account, window(duration, at)) for account, duration in paying))
            usage = Usage("reported", {"input": chance.randint(0, 9)})
            batch.append(Posting(Entry(str(number), at, at, usage=usage, charge=Charge(cost)), accounts))
            for account, its_window in accounts:
                one = expected[account].at(its_window, at, int(at.timestamp()) // 60)
                one = replace(one, spend=one.spend + cost, total_spend=one.total_spend + cost)
                expected[account] = replace(one, tokens=one.tokens + usage.total_tokens)
        chance.shuffle(batch)
        LedgerStore(database, lambda now=at: now).book(batch)  # type: ignore[misc]  # bound at once

    assert balances(database) == {account: one for account, one in expected.items() if one != Balance()}
