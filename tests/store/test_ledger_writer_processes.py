"""No call whose settling was seen is lost, however its worker or its database ends: with real ones of both."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import func, select

from app.store.database import Database
from app.store.money_rows import BALANCES, LEDGER
from app.store.schema import Schema
from tests.databases import private_postgres
from tests.fake_books import eventually
from tests.postings import posting
from tests.store.ledger_process import writer_on

ROOT = Path(__file__).resolve().parent.parent.parent
_WORKERS = 2
_THREADS = 8


class Worker:
    """A ledger_process, and what it said it settled."""

    def __init__(self, url: str, folder: Path, name: str) -> None:
        command = [sys.executable, "-m", "tests.store.ledger_process", url, str(folder), name, str(_THREADS)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.settled: dict[str, bool] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        """SIGKILL: it cleans up nothing."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    request_id, committed = line.decode().split()
                    self.settled[request_id] = committed == "True"


def booked(database: Database) -> tuple[set[str], Decimal, Decimal]:
    """The ledger's request ids, the sum of their costs, and what the key has spent in all."""
    with database.snapshot() as connection:
        ids = set(connection.execute(select(LEDGER.c.request_id)).scalars())
        total = connection.execute(select(func.sum(LEDGER.c.cost))).scalar_one()
        of_key = select(BALANCES.c.total_spend).where(BALANCES.c.kind == "key", BALANCES.c.id == "key-1")
        return ids, Decimal(total), connection.execute(of_key).scalar_one()


@contextmanager
def working(workers: list[Worker]) -> Iterator[None]:
    """They are killed at the end, if not before."""
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()


def test_killing_workers_at_any_moment_loses_no_call_that_was_settled(database_url: str, tmp_path: Path) -> None:
    workers = [Worker(database_url, tmp_path / "spool", f"w{number}") for number in range(_WORKERS)]
    with working(workers):
        for worker in workers:
            enough = random.randrange(500)
            eventually(lambda: len(worker.settled) > enough, 20)  # noqa: B023  # called at once
            worker.kill()
    settled = {request_id for worker in workers for request_id in worker.settled}
    writer, database = writer_on(database_url, tmp_path / "spool")
    recovered = writer.recover(20)
    writer.close(5)
    ids, costs, spent = booked(database)
    database.close()

    assert recovered
    assert len(settled) > 0
    assert settled - ids == set()
    assert costs == spent
    assert list((tmp_path / "spool").glob("*.spool")) == []


def _processes_of(postmaster: int) -> list[int]:
    """A server's, itself first."""
    found = [postmaster]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == postmaster:
            found.append(int(path.parent.name))
    return found


@contextmanager
def frozen(postmaster: int) -> Iterator[None]:
    """The server holds its connections, takes new ones, and says nothing."""
    stopped = _processes_of(postmaster)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for the server's processes in /proc")
def test_a_database_that_freezes_holds_a_call_up_for_a_quarter_of_a_second_and_loses_none(tmp_path: Path) -> None:
    """Workers are killed while it is frozen, too."""
    with private_postgres() as server:
        url = server.replace("postgresql://", "postgresql+psycopg2://")
        database = Database.at(url)
        Schema(database).create()
        postmaster = _postmaster_of(database)
        writer, own = writer_on(url, tmp_path / "spool")
        assert writer.settle(posting("before")).committed
        worker = Worker(url, tmp_path / "spool", "w")
        with working([worker]):
            eventually(lambda: worker.settled, 20)
            with frozen(postmaster):
                began = monotonic()
                results = [writer.settle(posting(f"frozen-{n}")).committed for n in range(20)]
                took = monotonic() - began
                eventually(lambda: not all(worker.settled.values()), 20)
                worker.kill()
        recovered = writer.recover(30)
        ids, costs, spent = booked(database)
        for one in (own, database):
            one.close()
        writer.close(5)

    assert not any(results)
    assert took < 2
    assert recovered
    assert {"before", *(f"frozen-{n}" for n in range(20)), *worker.settled} - ids == set()
    assert costs == spent


def _postmaster_of(database: Database) -> int:
    """The parent of the process that serves a connection."""
    with database.statement() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
