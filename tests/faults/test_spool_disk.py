"""The gateway's own disk is full, torn or locked just when rows have to wait there: calls go on, and none is lost."""

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.ledger_sums import eventually, ledger_sums
from tests.faults.counts import count
from tests.faults.mixed_load import Call, Keys, Load, answer, check_delay, of, some_keys
from tests.faults.postgres_faults import FaultyPostgres
from tests.faults.small_disk import DISKS, Disk
from tests.gateway_process import REPOSITORY, GatewayProcess
from tests.standin_bedrock import StandinBedrock

LOCKED_SECONDS = count("LOCKED_SECONDS", 2)
PAUSE_SECONDS = 0.02
CALLS = 40
# what SQLite waits for is another's turn, which is waited for longer than a server
SQLITE_PATIENCE_SECONDS = 8.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[FaultyPostgres]:
    with FaultyPostgres() as running:
        yield running


@pytest.fixture(scope="module")
def keys(postgres: FaultyPostgres) -> Keys:
    return some_keys(postgres.own_url)


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    with DISKS[request.param]() as made:
        yield made


def more(load: Load, keys: Keys, enough: int = CALLS) -> None:
    """So many calls more of keys without limits."""
    began = time.monotonic()
    eventually(lambda: len(of(load.since(began), keys.free)) >= enough)


def check_free(load: Load, keys: Keys, fault_at: float) -> None:
    """All were served, and soon."""
    calls = of(load.calls, keys.free)
    assert [call for call in calls if not call.served] == []
    check_delay(of(load.since(fault_at), keys.free), of(load.before(fault_at), keys.free))


def check_books(url: str, calls: list[Call], seconds: float = 30) -> None:
    """Each call that was served has its row, and all sums agree."""
    with ledger_sums(url) as sums:
        ids = {str(call.id) for call in calls}
        eventually(lambda: ids <= set(sums.request_ids()), seconds)
        assert sums.disagreements() == []


def left_on(disk: Disk) -> list[str]:
    return [path.name for path in disk.folder.iterdir() if path.suffix != ".database"]


def replay(gateway: GatewayProcess, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "usage", "replay", *map(str, files)],
        env=gateway.environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_with_the_disk_full_and_the_database_away_calls_go_on_and_none_is_lost(
    postgres: FaultyPostgres, keys: Keys, disk: Disk, standin: StandinBedrock, tmp_path: Path
) -> None:
    """Twice: what stands in memory alone is booked when the database is back, and of a gateway that was killed
    meanwhile what it wrote into its log."""
    standin.answer = answer
    environment = {"DATABASE_URL": postgres.url, "OUTCROP_SPOOL_DIR": str(disk.folder)}
    with GatewayProcess(environment, standin) as gateway:
        with Load(gateway, keys.all, pause=PAUSE_SECONDS) as load:
            load.warm_up()
            fault_at = time.monotonic()
            with postgres.silent():
                more(load, keys, 10)
                disk.fill(gateway)
                more(load, keys)
        check_books(postgres.own_url, load.served())
        assert gateway.log_lines("posting") != []
        assert len([line for line in gateway.log_lines("log") if disk.what in line["message"]]) >= 1
        check_free(load, keys, fault_at)
        disk.make_room(gateway)
        eventually(lambda: left_on(disk) == [])

        gateway.clear_log()
        with Load(gateway, keys.all, pause=PAUSE_SECONDS) as second, postgres.silent():
            more(second, keys, 10)
            disk.fill(gateway)
            more(second, keys)
            gateway.kill()
        assert {call.status for call in of(second.calls, keys.free) if not call.served} <= {0, 200}
        disk.make_room(gateway)
        gateway.start()
        eventually(lambda: left_on(disk) == [])
        (log := tmp_path / "gateway.log").write_text("\n".join(gateway.stdout))
        replayed = replay(gateway, log)
        check_books(postgres.own_url, second.served(), 0)

    assert (replayed.returncode, replayed.stderr) == (0, ""), replayed.stdout
    assert re.search(r": [1-9]\d* calls booked, ", replayed.stdout)


def test_a_spool_whose_end_was_torn_with_the_power_is_booked_but_for_what_nobody_was_told_of(
    postgres: FaultyPostgres, keys: Keys, standin: StandinBedrock, tmp_path: Path
) -> None:
    """Gateway and database die at the same moment; half a row stands at the file's end."""
    standin.answer = answer
    environment = {"DATABASE_URL": postgres.url, "OUTCROP_SPOOL_DIR": str(tmp_path)}
    with GatewayProcess(environment, standin) as gateway:
        with Load(gateway, keys.all, pause=PAUSE_SECONDS) as load:
            load.warm_up()
            with postgres.silent():
                more(load, keys)
                gateway.kill()
                with postgres.killed():
                    pass
        [spool] = tmp_path.glob("*.spool")
        last = spool.read_bytes().splitlines(keepends=True)[-1]
        with spool.open("ab") as end:
            end.write(last[: len(last) // 2])
        gateway.start()
        check_books(postgres.own_url, load.served())
        gateway.wait_for_log(lambda line: "was not written to its end" in line["message"], event="log")

        eventually(lambda: [path.suffix for path in tmp_path.iterdir()] == [".database"])


def test_a_sqlite_database_on_a_full_disk_stops_no_call_and_loses_none(
    sqlite_template: Path, disk: Disk, standin: StandinBedrock
) -> None:
    """The spool is beside it, as it is by default: full as well."""
    standin.answer = answer
    file = disk.folder / "outcrop.db"
    file.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{file}"
    environment = {"DATABASE_URL": url, "OUTCROP_SPOOL_DIR": str(disk.folder / "spool")}
    keys = some_keys(url)
    with GatewayProcess(environment, standin) as gateway:
        with Load(gateway, keys.all, pause=PAUSE_SECONDS) as load:
            load.warm_up()
            fault_at = time.monotonic()
            disk.fill(gateway)
            more(load, keys)
            disk.make_room(gateway)
            roomy_at = time.monotonic()
            eventually(lambda: any(call.served for call in of(load.since(roomy_at), keys.limited)))
        check_books(url, load.served())

        check_free(load, keys, fault_at)
        assert {call.status for call in of(load.calls, keys.limited)} <= {200, 503}
        with ledger_sums(url) as sums:
            eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0))


def test_a_sqlite_database_that_another_program_holds_stops_no_call_and_loses_none(
    sqlite_url: str, standin: StandinBedrock
) -> None:
    standin.answer = answer
    keys = some_keys(sqlite_url)
    with GatewayProcess({"DATABASE_URL": sqlite_url}, standin) as gateway:
        with Load(gateway, keys.all, pause=PAUSE_SECONDS) as load:
            load.warm_up()
            with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=10)) as other:
                other.execute("BEGIN IMMEDIATE")
                held_at = time.monotonic()
                with Load(gateway, keys.free, pause=PAUSE_SECONDS) as free:
                    eventually(lambda: time.monotonic() > held_at + LOCKED_SECONDS, LOCKED_SECONDS + 1)
                other.execute("ROLLBACK")
            free_at = time.monotonic()
            eventually(lambda: any(call.served for call in of(load.since(free_at), keys.limited)))
        check_books(sqlite_url, load.served() + free.served())

        check_free(load, keys, held_at)
        assert [call for call in free.calls if not call.served] == []
        check_delay(free.calls, of(load.before(held_at), keys.free))
        assert {call.status for call in of(load.calls, keys.limited)} <= {200, 503}
        assert max(call.seconds for call in load.calls) < SQLITE_PATIENCE_SECONDS
        with ledger_sums(sqlite_url) as sums:
            eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0))
