"""Many who book, change and prune at the same time: nothing is lost, nothing counts twice, nobody waits in a circle."""

import multiprocessing
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event

from sqlalchemy import text

from app.core.accounts import Spender
from app.core.ledger_entries import Account, Charge, Entry, Posting, Window
from app.core.usage import Usage
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.registry import Change, Registry
from tests.postings import NOW, posting
from tests.store.conftest import Put
from tests.store.ledger_views import balances, lines, sums, totals
from tests.store.samples import plain_key, plain_team

PROCESSES, BATCHES, BATCH = 2, 12, 20
MONTH = Window("1mo", datetime(2026, 12, 1, tzinfo=UTC))
PICO = Decimal("1e-12")


def _posting(number: int, chance: random.Random) -> Posting:
    key, team, customer = chance.randrange(9), chance.randrange(3), chance.randrange(4)
    cost = Decimal(chance.randrange(10**9)) * PICO
    at = NOW + timedelta(seconds=chance.randrange(50))
    entry = Entry(
        f"call-{number}",
        at,
        at,
        key_id=f"key-{key:03}",
        team_id=f"team-{team:03}",
        counted_end_user=f"customer-{customer}",
        model=f"model-{chance.randrange(5)}",
        usage=Usage("reported", {"input": 1}),
        charge=Charge(cost),
    )
    paying = (("customer", customer), ("key", f"{key:03}"), ("team", f"{team:03}"))
    return Posting(entry, tuple((Account(kind, f"{kind}-{name}"), MONTH) for kind, name in paying))  # type: ignore[arg-type]  # kinds as they are


def _calls(seed: int) -> list[Posting]:
    """The same for the same seed; of any two seeds a half of the calls are the same."""
    mine = [_posting(number, random.Random(number)) for number in range(seed * 100, seed * 100 + BATCHES * BATCH)]
    random.Random(seed).shuffle(mine)
    return mine


def _book_all(url: str, seed: int) -> None:
    database = Database.at(url)
    ledger = LedgerStore(database, lambda: NOW)

    def book(batch: Sequence[Posting]) -> None:
        ledger.book(batch)

    calls = _calls(seed)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(book, (calls[first : first + BATCH] for first in range(0, len(calls), BATCH))))
    database.close()


def _deadlocks(database: Database) -> int:
    if database.is_sqlite:
        return 0
    with database.statement() as connection:
        found = connection.execute(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).scalar_one()
    return int(found)


def test_processes_that_book_the_same_calls_book_each_once(database_url: str, database: Database) -> None:
    before = _deadlocks(database)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as processes:
        list(processes.map(_book_all, [database_url] * PROCESSES, range(PROCESSES)))

    calls = {call.entry.request_id: call for seed in range(PROCESSES) for call in _calls(seed)}
    assert [line["request_id"] for line in lines(database)] == sorted(calls)
    expected = sum((call.entry.charge.cost or Decimal(0) for call in calls.values()), Decimal(0))
    found = sums(database)
    assert found["all", ""] == totals(database)["all", ""]["cost"] == expected
    assert totals(database)["all", ""]["calls"] == len(calls)
    for account, balance in balances(database).items():
        kind = "end_user" if account.kind == "customer" else account.kind
        assert balance.spend == balance.total_spend == found[account.kind, account.id]
        assert balance.total_spend == totals(database)[kind, account.id]["cost"]
    assert _deadlocks(database) == before


def test_changes_of_money_and_bookings_wait_for_each_other_and_never_in_a_circle(
    database_url: str, database: Database, put: Put
) -> None:
    """A change names its accounts in any order, some of them new, while calls are booked on all of them."""
    before = _deadlocks(database)
    registry = Registry(Database.at(database_url), lambda: NOW)
    spenders: list[Spender] = [
        *(plain_key(number) for number in range(9)),
        *(plain_team(number) for number in range(3)),
    ]
    put(*spenders)
    stop = Event()

    def change_all() -> int:
        chance, changes = random.Random(7), 0

        def work(change: Change) -> None:
            for one in chance.sample(spenders, 8):
                change.carry_spend(one, Decimal(chance.randrange(10**6)) * PICO, "master")
            for one in chance.sample(spenders, 3):
                change.set_spend(one, Decimal(0), "master")

        while not stop.is_set():
            registry.change(work)
            changes += 1
        return changes

    with ThreadPoolExecutor(2) as threads:
        changing = threads.submit(change_all)
        _book_all(database_url, 0)
        stop.set()
        assert changing.result(20)

    found = sums(database)
    for account, balance in balances(database).items():
        assert balance.total_spend == found[account.kind, account.id]
    assert found["all", ""] == totals(database)["all", ""]["cost"]
    assert _deadlocks(database) == before


def test_a_booking_goes_on_where_its_connection_was_closed_meanwhile(database_url: str, database: Database) -> None:
    ledger = LedgerStore(database, lambda: NOW)
    ledger.book([posting("a")])
    if not database.is_sqlite:
        with database.statement() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            ).all()

    assert ledger.book([replace(posting("b"), ticket="b")])
    assert len(lines(database)) == 2


def test_a_statement_that_the_server_forgot_is_made_ready_again(postgresql_url: str) -> None:
    database = Database.at(postgresql_url)
    ledger = LedgerStore(database, lambda: NOW)
    ledger.book([posting("a")])
    with database.booking() as connection:
        connection.run("DEALLOCATE ALL")

    assert ledger.book([posting("b")])
    database.close()
