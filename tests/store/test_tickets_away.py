"""Tickets while their database is away: refused at once, asked for again once a second, and nothing is lost of them."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event, Semaphore
from time import monotonic

import pytest
from sqlalchemy import text

from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Account
from app.core.tickets import Claim, Ticket
from app.store import tickets_sqlite
from app.store.batching import SILENCE_SECONDS
from app.store.database import Database
from app.store.driver import DriverConnection
from app.store.tickets import TicketStore
from tests.store.test_tickets import balance, tickets_left

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
CLAIM = Claim(Account("key", "k1"), hold=Decimal(1), budget=Decimal(10), parallel=3)


class FragileDatabase(Database):
    """One that can be away, lose its answer to a commit, or fall silent."""

    away = False
    loses_answers = False
    silent: Event | None = None
    asked = 0

    @contextmanager
    def admission(self) -> Iterator[DriverConnection]:
        """As its parent's, if it is there."""
        self.asked += 1
        if self.silent:
            self.silent.wait()
        if self.away:
            raise StoreUnavailable("away", reason="gone")
        with super().admission() as connection:
            yield connection
        if self.loses_answers:
            raise StoreUnavailable("away", reason="the connection broke")


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fragile(sqlite_url: str) -> Iterator[FragileDatabase]:
    """With the tables."""
    database = FragileDatabase.at(sqlite_url)
    assert isinstance(database, FragileDatabase)
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    """Of the store."""
    return Clock()


@pytest.fixture
def store(fragile: FragileDatabase, clock: Clock) -> TicketStore:
    """Of one worker."""
    return TicketStore(fragile, "worker-1", clock)


def ticket(name: str) -> Ticket:
    return Ticket(name, NOW, (CLAIM,))


def test_after_a_failure_nobody_asks_until_a_second_has_passed(
    store: TicketStore, fragile: FragileDatabase, clock: Clock
) -> None:
    fragile.away = True
    with pytest.raises(StoreUnavailable) as raised:
        store.take(ticket("first"))
    asked = fragile.asked

    clock.now += 0.99
    with pytest.raises(StoreUnavailable):
        store.take(ticket("second"))
    assert fragile.asked == asked

    fragile.away = False
    clock.now += 0.01
    assert store.take(ticket("third")) is None
    assert store.take(ticket("fourth")) is None
    assert raised.value.retry_after == 1


def test_what_cannot_be_given_back_is_given_back_later(
    store: TicketStore, fragile: FragileDatabase, clock: Clock
) -> None:
    store.take(ticket("one"))
    fragile.away = True
    store.give_back(ticket("one"))
    assert store.owed == 1

    fragile.away = False
    clock.now += 1
    assert store.take(ticket("two")) is None

    assert (balance(fragile)["held"], balance(fragile)["in_flight"]) == (1, 1)
    assert tickets_left(fragile) == 1
    assert store.owed == 0


def test_however_long_the_database_is_away_nothing_is_owed_of_what_it_was_not_asked_for(
    store: TicketStore, fragile: FragileDatabase, clock: Clock
) -> None:
    fragile.away = True
    for second in range(100):
        with pytest.raises(StoreUnavailable):
            store.take(ticket(f"probe-{second}"))
        clock.now += 1

    assert store.owed == 0


def test_a_ticket_that_was_given_without_a_word_is_given_back(
    store: TicketStore, fragile: FragileDatabase, clock: Clock
) -> None:
    store.take(ticket("one"))
    fragile.loses_answers = True
    with pytest.raises(StoreUnavailable):
        store.take(ticket("two"))
    assert tickets_left(fragile) == 2

    fragile.loses_answers = False
    clock.now += 1
    store.repay()
    _wait_until_nothing_is_owed(store)

    assert tickets_left(fragile) == 1
    assert balance(fragile)["in_flight"] == 1


def test_a_caller_waits_a_quarter_of_a_second_for_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        port = silent_server.getsockname()[1]
        database = Database.at(f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres")
        stores = [TicketStore(database, "worker-1") for _ in range(3)]
        twice = [(_seconds_until_refused(store), _seconds_until_refused(store)) for store in stores]
    first, then = zip(*twice, strict=True)

    # the best of three: the machine of a test has other work to do
    assert 0.95 * SILENCE_SECONDS <= min(first) < 0.25
    assert min(then) < 0.01


def test_a_ticket_that_nobody_waited_for_any_longer_is_given_back(sqlite_url: str) -> None:
    fragile = FragileDatabase.at(sqlite_url)
    assert isinstance(fragile, FragileDatabase)
    fragile.is_sqlite = False  # so that it is waited for as a server is
    store = TicketStore(fragile, "worker-1")
    store._sql = tickets_sqlite
    fragile.silent = Event()
    with pytest.raises(StoreUnavailable):
        store.take(ticket("one"))

    answers, fragile.silent = fragile.silent, None
    answers.set()
    _wait_until(lambda: fragile.asked > 0 and store.idle)

    assert (tickets_left(fragile), store.owed) == (0, 0)
    fragile.close()


def test_a_server_that_answers_others_is_not_away_while_they_have_all_connections(postgresql_url: str) -> None:
    database = Database.at(postgresql_url)
    store = TicketStore(database, "worker-1")
    assert store.take(ticket("first")) is None
    busy = Semaphore(0)

    def keep_busy() -> None:
        with database.statement() as connection:
            busy.release()
            for _ in range(5):
                connection.execute(text("SELECT pg_sleep(0.08)"))

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(keep_busy) for _ in range(2)]
        assert all(busy.acquire(timeout=5) for _ in range(2))
        began = monotonic()
        assert store.take(ticket("second")) is None
        waited = monotonic() - began
        for job in jobs:
            job.result(5)
    database.close()

    assert waited > SILENCE_SECONDS


def _seconds_until_refused(store: TicketStore) -> float:
    began = monotonic()
    with pytest.raises(StoreUnavailable):
        store.take(ticket("one"))
    return monotonic() - began


def _wait_until_nothing_is_owed(store: TicketStore) -> None:
    _wait_until(lambda: store.owed == 0)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + 5
    while not holds():
        assert monotonic() < deadline
        Event().wait(0.005)
