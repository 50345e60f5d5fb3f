"""`make bench` and `make soak` run, and their tables have every line. What they measure is not judged: machines are
noisy.
"""

import subprocess
import sys

from bench.gateways import LIMITED
from bench.tables import call_rows, life_rows, stream_rows
from tests.gateway_process import REPOSITORY

QUICK = ["--quick", "--seconds", "0.3", "--rounds", "1", "--streams", "5", "--litellm", "no"]


def test_a_quick_run_ends_in_tables_with_every_row() -> None:
    command = [sys.executable, "-m", "bench", *QUICK]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    found = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    told = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in found}
    one_round = [row for row in call_rows() + life_rows(300, 30) if row.how != "range" and row.to != "LiteLLM"]
    assert [row.label for row in one_round + stream_rows([5]) if row.label not in told] == []
    # but for calls under limits, as a busy machine may keep the database silent for longer than they wait for it
    names = next(cells for cells in ([cell.strip() for cell in row[1:]] for row in found) if LIMITED in cells)
    failed = {
        cell
        for label, cells in told.items()
        if "failed" in label
        for name, cell in zip(names, cells, strict=True)
        if name != LIMITED
    }
    assert failed | {cell for label, cells in told.items() if "incomplete" in label for cell in cells} == {"0"}


def test_a_soak_ends_with_a_row_for_each_call() -> None:
    command = [sys.executable, "-m", "bench.soak", "--seconds", "4", "--sample", "0.5", "--warm-up", "0"]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)

    told = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in done.stdout.splitlines() if "Soak, " in line}
    measured = {what.partition(": ")[2]: cells[0].strip() for what, cells in told.items()}
    assert "no call fails, the worker lives" in measured, done.stdout + done.stderr
    rows, _, sent = measured["a row for each call"].partition(" of ")
    assert rows == sent
    assert int(sent.replace(",", "")) >= 4 * 10
    assert measured["no call fails, the worker lives"] == f"0 of {sent}"
    assert measured["no ticket and no hold is left"] == "0 tickets, 0 in flight, 0 held"
    assert measured["rows add up to what accounts spent"] == "all agree"
