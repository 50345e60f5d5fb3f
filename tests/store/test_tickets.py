"""Tickets on both databases: exact however many ask at once, all or nothing, and undone when they must be."""

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import func, select

from app.core.ledger_entries import Account, Window
from app.core.tickets import Claim, Refusal, Ticket
from app.store.database import Database
from app.store.money_rows import BALANCES, TICKETS
from app.store.tickets import TicketStore
from tests.databases import PATIENCE_SECONDS

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
KEY, TEAM = Account("key", "k1"), Account("team", "t1")
DAY = Window("1d", datetime(2026, 11, 26, tzinfo=UTC))
_numbers = count()


def ticket(*claims: Claim, at: datetime = NOW) -> Ticket:
    return Ticket(f"call-{next(_numbers)}", at, tuple(sorted(claims, key=lambda claim: claim.account)), {})


def budget(usd: str, hold: str = "1", account: Account = KEY) -> Claim:
    return Claim(account, DAY, Decimal(hold), Decimal(usd))


def reason(refusal: Refusal | None) -> str | None:
    return refusal.reason if refusal else None


def balance(database: Database, account: Account = KEY) -> dict[str, object]:
    with database.statement() as connection:
        query = select(BALANCES).where(BALANCES.c.kind == account.kind, BALANCES.c.id == account.id)
        return dict(connection.execute(query).mappings().one())


def tickets_left(database: Database) -> int:
    with database.statement() as connection:
        return connection.scalar(select(func.count()).select_from(TICKETS)) or 0


@pytest.fixture
def store(database: Database) -> TicketStore:
    """Of one worker."""
    return TicketStore(database, "worker-1", silence_seconds=PATIENCE_SECONDS)


def at_once(work: Callable[[], str | None], times: int) -> Counter[str | None]:
    with ThreadPoolExecutor(32) as pool:
        return Counter(pool.map(lambda _: work(), range(times)))


def test_a_ticket_holds_what_the_call_may_cost(store: TicketStore, database: Database) -> None:
    assert store.take(ticket(budget("10", "1.5"))) is None

    row = balance(database)
    assert (row["held"], row["in_flight"], row["requests"]) == (Decimal("1.5"), 1, 1)
    assert (row["duration"], row["resets_at"]) == ("1d", DAY.resets_at)
    assert tickets_left(database) == 1


def test_a_refusal_says_which_claim_found_no_room_and_takes_nothing(store: TicketStore, database: Database) -> None:
    assert store.take(ticket(budget("10"), Claim(TEAM, rpm=1))) is None

    refusal = store.take(ticket(budget("10"), Claim(TEAM, rpm=1)))

    assert refusal
    assert (refusal.reason, refusal.claim.account, refusal.balance.requests) == ("rpm", TEAM, 1)
    assert balance(database)["held"] == 1
    assert tickets_left(database) == 1


def test_exactly_as_many_pass_at_once_as_a_budget_pays_for(store: TicketStore, database: Database) -> None:
    outcomes = at_once(lambda: reason(store.take(ticket(budget("10.5")))), 200)

    assert outcomes == {None: 10, "held": 190}
    assert balance(database)["held"] == 10
    assert tickets_left(database) == 10


@pytest.mark.parametrize(("claim", "refused"), [(Claim(KEY, rpm=7), "rpm"), (Claim(KEY, parallel=7), "parallel")])
def test_exactly_as_many_pass_at_once_as_a_limit_lets(store: TicketStore, claim: Claim, refused: str) -> None:
    outcomes = at_once(lambda: reason(store.take(ticket(claim))), 100)

    assert outcomes == {None: 7, refused: 93}


def test_what_is_given_back_was_never_asked_for(store: TicketStore, database: Database) -> None:
    taken = ticket(budget("1"), Claim(TEAM, rpm=1, parallel=1))
    assert store.take(taken) is None

    store.give_back(taken)
    store.give_back(taken)

    for account in (KEY, TEAM):
        row = balance(database, account)
        assert (row["held"], row["in_flight"], row["requests"]) == (0, 0, 0)
    assert tickets_left(database) == 0
    assert store.take(replace(taken, id="again")) is None


def test_what_was_never_taken_gives_nothing_back(store: TicketStore, database: Database) -> None:
    assert store.take(ticket(budget("10"))) is None

    store.give_back(ticket(budget("10")))

    assert balance(database)["held"] == 1


def test_a_budget_begins_anew_with_its_window_while_holds_stay(store: TicketStore, database: Database) -> None:
    assert store.take(ticket(budget("10"))) is None
    with database.change() as connection:
        connection.execute(BALANCES.update().values(spend=Decimal(10), total_spend=Decimal(10)))
    assert reason(store.take(ticket(budget("10")))) == "spent"

    tomorrow = replace(budget("10"), window=Window("1d", datetime(2026, 11, 27, tzinfo=UTC)))
    assert store.take(ticket(tomorrow, at=datetime(2026, 11, 26, tzinfo=UTC))) is None

    row = balance(database)
    assert (row["spend"], row["total_spend"], row["held"]) == (0, 10, 2)


def test_the_next_minute_has_its_own_requests(store: TicketStore) -> None:
    claim = Claim(KEY, rpm=1)
    end = NOW + timedelta(seconds=30)

    assert store.take(ticket(claim)) is None
    assert reason(store.take(ticket(claim, at=end - timedelta(microseconds=1)))) == "rpm"
    assert store.take(ticket(claim, at=end)) is None


def test_many_accounts_at_once_do_not_wait_for_each_other_for_ever(store: TicketStore, database: Database) -> None:
    names = [Account("key", f"k{number}") for number in range(30)]
    numbers = count()

    def take() -> str | None:
        number = next(numbers)
        own = [Claim(names[number % 30], rpm=1000), Claim(names[(number * 7 + 1) % 30 - 30], rpm=1000)]
        return reason(store.take(ticket(*{claim.account: claim for claim in own}.values(), Claim(TEAM, rpm=150))))

    assert at_once(take, 200) == {None: 150, "rpm": 50}
    assert balance(database, TEAM)["in_flight"] == 150


def _take_in_a_process(url: str, worker: str, begin: threading.Event, results: "multiprocessing.Queue[object]") -> None:
    database = Database.at(url)
    store = TicketStore(database, worker, silence_seconds=PATIENCE_SECONDS)
    numbers = count()
    begin.wait()
    claims = (budget("30.5"), Claim(TEAM, parallel=40, rpm=40))

    def take() -> str | None:
        return reason(store.take(Ticket(f"{worker}-{next(numbers)}", NOW, claims, {})))

    results.put(dict(at_once(take, 50)))
    database.close()


def test_four_processes_never_take_more_than_there_is(database_url: str, database: Database) -> None:
    context = multiprocessing.get_context("fork")
    begin, results = context.Event(), context.Queue()
    workers = [
        context.Process(target=_take_in_a_process, args=(database_url, f"worker-{number}", begin, results))
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    begin.set()
    outcomes: Counter[object] = Counter()
    for _ in workers:
        outcomes.update(results.get(timeout=30))
    for worker in workers:
        worker.join(10)

    assert outcomes == {None: 30, "held": 170}
    assert balance(database)["held"] == 30
    assert balance(database, TEAM)["in_flight"] == 30
    assert tickets_left(database) == 30
