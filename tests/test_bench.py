"""`make bench` runs, and its table has every line. What it measures is not judged: machines are noisy."""

import subprocess
import sys

from bench.results import COLUMNS, Samples, rows, table
from tests.gateway_process import REPOSITORY

QUICK = ["--quick", "--seconds", "0.3", "--rounds", "1", "--streams", "5"]


def test_a_quick_run_ends_in_a_table_with_every_row() -> None:
    command = [sys.executable, "-m", "bench", *QUICK]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    told = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert list(told)[1:] == [row.label for row in rows([5])]
    outcrop = COLUMNS.index("Outcrop") - 1
    assert [label for label, cells in told.items() if cells[outcrop] in ("", "-")] == []
    assert [told[label][outcrop] for label in told if "failed" in label] == ["0", "0", "0"]


def test_a_table_compares_within_each_round() -> None:
    """Two rounds, the second twice as slow for all: the ratio is that of either round."""
    samples = Samples()
    for slowness in (1.0, 2.0):
        samples.add("straight", "calls 1 ", {"per_second": 1000 / slowness, "took_p50_ms": 1 * slowness})
        samples.add("Outcrop", "calls 1 ", {"per_second": 250 / slowness, "took_p50_ms": 4 * slowness})

    lines = table(samples, [], has_nginx=False).splitlines()

    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        *("1 connection: calls per second", "750", "not installed", "188", "125 to 250", "0.25 x", "-")
    ]
    assert [cell.strip() for cell in lines[3].split("|")[-3:-1]] == ["+4.500", "-"]


def test_what_was_not_measured_is_a_dash() -> None:
    samples = Samples()
    samples.add("Outcrop", "", {"start_seconds": float("nan")})

    lines = table(samples, [], has_nginx=True).splitlines()

    assert {cell.strip() for line in lines[2:] for cell in line.split("|")[2:-1]} == {"-"}
