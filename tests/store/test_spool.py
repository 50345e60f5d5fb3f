"""What is appended to the spool is read again by whoever may, once its owner has gone."""

import logging
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # the package ships no types
import pytest
from sqlalchemy import make_url

from app.store.spool import Spool, _Waiting, address_of
from app.store.spool_file import SpoolFailed, SpoolFile
from app.store.spool_format import LONGEST_RECORD, frame
from tests.fake_books import eventually
from tests.postings import NOW

ROOT = Path(__file__).resolve().parent.parent.parent
SpoolMaker = Callable[..., Spool]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[SpoolMaker]:
    """Workers' spools: all in one folder, for the same database unless they say otherwise."""
    made: list[Spool] = []

    def make(identity: str | None = "name", address: str = "here", **more: Any) -> Spool:
        made.append(Spool(folder, address, lambda: NOW, **more))
        made[-1].know(identity)
        return made[-1]

    yield make
    for one in made:
        one.release()


def left_behind(worker: Spool, *records: bytes) -> None:
    """The worker appends, and ends."""
    worker.append(records)
    worker.release()


def take(worker: Spool) -> list[bytes]:
    """All that it finds to book, booked."""
    worker.collect()
    taken = []
    for file in list(worker.waiting):
        while batch := file.batch(2):
            taken += batch
            file.confirm()
        worker.settle(file)
    return taken


def names(folder: Path, suffix: str = "") -> list[str]:
    return sorted(path.name for path in folder.glob(f"*{suffix}") if suffix or path.suffix != ".database")


def test_a_worker_books_what_it_appended_itself_in_order_and_nothing_is_left(spool: SpoolMaker, folder: Path) -> None:
    worker = spool()
    worker.append([b"1", b"2"])
    worker.append([b"3"])

    assert worker.records() == 3
    assert worker.oldest() == NOW
    assert take(worker) == [b"1", b"2", b"3"]
    assert (worker.records(), worker.oldest(), names(folder)) == (0, None, [])


def test_nobody_but_the_gateways_user_reads_the_spool(spool: SpoolMaker, folder: Path) -> None:
    spool().append([b"1"])

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_file_is_taken_over_when_its_owner_has_gone_and_not_before(spool: SpoolMaker, folder: Path) -> None:
    owner, other = spool(), spool()
    owner.append([b"1"])
    assert take(other) == []

    owner.release()

    assert take(other) == [b"1"]
    assert names(folder) == []


def test_what_a_killed_worker_did_not_come_to_name_is_removed_once_nobody_can_be_at_it(
    spool: SpoolMaker, folder: Path
) -> None:
    left_behind(spool(), b"1")
    for name, age in (("long-ago", 61), ("just-now", 59)):
        (unborn := folder / f"{name}.spool.0a1b2c3d.new").write_bytes(b"half a hea")
        os.utime(unborn, (NOW.timestamp() - age,) * 2)

    assert take(spool()) == [b"1"]
    assert names(folder) == ["just-now.spool.0a1b2c3d.new"]


def test_what_was_taken_over_is_taken_by_one_alone(spool: SpoolMaker) -> None:
    left_behind(spool(), b"1")
    one, other = spool(), spool()
    one.collect()

    assert take(other) == []
    assert take(one) == [b"1"]


def test_what_was_not_booked_is_found_again(spool: SpoolMaker) -> None:
    left_behind(spool(), b"1", b"2", b"3")
    interrupted = spool()
    interrupted.collect()
    interrupted.waiting[0].batch(2)
    assert interrupted.waiting[0].batch(2) == [b"1", b"2"], "until it is confirmed"
    interrupted.release()

    assert take(spool()) == [b"1", b"2", b"3"]


def test_what_is_appended_while_files_are_booked_comes_later(spool: SpoolMaker) -> None:
    worker = spool()
    worker.append([b"1"])
    worker.collect()
    worker.append([b"2"])

    assert worker.records() == 2
    assert take(worker) == [b"1", b"2"]


