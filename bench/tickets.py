"""What a ticket costs: alone, and with 200 callers waiting, on SQLite, PostgreSQL and Redis. `python -m bench.tickets`

In one worker as it runs in production, under gevent. The key has a budget (Redis: rates), and its team too.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402  # after gevent's patches, as in production
import tempfile  # noqa: E402  # the same
from collections.abc import Callable, Iterator  # noqa: E402  # the same
from contextlib import contextmanager  # noqa: E402  # the same
from datetime import UTC, datetime  # noqa: E402  # the same
from decimal import Decimal  # noqa: E402  # the same
from itertools import count  # noqa: E402  # the same
from time import perf_counter, process_time  # noqa: E402  # the same

import gevent  # noqa: E402  # the same

from app.core.ledger_entries import Account  # noqa: E402  # the same
from app.core.tickets import Claim, Refusal, Ticket  # noqa: E402  # the same
from app.store import gevent_driver  # noqa: E402  # the same
from app.store.database import Database  # noqa: E402  # the same
from app.store.redis_counters import RedisCounters  # noqa: E402  # the same
from app.store.schema import Schema  # noqa: E402  # the same
from app.store.tickets import TicketStore  # noqa: E402  # the same
from tests.databases import private_postgres  # noqa: E402  # the same
from tests.redis_server import RedisServer  # noqa: E402  # the same

Take = Callable[[Ticket], Refusal | None]
WAITING = 200
_CALL = {"posting": "x" * 1500}  # about as long as a real one
_numbers = count()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of 200 tickets each")
    rounds: int = parser.parse_args().rounds
    gevent_driver.patch()
    print("| where | alone, ms each | 200 waiting, ms each | 200 waiting, the last one, ms | CPU, ms each |")
    print("|---|---|---|---|---|")
    for name, source in (("SQLite", _sqlite()), ("PostgreSQL", _postgresql()), ("Redis", _redis())):
        with source as take:
            _measure(name, take, rounds)


def _measure(name: str, take: Take, rounds: int) -> None:
    for _ in range(20):
        take(_ticket())
    began = perf_counter()
    for _ in range(WAITING):
        take(_ticket())
    alone = (perf_counter() - began) / WAITING * 1000
    together, cpu = [], process_time()
    for _ in range(rounds):
        began = perf_counter()
        refused = [job.get() for job in gevent.joinall([gevent.spawn(take, _ticket()) for _ in range(WAITING)])]
        assert refused == [None] * WAITING
        together.append((perf_counter() - began) * 1000)
    cpu = (process_time() - cpu) / rounds / WAITING * 1000
    middle = sorted(together)[rounds // 2]
    print(f"| {name} | {alone:.2f} | {middle / WAITING:.3f} | {middle:.0f} | {cpu:.3f} |")


def _ticket() -> Ticket:
    claims = (
        Claim(Account("key", "k1"), hold=Decimal("0.01"), budget=Decimal(1_000_000), rpm=10**9, parallel=10**9),
        Claim(Account("team", "t1"), hold=Decimal("0.01"), budget=Decimal(1_000_000), tpm=10**9),
    )
    return Ticket(f"call-{next(_numbers)}", datetime.now(UTC), claims, _CALL)


@contextmanager
def _sqlite() -> Iterator[Take]:
    with tempfile.TemporaryDirectory() as folder, _database(f"sqlite:///{folder}/outcrop.db") as take:
        yield take


@contextmanager
def _postgresql() -> Iterator[Take]:
    with private_postgres() as url, _database(url) as take:
        yield take


@contextmanager
def _database(url: str) -> Iterator[Take]:
    database = Database.at(url)
    Schema(database).create()
    yield TicketStore(database, "bench").take
    database.close()


@contextmanager
def _redis() -> Iterator[Take]:
    with RedisServer() as server:
        counters = RedisCounters(server.url)
        yield counters.take
        counters.close()


if __name__ == "__main__":
    main()
