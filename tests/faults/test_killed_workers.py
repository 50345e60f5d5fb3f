"""Workers, whole gateways and their database are killed at random moments under load: whatever reply was read has its
row, sums are exact, and within a minute nothing is held for calls that nobody makes any longer."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.ledger_sums import eventually, ledger_sums
from tests.faults.counts import count
from tests.faults.mixed_load import Call, Keys, Load, answer, of, some_keys, spread
from tests.faults.postgres_faults import FaultyPostgres
from tests.gateway_process import GatewayProcess
from tests.standin_bedrock import StandinBedrock

KILLS = count("KILLS", 2)
SEED = count("SEED", 0) or random.randrange(1, 10**6)
WORKERS = 2
# of calls between two kills
MOST_BETWEEN = 60
# a dead worker is missed after 20 s, by one that has lived for so long itself, and looks every 5 s
BURIED_WITHIN_SECONDS = 60


class Storm:
    """A gateway under load that is killed again and again."""

    def __init__(self, stack: ExitStack, standin: StandinBedrock, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        environment = {"DATABASE_URL": url, "WEB_CONCURRENCY": str(WORKERS), "OUTCROP_SPOOL_DIR": str(folder)}
        self.gateway = stack.enter_context(GatewayProcess(environment, standin))
        self.keys: Keys = some_keys(url)
        self.served: list[Call] = []
        self.silences: list[tuple[str, float]] = []
        self._chance = random.Random(SEED)

    def blow(self, kills: list[Callable[[], None]]) -> None:
        """One kill after the other, each at a random moment."""
        with Load(self.gateway, self.keys.all) as load:
            for kill in kills:
                before, enough = len(load.served()), self._chance.randrange(MOST_BETWEEN)
                eventually(lambda: len(load.served()) > before + enough)  # noqa: B023  # called at once
                killed_at = time.monotonic()
                kill()
                eventually(lambda: any(call.served for call in load.since(killed_at)))  # noqa: B023  # called at once
                again = min(call.ended for call in load.since(killed_at) if call.served)
                self.silences.append((kill.__name__, again - killed_at))
        self.served += load.served()

    def kill_worker(self) -> None:
        """One; the gateway starts another."""
        pids = self.gateway.worker_pids()
        dead = self._chance.choice(pids)
        os.kill(dead, signal.SIGKILL)
        eventually(lambda: dead not in self.gateway.worker_pids() and len(self.gateway.worker_pids()) == len(pids))

    def kill_all(self) -> None:
        """The gateway too, which somebody starts again."""
        self.gateway.kill()
        self.gateway.start()

    def check(self) -> None:
        """Nothing is lost of what was read, and nothing is left of what was not."""
        with ledger_sums(self.url) as sums:
            seen = {str(call.id) for call in self.served}
            eventually(lambda: seen <= set(sums.request_ids()))
            eventually(lambda: sums.tickets() == 0 and sums.held() == (0, 0), BURIED_WITHIN_SECONDS)
            ids = sums.request_ids()
            assert len(seen) == len(self.served)
            assert len(ids) == len(set(ids))
            assert sums.counted("ended").keys() <= {"complete", "client_gone", "gateway_killed"}
            assert sums.disagreements() == []
        assert [path.name for path in self.folder.glob("*") if path.suffix != ".database"] == []

    def told(self) -> str:
        with ledger_sums(self.url) as sums:
            ended = sums.counted("ended")
        silences = ", ".join(f"{what} {seconds:.2f}" for what, seconds in sorted(self.silences))
        return f"{len(self.served)} replies read, rows {ended}; served again after s: {silences}; {spread(self.served)}"


@pytest.fixture
def postgres() -> Iterator[FaultyPostgres]:
    with FaultyPostgres() as running:
        yield running


def tell(capsys: pytest.CaptureFixture[str], what: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n    {what}")


def test_no_call_whose_reply_was_read_is_lost_however_often_and_whatever_is_killed(
    sqlite_url: str,
    postgres: FaultyPostgres,
    standin: StandinBedrock,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    standin.answer = answer
    with ExitStack() as stack:
        on_file = Storm(stack, standin, sqlite_url, tmp_path / "file")
        on_file.blow([(on_file.kill_worker, on_file.kill_all)[number % 2] for number in range(KILLS)])
        on_server = Storm(stack, standin, postgres.own_url, tmp_path / "server")

        def kill_database_too() -> None:
            on_server.gateway.kill()
            with postgres.killed():
                pass
            on_server.gateway.start()

        ways = (on_server.kill_worker, kill_database_too, on_server.kill_all)
        on_server.blow([ways[number % 3] for number in range(KILLS)])
        for name, storm in (("SQLite", on_file), ("PostgreSQL", on_server)):
            storm.check()
            tell(capsys, f"{name}, seed {SEED}: {storm.told()}")

        assert all(of(storm.served, storm.keys.free) for storm in (on_file, on_server))
        assert all(of(storm.served, storm.keys.limited) for storm in (on_file, on_server))
