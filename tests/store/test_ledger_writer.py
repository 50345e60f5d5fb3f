"""`settle` returns once a call is booked, or kept where it will be booked from, whatever happens meanwhile."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from app.core.ledger_entries import Booked
from app.core.posting_json import bears_seal, posting_of
from app.store.ledger_writer import LedgerWriter, Pace
from app.store.spool import Spool
from tests.fake_books import FakeBooks, eventually
from tests.postings import CENT, NOW, posting
from tests.store.test_spool import disk_full_at

LATER = Booked(committed=False)
QUICK = Pace(wait=0.05, probe=0.02, look=0.05)
# for tests in which nobody is to give up waiting, however busy the machine
PATIENT = Pace(wait=10, probe=0.02, look=0.05)
WriterMaker = Callable[..., LedgerWriter]


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


@pytest.fixture
def told() -> list[str]:
    """What was written to the log as it is."""
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def make(books: FakeBooks, folder: Path, told: list[str]) -> Iterator[WriterMaker]:
    made: list[LedgerWriter] = []

    def make(pace: Pace = QUICK, **more: Any) -> LedgerWriter:
        spool = Spool(folder, "here", lambda: NOW)
        made.append(
            LedgerWriter(books, spool, identify=books.identity, pace=pace, tell=told.append, now=lambda: NOW, **more)
        )
        return made[-1]

    yield make
    books.thaw()
    for writer in made:
        writer.close(10)


def spooled(folder: Path) -> list[str]:
    """The request ids that stand in the files of the spool."""
    lines = [line for path in sorted(folder.glob("*.spool")) for line in path.read_text().splitlines()[1:]]
    return [posting_of(line).entry.request_id for line in lines]


def settle_at_once(writer: LedgerWriter, names: list[str]) -> dict[str, Booked]:
    """Each in a thread of its own."""
    results: dict[str, Booked] = {}
    threads = [
        threading.Thread(target=lambda name=name: results.update({name: writer.settle(posting(name))}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def test_a_call_is_settled_once_it_is_committed_and_hears_what_its_key_spent(
    make: WriterMaker, books: FakeBooks
) -> None:
    writer = make(PATIENT)

    accounts = [account for account, _ in posting("r-1").accounts]
    for number in (1, 2):
        spends = dict.fromkeys(accounts, number * CENT)
        assert writer.settle(posting(f"r-{number}")) == Booked(True, number * CENT, spends)
    assert list(books.rows) == ["r-1", "r-2"]


def test_nothing_runs_before_the_first_call(make: WriterMaker, books: FakeBooks) -> None:
    writer = make()

    assert (writer._thread, books.asked) == (None, 0)


def test_all_that_came_while_one_was_committed_are_the_next_batch(make: WriterMaker, books: FakeBooks) -> None:
    writer = make(PATIENT)
    writer.settle(posting("first"))
    books.freeze()
    held_up = threading.Thread(target=writer.settle, args=(posting("second"),))
    held_up.start()
    eventually(lambda: len(books.batches) == 2)
    rest = threading.Thread(target=settle_at_once, args=(writer, [f"r-{n}" for n in range(30)]))
    rest.start()
    eventually(lambda: writer.status().queued == 30)
    books.thaw()
    rest.join(20)
    held_up.join(20)

    assert books.batches == [1, 1, 30]
    assert len(books.rows) == 32


def test_who_waits_too_long_goes_on_once_the_call_is_on_the_disk(
    make: WriterMaker, books: FakeBooks, folder: Path
) -> None:
    writer = make(Pace(wait=0.2, probe=0.02, look=60))
    writer.settle(posting("first"))
    books.freeze()
    began = monotonic()
    result = writer.settle(posting("slow"))

    assert result == LATER
    assert monotonic() - began >= 0.2
    assert spooled(folder) == ["slow"]


def test_nobody_waits_behind_one_who_waits_too_long_already(make: WriterMaker, books: FakeBooks, folder: Path) -> None:
    writer = make(Pace(wait=0.2, probe=0.02, look=60))
    writer.settle(posting("first"))
    books.freeze()
    writer.settle(posting("slow"))
    began = monotonic()
    for n in range(10):
        assert writer.settle(posting(f"r-{n}")) == LATER
    took = monotonic() - began
    books.thaw()

    assert took < 10 * 0.2
    eventually(lambda: len(books.rows) == 12 and not list(folder.glob("*.spool")))


def test_a_call_that_is_both_on_the_disk_and_committed_is_booked_once(make: WriterMaker, books: FakeBooks) -> None:
    writer = make()
    writer.settle(posting("first"))
    books.freeze()
    writer.settle(posting("twice"))
    books.thaw()

    eventually(lambda: sum(books.batches) >= 3 and not writer.status().spooled)
    assert list(books.rows) == ["first", "twice"]


def test_while_the_database_is_away_calls_go_to_the_disk_and_nothing_stays_in_memory(
    make: WriterMaker, books: FakeBooks, folder: Path
) -> None:
    writer = make(Pace(wait=10, probe=10, look=10))
    writer.settle(posting("first"))
    books.away = True
    asked = len(books.batches)
    results = settle_at_once(writer, [f"r-{n}" for n in range(40)])
    status = writer.status()

    assert all(result == LATER for result in results.values())
    assert sorted(spooled(folder)) == sorted(results)
    assert len(books.batches) == asked + 1, "only the first was tried"
    assert (status.queued, status.spooled, status.kept) == (0, 40, 0)
    assert status.away_since == status.oldest == NOW


def test_when_the_database_is_back_what_was_kept_is_booked_and_calls_are_committed_again(
    make: WriterMaker, books: FakeBooks, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make(PATIENT)
    books.away = True
    with caplog.at_level(logging.INFO, logger="app"):
        settle_at_once(writer, [f"r-{n}" for n in range(700)])
        books.away = False
        eventually(lambda: writer.status().away_since is None)
        assert writer.settle(posting("last")).committed
        eventually(lambda: not list(folder.glob("*.spool")))

    assert len(books.rows) == 701
    assert max(books.batches) <= 500
    assert caplog.text.count("calls are kept on disk") == 1
    assert "connection refused" in caplog.text
    assert caplog.text.count("takes calls again") == 1


def test_a_database_that_is_away_at_the_start_is_met_when_it_answers(make: WriterMaker, books: FakeBooks) -> None:
    books.away = True
    writer = make(PATIENT)
    assert writer.settle(posting("r-1")) == LATER
    books.away = False

    eventually(lambda: "r-1" in books.rows)
    assert writer.settle(posting("r-2")).committed


def test_what_a_worker_left_behind_is_booked_by_the_next_that_starts(make: WriterMaker, books: FakeBooks) -> None:
    books.away = True
    one = make()
    one.settle(posting("left"))
    one.close(5)
    books.away = False
    make(PATIENT).start()

    eventually(lambda: "left" in books.rows)


def test_what_a_worker_leaves_behind_is_booked_by_one_that_runs_when_asked(make: WriterMaker, books: FakeBooks) -> None:
    other = make(Pace(wait=10, probe=10, look=600))
    other.settle(posting("r-1"))
    left = Spool(other._spool._folder, "here", lambda: NOW)
    one = LedgerWriter(books, left, identify=books.identity, pace=QUICK)
    books.away = True
    one.settle(posting("left"))
    one.close(5)
    books.away = False

    assert other.recover(10)
    assert set(books.rows) == {"r-1", "left"}
    assert other.recover(10), "nothing is left"


def test_asking_for_what_is_left_is_answered_no_while_the_database_is_away(make: WriterMaker, books: FakeBooks) -> None:
    books.away = True

    assert not make().recover(0.1)


def test_a_call_that_the_database_does_not_take_stops_no_other(
    make: WriterMaker, books: FakeBooks, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    books.refused = {"bad-1", "bad-2"}
    books.away = True
    writer = make(PATIENT)
    settle_at_once(writer, [*(f"r-{n}" for n in range(60)), "bad-1", "bad-2"])
    books.away = False
    eventually(lambda: not writer.status().spooled and writer.status().rejected == 2)
    assert writer.settle(posting("bad-1", note={"said": "hush"})) == LATER

    [rejected] = folder.glob("*.rejected")
    assert sorted(posting_of(line).entry.request_id for line in rejected.read_text().splitlines()[1:]) == [
        "bad-1",
        "bad-1",
        "bad-2",
    ]
    assert len(books.rows) == 60
    assert "call bad-1 is not booked (A value cannot be stored: 1.)" in caplog.text
    assert "hush" not in caplog.text


def test_a_record_that_is_no_posting_stops_no_other(make: WriterMaker, books: FakeBooks, folder: Path) -> None:
    left = Spool(folder, "here", lambda: NOW)
    left.append([b'{"event":"posting","version":1}'])
    left.release()
    writer = make(PATIENT)
    writer.start()

    eventually(lambda: writer.status().rejected == 1)
    assert writer.settle(posting("r-1")).committed


def test_a_full_disk_too_loses_nothing_while_the_process_lives(
    make: WriterMaker, books: FakeBooks, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    books.away = True
    writer = make(PATIENT)
    with disk_full_at(10):
        results = settle_at_once(writer, [f"r-{n}" for n in range(20)])
    assert all(result == LATER for result in results.values())
    assert writer.status().kept == 20
    assert sorted(posting_of(line).entry.request_id for line in told) == sorted(results)
    assert caplog.text.count("stand in this log as JSON") == 1
    books.away = False

    eventually(lambda: len(books.rows) == 20)
    assert writer.status().kept == 0


def test_a_call_that_no_line_can_say_is_told_and_harms_no_other(
    make: WriterMaker, books: FakeBooks, caplog: pytest.LogCaptureFixture
) -> None:
    books.away = True
    writer = make(PATIENT)

    assert writer.settle(posting("odd", duration_ms=float("nan"))) == LATER
    assert writer.settle(posting("r-1")) == LATER
    assert "call odd cannot be kept" in caplog.text
    books.away = False
    eventually(lambda: "r-1" in books.rows)


def test_an_error_nobody_foresaw_loses_nothing_and_the_next_call_starts_anew(
    make: WriterMaker, books: FakeBooks, folder: Path
) -> None:
    writer = make()
    writer.settle(posting("first"))
    thread = writer._thread
    assert thread
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        books.fault = KeyboardInterrupt()
        assert writer.settle(posting("unlucky")) == LATER
        thread.join(10)
    finally:
        threading.excepthook = hook
    assert spooled(folder) == ["unlucky"]
    books.fault = None

    writer.settle(posting("last"))
    eventually(lambda: set(books.rows) == {"first", "unlucky", "last"})


def test_closing_books_what_is_kept_and_leaves_nothing(make: WriterMaker, books: FakeBooks, folder: Path) -> None:
    writer = make(Pace(wait=0.05, probe=0.02, look=60))
    writer.settle(posting("first"))
    books.freeze()
    settle_at_once(writer, [f"r-{n}" for n in range(20)])
    books.thaw()
    writer.close(10)

    assert len(books.rows) == 21
    assert spooled(folder) == []


def test_closing_while_the_database_hangs_takes_no_longer_than_it_may(
    make: WriterMaker, books: FakeBooks, folder: Path
) -> None:
    writer = make(Pace(wait=10, probe=0.02, look=60))
    writer.settle(posting("first"))
    books.freeze()
    waiting = threading.Thread(target=writer.settle, args=(posting("waits"),))
    waiting.start()
    eventually(lambda: len(books.batches) == 2)
    began = monotonic()
    writer.close(0.1)
    waiting.join(10)

    assert monotonic() - began < 5
    assert spooled(folder) == ["waits"]


def test_what_is_left_at_the_end_is_told_where_the_disk_goes_too(
    make: WriterMaker, books: FakeBooks, told: list[str]
) -> None:
    books.away = True
    writer = make(PATIENT, disk_is_lost=True)
    settle_at_once(writer, [f"r-{n}" for n in range(5)])
    assert told == []
    writer.close(5)
    assert writer.settle(posting("after")) == LATER

    assert [json.loads(line)["event"] for line in told] == ["posting"] * 6
    ids = [posting_of(line).entry.request_id for line in told]
    assert (sorted(ids[:5]), ids[5]) == ([f"r-{n}" for n in range(5)], "after")


def test_what_is_told_bears_the_seal_of_the_database_that_it_is_for(
    make: WriterMaker, books: FakeBooks, told: list[str]
) -> None:
    writer = make(PATIENT, disk_is_lost=True)
    assert writer.settle(posting("booked")).committed
    books.away = True
    assert writer.settle(posting("told")) == LATER
    writer.close(5)

    assert [bears_seal(line, books.name) for line in told] == [True]
    assert not bears_seal(told[0], "another")


def test_a_call_that_ends_after_the_close_is_kept(make: WriterMaker, books: FakeBooks, folder: Path) -> None:
    writer = make()
    writer.close(5)
    writer.close(5)

    assert writer.settle(posting("late")) == LATER
    assert spooled(folder) == ["late"]
