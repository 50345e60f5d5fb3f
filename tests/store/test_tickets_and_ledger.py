"""Tickets and bookings at once, from several processes: no budget is overspent, and nothing is left behind."""

import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event

from app.core.budget_windows import window
from app.core.ledger_entries import Account, Charge, Entry, Posting
from app.core.tickets import Claim, Ticket
from app.core.usage import Usage
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.tickets import TicketStore
from tests.databases import PATIENCE_SECONDS
from tests.store.test_tickets import balance, tickets_left

KEY, TEAM = Account("key", "k1"), Account("team", "t1")
NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
DAY = window("1d", NOW)


class Caller:
    """Makes calls that cost 1 USD and use 7 tokens, as one worker."""

    def __init__(self, database: Database, worker: str) -> None:
        self.tickets = TicketStore(database, worker, silence_seconds=PATIENCE_SECONDS)
        self.ledger = LedgerStore(database, lambda: NOW)
        self.worker = worker

    def call(self, number: int) -> str:
        """What became of it."""
        name = f"{self.worker}-{number}"
        claims = (Claim(KEY, DAY, Decimal(1), Decimal("10.5"), parallel=6), Claim(TEAM, rpm=1000))
        refusal = self.tickets.take(Ticket(name, NOW, claims))
        if refusal:
            return refusal.reason
        entry = Entry(name, NOW, NOW, usage=Usage("reported", {"input": 7}), charge=Charge(Decimal(1)))
        self.ledger.book([Posting(entry, ((KEY, DAY), (TEAM, window(None, NOW))), name)])
        return "served"


def _call_in_a_process(url: str, worker: str, begin: Event, results: "multiprocessing.Queue[object]") -> None:
    database = Database.at(url)
    caller = Caller(database, worker)
    begin.wait()
    with ThreadPoolExecutor(20) as pool:
        results.put(dict(Counter(pool.map(caller.call, range(60)))))
    database.close()


def test_a_budget_is_spent_to_the_last_call_that_it_pays_for_and_no_further(
    database_url: str, database: Database
) -> None:
    context = multiprocessing.get_context("fork")
    begin, results = context.Event(), context.Queue()
    workers = [
        context.Process(target=_call_in_a_process, args=(database_url, f"worker-{number}", begin, results))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    begin.set()
    outcomes: Counter[str] = Counter()
    for _ in workers:
        outcomes.update(results.get(timeout=30))
    for worker in workers:
        worker.join(10)
    last = Caller(database, "last")
    afterwards = Counter(last.call(number) for number in range(12))

    assert outcomes["served"] + afterwards["served"] == 10
    assert set(outcomes) <= {"served", "held", "parallel", "spent"}
    assert afterwards["spent"] == 12 - afterwards["served"]
    key, team = balance(database, KEY), balance(database, TEAM)
    assert (key["spend"], key["total_spend"], key["held"], key["in_flight"]) == (10, 10, 0, 0)
    assert (team["spend"], team["requests"], team["tokens"], team["in_flight"]) == (10, 10, 70, 0)
    assert tickets_left(database) == 0
