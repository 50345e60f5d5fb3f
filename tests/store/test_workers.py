"""Workers that die: others end what they left, once, and only when they are really gone."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import func, select, update

from app.core.errors import StoreUnavailable
from app.core.killed_calls import call_of
from app.core.ledger_entries import Account, Entry, Posting, Window
from app.core.tickets import Claim, Ticket
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.money_rows import LEDGER, TICKETS, WORKERS
from app.store.tickets import TicketStore
from app.store.workers import Heartbeat, Pulse
from tests.store.test_tickets import balance, tickets_left

KEY = Account("key", "k1")
DAY = Window("1d", datetime.now(UTC) + timedelta(days=1))
QUICK = Pulse(beat_seconds=0.02, silent_seconds=0.4)


def ticket(name: str) -> Ticket:
    now = datetime.now(UTC)
    entry = Entry(request_id=name, started_at=now, ended_at=now, key_id="k1", key_alias="ci", operation="Converse")
    claim = Claim(KEY, DAY, Decimal(1), Decimal(100), parallel=50)
    return Ticket(name, now, (claim,), call_of(Posting(entry, ((KEY, DAY),), name)))


def heartbeat(
    database: Database,
    name: str,
    pulse: Pulse = QUICK,
    adopt_spool: Callable[[str], None] = lambda _: None,
    also: tuple[Callable[[], None], ...] = (),
) -> Heartbeat:
    return Heartbeat(
        database, name, host="here", books=LedgerStore(database), adopt_spool=adopt_spool, also=also, pulse=pulse
    )


def workers(database: Database) -> set[str]:
    with database.statement() as connection:
        return set(connection.scalars(select(WORKERS.c.id)))


def _beat_until(holds: Callable[[], bool], *hearts: Heartbeat) -> None:
    deadline = monotonic() + 10
    while not holds():
        assert monotonic() < deadline
        for heart in hearts:
            heart.beat()
        Event().wait(0.02)


def _take_and_hang(url: str, taken: Event) -> None:
    database = Database.at(url)
    heartbeat(database, "dying").beat()
    store = TicketStore(database, "dying")
    for number in range(3):
        assert store.take(ticket(f"call-{number}")) is None
    taken.set()
    signal.pause()


def test_calls_of_a_worker_that_was_killed_are_ended_and_booked_as_such(database_url: str, database: Database) -> None:
    context = multiprocessing.get_context("fork")
    taken = context.Event()
    dying = context.Process(target=_take_and_hang, args=(database_url, taken))
    dying.start()
    assert taken.wait(10)
    assert balance(database)["in_flight"] == 3
    assert dying.pid
    os.kill(dying.pid, signal.SIGKILL)
    dying.join(10)
    adopted: list[str] = []

    _beat_until(lambda: workers(database) == {"living"}, heartbeat(database, "living", adopt_spool=adopted.append))

    row = balance(database)
    assert (row["held"], row["in_flight"], row["spend"]) == (0, 0, 0)
    assert tickets_left(database) == 0
    assert adopted == ["dying"]
    with database.statement() as connection:
        booked = connection.execute(select(LEDGER).order_by(LEDGER.c.request_id)).all()
    assert [row.request_id for row in booked] == ["call-0", "call-1", "call-2"]
    assert {(row.ended, row.status, row.usage_source, row.cost, row.key_alias) for row in booked} == {
        ("gateway_killed", "failure", "unknown", None, "ci")
    }


def test_a_worker_that_lives_is_left_alone_by_others(database: Database) -> None:
    quiet, watching = heartbeat(database, "quiet"), heartbeat(database, "watching")
    TicketStore(database, "quiet").take(ticket("call"))
    until = monotonic() + 2 * QUICK.silent_seconds

    _beat_until(lambda: monotonic() > until, quiet, watching)

    assert workers(database) == {"quiet", "watching"}
    assert tickets_left(database) == 1


def test_two_who_notice_a_death_book_it_once(database: Database) -> None:
    heartbeat(database, "dead").beat()
    TicketStore(database, "dead").take(ticket("call"))
    adopted: list[str] = []
    living = [heartbeat(database, name, adopt_spool=adopted.append) for name in ("a", "b")]

    _beat_until(lambda: workers(database) == {"a", "b"}, *living)

    assert adopted == ["dead"]
    assert balance(database)["in_flight"] == 0


def test_who_was_away_itself_buries_nobody_before_others_had_the_time_to_come_back(database: Database) -> None:
    waking, other = heartbeat(database, "waking", Pulse(5, 20)), heartbeat(database, "other", Pulse(5, 20))
    other.beat()
    TicketStore(database, "other").take(ticket("call"))
    waking.beat()
    with database.change() as connection:
        connection.execute(update(WORKERS).values(heard_at=datetime.now(UTC) - timedelta(minutes=5)))

    waking.beat()

    assert workers(database) == {"waking", "other"}
    assert tickets_left(database) == 1


def test_a_worker_that_died_before_it_said_anything_is_missed_all_the_same(database: Database) -> None:
    TicketStore(database, "unknown").take(ticket("call"))

    _beat_until(lambda: tickets_left(database) == 0, heartbeat(database, "living"))

    assert balance(database)["held"] == 0


def test_a_ticket_that_tells_nothing_of_its_call_is_ended_too(database: Database) -> None:
    TicketStore(database, "dead").take(Ticket("call", datetime.now(UTC), (Claim(KEY, parallel=1),), {"posting": "?"}))

    _beat_until(lambda: tickets_left(database) == 0, heartbeat(database, "living"))

    assert balance(database)["in_flight"] == 0
    with database.statement() as connection:
        assert connection.scalar(select(func.count()).select_from(LEDGER)) == 1


def test_a_worker_that_ends_is_forgotten_once_it_has_no_tickets(database: Database) -> None:
    store, heart = TicketStore(database, "worker"), heartbeat(database, "worker")
    heart.beat()
    taken = ticket("call")
    store.take(taken)

    heart.leave()
    assert workers(database) == {"worker"}
    store.give_back(taken)
    heart.leave()
    assert workers(database) == set()


def test_leases_are_renewed_while_the_database_is_away() -> None:
    database = Database.at("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    renewed: list[bool] = []
    heart = heartbeat(database, "worker", also=(lambda: renewed.append(True),))

    assert heart.beat() == 1.0
    assert renewed == [True]


def test_a_spool_that_cannot_be_booked_yet_keeps_its_worker_from_being_buried(database: Database) -> None:
    TicketStore(database, "dead").take(ticket("call"))
    heartbeat(database, "dead").beat()
    asked: list[str] = []

    def adopt(name: str) -> None:
        asked.append(name)
        if len(asked) < 3:
            raise StoreUnavailable("away")
        assert tickets_left(database) == 1

    _beat_until(lambda: workers(database) == {"living"}, heartbeat(database, "living", adopt_spool=adopt))

    assert asked == ["dead"] * 3
    assert tickets_left(database) == 0


@pytest.mark.parametrize("tickets", [1, 450])
def test_however_many_calls_it_had_all_are_ended(database: Database, tickets: int) -> None:
    database_rows = [
        {
            "id": f"call-{number}",
            "worker": "dead",
            "taken_at": datetime.now(UTC),
            "minute": 0,
            "claims": [["key", "k1", 10**12]],
            "call": {},
        }
        for number in range(tickets)
    ]
    with database.change() as connection:
        connection.execute(TICKETS.insert(), database_rows)

    living = heartbeat(database, "living")
    _beat_until(lambda: tickets_left(database) == 0, living)

    _beat_until(lambda: workers(database) == {"living"}, living)