def test_another_databases_file_is_left_alone_and_named_once(
    spool: SpoolMaker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_behind(spool("other-name", "elsewhere"), b"1")
    [name] = names(folder)
    worker = spool()

    with caplog.at_level(logging.ERROR):
        assert take(worker) + take(worker) == []

    assert names(folder) == [name]
    assert [record.message for record in caplog.records if name in record.message] == [
        f"{folder / name} is for another database, and left as it is"
    ]


@pytest.mark.parametrize(
    ("written", "read", "taken"),
    [
        (("name", "here"), ("name", "here"), True),
        (("name", "here"), ("name", "moved"), True),
        (("name", "here"), ("other", "here"), False),
        ((None, "here"), ("name", "here"), True),
        ((None, "here"), (None, "here"), True),
        ((None, "here"), ("name", "moved"), False),
        (("name", "here"), (None, "here"), True),
        (("name", "here"), (None, "moved"), False),
    ],
)
def test_a_database_is_known_by_its_name_and_else_by_its_address(
    spool: SpoolMaker,
    folder: Path,
    written: tuple[str | None, str],
    read: tuple[str | None, str],
    taken: bool,
) -> None:
    left_behind(spool(*written), b"1")
    for file in folder.glob("*.database"):
        file.unlink()

    assert take(spool(*read)) == ([b"1"] if taken else [])


def test_a_worker_that_starts_while_the_database_is_away_knows_its_name_from_before(spool: SpoolMaker) -> None:
    left_behind(spool("name", "here"), b"1")
    left_behind(spool(None, "here"), b"2")

    assert sorted(take(spool("name", "moved"))) == [b"1", b"2"]


def test_its_own_file_is_let_go_where_the_database_turns_out_to_be_another(spool: SpoolMaker, folder: Path) -> None:
    left_behind(spool("name-before"), b"0")
    worker = spool(None)
    worker.append([b"1"])
    worker.know("name-after")

    assert take(worker) == []
    assert sorted(take(spool("name-before"))) == [b"0", b"1"]


def test_where_a_database_is_does_not_depend_on_who_asks() -> None:
    def address(url: str) -> str:
        return address_of(make_url(url))

    one = address("postgresql+psycopg2://user:secret@host:5432/name")
    assert one == address("postgresql://another@host:5432/name?sslmode=require")
    assert one != address("postgresql://user:secret@host:5432/other")
    assert one != address("postgresql://user:secret@elsewhere:5432/name")
    assert address("postgresql:///name?host=/a") != address("postgresql:///name?host=/b")
    assert address("sqlite:////a.db") != address("sqlite:////b.db")


def test_a_later_versions_file_is_left_alone(spool: SpoolMaker, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    worker = spool()
    path = folder / "20260101T000000-1-aaaa.spool"
    path.write_bytes(frame(b'{"spool":2}') + frame(b"1"))

    assert take(worker) + take(worker) == []
    assert path.exists()
    assert caplog.text.count("format 2") == 1


def test_a_file_whose_header_is_damaged_is_set_aside_for_people(
    spool: SpoolMaker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_behind(spool(), b"1")
    [name] = names(folder)
    damaged = bytearray((folder / name).read_bytes())
    damaged[30] ^= 1
    (folder / name).write_bytes(damaged)

    assert take(spool()) == []
    assert names(folder) == [name.replace(".spool", ".damaged")]
    assert "usage replay" in caplog.text


def test_damage_in_the_middle_keeps_the_file_and_books_the_rest(
    spool: SpoolMaker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_behind(spool(), b"first", b"second", b"third")
    [name] = names(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"second", b"s*cond"))
    worker = spool()

    assert take(worker) == [b"first", b"third"]
    assert names(folder) == [name.replace(".spool", ".damaged")]
    assert "25 bytes of the spool are no record any more" in caplog.text
    assert take(worker) == []


def test_a_torn_end_is_dropped_and_told(spool: SpoolMaker, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    left_behind(spool(), b"first", b"second")
    [name] = names(folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])

    assert take(spool()) == [b"first"]
    assert names(folder) == []
    assert "was not written to its end" in caplog.text


def test_whoever_waits_to_append_shares_one_write(spool: SpoolMaker) -> None:
    """The first is held up at the disk until all others have come: two writes in all."""
    writes: list[int] = []
    gate = threading.Event()

    def disk(work: Callable[..., Any], *arguments: Any) -> Any:
        if getattr(work, "__name__", "") == "_append_to":
            writes.append(len(arguments[-1]))
            gate.wait(10)
        return work(*arguments)

    worker = spool(run=disk)
    threads = [threading.Thread(target=worker.append, args=([b"%d" % n],)) for n in range(50)]
    threads[0].start()
    eventually(lambda: writes)
    for thread in threads[1:]:
        thread.start()
    eventually(lambda: len(worker._queue) == 49)
    gate.set()
    for thread in threads:
        thread.join(10)

    assert writes == [1, 49]
    assert sorted(take(worker), key=int) == [b"%d" % n for n in range(50)]


# Callers who append as fast as they can, each in a greenlet: how often the least served one was.
_UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from app.store.spool import Spool
spool = Spool(Path(sys.argv[1]), "here", lambda: datetime.now(UTC))
served = Counter()

def work(name):
    for _ in range(10):
        spool.append([b"1"])
        served[name] += 1
        if name == 0 and served[name] == 10:
            print(min(served[other] for other in range(20)))

threads = [Thread(target=work, args=(name,)) for name in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(spool.records())
"""


def test_nobody_starves_however_many_append_under_gevent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _UNDER_GEVENT, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    least, records = map(int, done.stdout.split())

    assert least >= 5
    assert records == 200


def test_who_is_interrupted_while_it_waits_to_append_holds_up_nobody(spool: SpoolMaker) -> None:
    """Also where it was up to it to write for those who came after it."""
    worker = spool()
    worker.append([b"1"])
    interrupted = _Waiting([b"lost"])
    worker._queue.append(interrupted)
    worker._is_led = interrupted.leads = True
    follower = threading.Thread(target=worker.append, args=([b"2"],))
    follower.start()
    eventually(lambda: len(worker._queue) == 2)
    worker._leave(interrupted)
    follower.join(10)

    assert not follower.is_alive()
    assert take(worker) == [b"1", b"2"]


def opened(folder: Path) -> list[str]:
    """The files there that this process has open."""
    return [one.path for one in psutil.Process().open_files() if Path(one.path).is_relative_to(folder)]


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file of this process grows past `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_and_costs_nothing_that_stood_there(spool: SpoolMaker, folder: Path) -> None:
    worker = spool()
    records = [b"%d" % n * 100_000 for n in range(5)]
    with disk_full_at(350_000):
        for record in records[:3]:
            worker.append([record])
        with pytest.raises(SpoolFailed, match="File too large"):
            worker.append([records[3]])
    worker.append([records[4]])

    assert worker.records() == 4
    assert take(worker) == [*records[:3], records[4]]
    assert names(folder) == []


def test_a_disk_that_stays_full_collects_no_files(spool: SpoolMaker, folder: Path) -> None:
    worker = spool()
    with disk_full_at(100_000):
        for _ in range(5):
            with pytest.raises(SpoolFailed):
                worker.append([b"x" * 200_000])

    assert (worker.records(), len(worker.waiting), names(folder)) == (0, 0, [])


def test_a_disk_with_no_room_for_a_new_file_is_said(spool: SpoolMaker, folder: Path) -> None:
    worker = spool()
    with disk_full_at(10), pytest.raises(SpoolFailed, match="cannot be made"):
        worker.append([b"1"])

    assert names(folder) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    worker = Spool(tmp_path / "file" / "spool", "here", lambda: NOW)
    worker.know("name")
    worker.collect()

    with pytest.raises(SpoolFailed, match="cannot be made"):
        worker.append([b"1"])


def test_a_record_no_reader_would_take_is_refused_alone(spool: SpoolMaker) -> None:
    worker = spool()
    with pytest.raises(SpoolFailed, match="longer than"):
        worker.append([b"x" * (LONGEST_RECORD + 1)])
    worker.append([b"x" * LONGEST_RECORD])

    assert take(worker) == [b"x" * LONGEST_RECORD]


def test_what_was_set_aside_is_booked_by_nobody(spool: SpoolMaker, folder: Path) -> None:
    worker = spool()
    one, other = worker.set_aside(b"1"), worker.set_aside(b"2")
    worker.release()

    assert one == other
    assert names(folder, ".rejected") == [one.name]
    assert take(spool()) == []
    assert one.read_bytes().endswith(frame(b"1") + frame(b"2"))


def test_what_a_full_disk_keeps_from_being_set_aside_is_said(spool: SpoolMaker, folder: Path) -> None:
    """The file is let go of, so that nothing is written behind what may be torn; the next begins another."""
    worker = spool()
    before = opened(folder)
    with disk_full_at(100_000):
        first = worker.set_aside(b"1")
        with pytest.raises(SpoolFailed, match="File too large"):
            worker.set_aside(b"x" * 200_000)
    assert opened(folder) == before == []
    second = worker.set_aside(b"2")

    assert names(folder, ".rejected") == sorted([first.name, second.name])
    assert first.read_bytes().endswith(frame(b"1"))


def test_a_file_that_was_booked_between_the_look_and_the_lock_is_passed_over(tmp_path: Path) -> None:
    assert SpoolFile.adopt(tmp_path / "gone.spool") is None
