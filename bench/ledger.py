"""What a row of the ledger costs: one caller after the other, and 8, 32, 200 at once, on SQLite and PostgreSQL, with
tickets and without. `python -m bench.ledger`

In one worker as it runs in production, under gevent; nothing but callers that settle one call after the other.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402  # after gevent's patches, as in production
import tempfile  # noqa: E402  # the same
from collections.abc import Callable, Iterator  # noqa: E402  # the same
from contextlib import contextmanager  # noqa: E402  # the same
from dataclasses import dataclass  # noqa: E402  # the same
from datetime import UTC, datetime, timedelta  # noqa: E402  # the same
from decimal import Decimal  # noqa: E402  # the same
from functools import partial  # noqa: E402  # the same
from itertools import count  # noqa: E402  # the same
from pathlib import Path  # noqa: E402  # the same
from statistics import median  # noqa: E402  # the same
from time import perf_counter, process_time  # noqa: E402  # the same

import gevent  # noqa: E402  # the same

from app.core.ledger_entries import NO_WINDOW, Account, Charge, Entry, Posting  # noqa: E402  # the same
from app.core.tickets import Claim, Ticket  # noqa: E402  # the same
from app.core.usage import Usage  # noqa: E402  # the same
from app.store import gevent_driver  # noqa: E402  # the same
from app.store.database import Database  # noqa: E402  # the same
from app.store.identity import identity_of  # noqa: E402  # the same
from app.store.ledger import LedgerStore  # noqa: E402  # the same
from app.store.ledger_writer import LedgerWriter, Pace  # noqa: E402  # the same
from app.store.schema import Schema  # noqa: E402  # the same
from app.store.spool import Spool, address_of  # noqa: E402  # the same
from app.store.tickets import TicketStore  # noqa: E402  # the same
from tests.databases import private_postgres  # noqa: E402  # the same

_PATIENCE_SECONDS = 60.0
AT_ONCE = (1, 8, 32, 200)
_ACCOUNTS = (Account("key", "k1"), Account("team", "t1"))
_numbers = count()


@dataclass(frozen=True, slots=True)
class _Store:
    writer: LedgerWriter
    tickets: TicketStore


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of which the best CPU time and the middle wait are told")
    parser.add_argument("--rows", type=int, default=2000, help="a round")
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"])
    given = parser.parse_args()
    gevent_driver.patch()
    print("| where | what | callers at once | CPU, us a call | rows/s | p50, ms | p99, ms |")
    print("|---|---|---|---|---|---|---|")
    for name, source in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        if given.only in (None, name):
            with source() as store:
                for what, work in (("row", _row), ("ticket and row", _ticket_and_row)):
                    for callers in AT_ONCE:
                        _measure(f"{name} | {what}", partial(work, store), callers, given)


def _measure(name: str, work: Callable[[], None], callers: int, given: argparse.Namespace) -> None:
    each = max(3, given.rows // (callers if callers > 1 else 4))
    cpus, speeds, waits = [], [], []
    for round_number in range(given.rounds + 1):
        took: list[float] = []
        began, cpu = perf_counter(), process_time()
        gevent.joinall([gevent.spawn(_again, work, each, took) for _ in range(callers)], raise_error=True)
        cpu, wall = process_time() - cpu, perf_counter() - began
        if round_number:  # the first one warms up
            cpus.append(cpu / len(took) * 1e6)
            speeds.append(len(took) / wall)
            waits += took
    waits.sort()
    slowest = waits[len(waits) * 99 // 100]
    print(
        f"| {name} | {callers} | {min(cpus):.0f} | {median(speeds):.0f} | {median(waits) * 1000:.2f} "
        f"| {slowest * 1000:.2f} |",
        flush=True,
    )


def _again(work: Callable[[], None], times: int, took: list[float]) -> None:
    for _ in range(times):
        began = perf_counter()
        work()
        took.append(perf_counter() - began)


def _row(store: _Store) -> None:
    _settle(store, f"call-{next(_numbers)}", None)


def _ticket_and_row(store: _Store) -> None:
    name = f"call-{next(_numbers)}"
    claims = tuple(Claim(account, hold=Decimal("0.01"), budget=Decimal(10**6), rpm=10**9) for account in _ACCOUNTS)
    assert store.tickets.take(Ticket(name, datetime.now(UTC), claims, {"posting": "x" * 1500})) is None
    _settle(store, name, name)


def _settle(store: _Store, name: str, ticket: str | None) -> None:
    """As long as a real one."""
    now = datetime.now(UTC)
    entry = Entry(
        request_id=name,
        started_at=now - timedelta(seconds=1),
        ended_at=now,
        http_status=200,
        key_id="k1",
        key_token="0" * 64,
        key_alias="search",
        team_id="t1",
        team_alias="Search",
        service="bedrock-runtime",
        operation="Converse",
        model="us.amazon.nova-lite-v1:0",
        region="us-east-1",
        usage=Usage("reported", {"input": 1000, "output": 200}, "converse"),
        charge=Charge(
            Decimal("0.0000123"),
            "amazon.nova-lite-v1:0",
            "geo",
            "standard",
            {"input": Decimal("0.00000006"), "output": Decimal("0.00000024")},
            "2026-11-22/amazon.nova-lite-v1:0/geo",
        ),
        duration_ms=812.4,
        first_byte_ms=810.1,
        bytes_in=800,
        bytes_out=1200,
        address="127.0.0.1",
        aws_request_id="8a1f1d9c-22f5-4c4e-b1a4-9d6a1c9c9f0e",
    )
    booked = store.writer.settle(Posting(entry, tuple((account, NO_WINDOW) for account in _ACCOUNTS), ticket))
    assert booked.committed


@contextmanager
def _sqlite() -> Iterator[_Store]:
    with tempfile.TemporaryDirectory() as folder, _store(f"sqlite:///{folder}/outcrop.db", Path(folder)) as store:
        yield store


@contextmanager
def _postgresql() -> Iterator[_Store]:
    with private_postgres() as url, tempfile.TemporaryDirectory() as folder, _store(url, Path(folder)) as store:
        yield store


@contextmanager
def _store(url: str, folder: Path) -> Iterator[_Store]:
    database = Database.at(url)
    Schema(database).create()
    spool = Spool(folder, address_of(database.engine.url), lambda: datetime.now(UTC))
    # however busy the machine, nobody gives up waiting
    writer = LedgerWriter(
        LedgerStore(database), spool, identify=lambda: identity_of(database), pace=Pace(wait=_PATIENCE_SECONDS)
    )
    yield _Store(writer, TicketStore(database, "bench"))
    writer.close(10)
    database.close()


if __name__ == "__main__":
    main()
