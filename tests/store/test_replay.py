"""What was kept elsewhere is booked by hand: once, and the rest is told apart."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import select

from app.core.errors import StoreUnavailable
from app.core.posting_json import line_of, sealed
from app.core.replayed import NotForThisDatabase, Replayed
from app.store.database import Database
from app.store.identity import identity_of
from app.store.ledger import LedgerStore
from app.store.money_rows import LEDGER
from app.store.replay import Replay
from app.store.spool import Spool, address_of
from app.store.spool_format import LONGEST_RECORD, UnknownFormat, frame
from tests.fake_books import FakeBooks
from tests.postings import NOW, posting

LINES = [line_of(posting(f"r-{n}")).encode() for n in range(3)]
Replayer = Callable[..., Replayed]


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def replay(database: Database, complaints: list[str]) -> Replayer:
    """Hand lines in, and hear what became of all."""

    def run(content: bytes, *, any_database: bool = False) -> Replayed:
        replaying = Replay(LedgerStore(database), database)
        *_, found = replaying.run(BytesIO(content), any_database=any_database, complain=complaints.append)
        return found

    return run


def logged(database: Database) -> list[bytes]:
    """LINES as a gateway on this database writes them to its log."""
    return [sealed(line.decode(), identity_of(database)).encode() for line in LINES]


def booked(database: Database) -> list[str]:
    with database.snapshot() as connection:
        return list(connection.execute(select(LEDGER.c.request_id).order_by(LEDGER.c.request_id)).scalars())


def file_of(folder: Path, identity: str | None, address: str) -> Path:
    """A file of the spool with LINES in it, whose worker has ended."""
    spool = Spool(folder, address, lambda: NOW)
    spool.know(identity)
    spool.append(LINES)
    spool.release()
    [path] = folder.glob("*.spool")
    return path


def test_a_logs_calls_are_booked_once_however_often_it_is_replayed(database: Database, replay: Replayer) -> None:
    first, second, third = logged(database)
    log = b"\n".join([b'{"event":"request"}', b"app[web.1]: " + first, second, b"\xff\xfe", second, b"", third])

    assert replay(log) == Replayed(new=3, there=1, passed_over=3)
    assert replay(log) == Replayed(new=0, there=4, passed_over=3)
    assert booked(database) == ["r-0", "r-1", "r-2"]


def test_a_spool_file_is_booked_as_it_is(database: Database, replay: Replayer, tmp_path: Path) -> None:
    path = file_of(tmp_path, identity_of(database), "moved since")

    assert replay(path.read_bytes()) == Replayed(new=3)


def test_a_damaged_record_is_counted_and_none_of_its_text_believed(
    database: Database, replay: Replayer, tmp_path: Path
) -> None:
    content = file_of(tmp_path, identity_of(database), "here").read_bytes()
    dearer = content.replace(b'"cost":"0.01"', b'"cost":"9.01"', 1)

    assert replay(dearer) == Replayed(new=2, damaged=1)
    assert booked(database) == ["r-1", "r-2"]


@pytest.mark.parametrize("identity", ["another", None])
def test_another_databases_file_is_refused_unless_it_is_meant(
    database: Database, replay: Replayer, tmp_path: Path, identity: str | None
) -> None:
    content = file_of(tmp_path, identity, "elsewhere").read_bytes()

    with pytest.raises(NotForThisDatabase):
        replay(content)
    assert booked(database) == []
    assert replay(content, any_database=True) == Replayed(new=3)


def test_a_file_that_was_begun_while_the_name_was_unknown_is_known_by_its_address(
    database: Database, replay: Replayer, tmp_path: Path
) -> None:
    content = file_of(tmp_path, None, address_of(database.engine.url)).read_bytes()

    assert replay(content) == Replayed(new=3)


def test_a_later_versions_file_is_refused(replay: Replayer) -> None:
    with pytest.raises(UnknownFormat):
        replay(frame(b'{"spool":2}') + frame(LINES[0]))


def test_what_a_caller_wrote_into_a_log_is_no_call(database: Database, replay: Replayer, complaints: list[str]) -> None:
    theirs = sealed(LINES[0].decode(), "another database").encode()
    cheaper = logged(database)[2].replace(b'"cost":"0.01"', b'"cost":"-900"')
    path = b'router: GET path="/' + LINES[1] + b'" status=404'

    assert replay(b"\n".join([path, theirs, cheaper])) == Replayed(damaged=3)
    assert booked(database) == []
    assert complaints[0].startswith("line 1 cannot be read: it does not bear this database's seal")
    assert replay(path, any_database=True) == Replayed(new=1)


def test_a_line_that_was_cut_is_complained_of(database: Database, replay: Replayer, complaints: list[str]) -> None:
    assert replay(logged(database)[0] + b"\n" + LINES[1][:300]) == Replayed(new=1, damaged=1)
    assert complaints[0].startswith("line 2 cannot be read: cut off")


def test_what_the_database_does_not_take_is_complained_of_and_stops_no_other(
    database: Database, complaints: list[str]
) -> None:
    books = FakeBooks()
    books.refused = {"r-1"}
    lines = BytesIO(b"\n".join(logged(database)))
    [found] = Replay(books, database).run(lines, any_database=False, complain=complaints.append)

    assert found == Replayed(new=2, rejected=1)
    assert complaints == ["call r-1 is not booked: A value cannot be stored: 1."]
    assert list(books.rows) == ["r-0", "r-2"]


def test_a_killed_workers_call_takes_the_place_of_what_was_said_of_it(database: Database, replay: Replayer) -> None:
    said = posting("r-0", None, ended="gateway_killed", status="failure")
    LedgerStore(database).book([said])

    assert replay(logged(database)[0]) == Replayed(new=1)


def test_a_long_log_is_told_of_as_it_goes(database: Database) -> None:
    replaying = Replay(LedgerStore(database), database)
    lines = BytesIO(b"{}\n" * 25_000)

    told = [found.lines for found in replaying.run(lines, any_database=False, complain=print)]

    assert told == [10_000, 20_000, 25_000]


def test_a_line_of_any_length_is_passed_over(database: Database, replay: Replayer) -> None:
    assert replay(b"x" * (5 * LONGEST_RECORD) + b"\n" + logged(database)[0]) == Replayed(new=1, passed_over=1)


def test_a_database_that_is_away_is_said(sqlite_url: str) -> None:
    database, books = Database.at(sqlite_url), FakeBooks()
    books.away = True
    with pytest.raises(StoreUnavailable):
        list(Replay(books, database).run(BytesIO(LINES[0]), any_database=True, complain=print))
    database.close()
