"""bench/results/fuzz.md: how long each target was fuzzed, and what came of it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from tests.fuzz.campaign import ROOT, Run

PATH = ROOT / "bench" / "results" / "fuzz.md"
_ROW = re.compile(r"\| ([a-z-]+) \| ([0-9,]+) \| ([0-9,]+) \| ([0-9]+) \| ([0-9]+) \|")
_HEAD = """# Fuzzing

`make fuzz` feeds each target what nobody would send, guided by coverage. The last run: {date}. The longest one in which
a target found nothing counts.

| target | executions of the last run | edges covered | longest run in s | findings of the last run |
| --- | --- | --- | --- | --- |
"""


def write(runs: Iterable[Run]) -> None:
    """The rows of these runs in place of those that were there; other targets keep theirs."""
    rows = _rows()
    for one in runs:
        before = int(rows[one.name][2]) if one.name in rows else 0
        clean = 0 if one.finding else int(one.seconds)
        rows[one.name] = (
            f"{one.executions:,}",
            f"{one.coverage:,}",
            str(max(before, clean)),
            str(int(one.finding is not None)),
        )
    text = "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in sorted(rows.items()))
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(_HEAD.format(date=datetime.now(UTC).date().isoformat()) + text)


def _rows() -> dict[str, tuple[str, str, str, str]]:
    if not PATH.exists():
        return {}
    found = (_ROW.match(line) for line in PATH.read_text().splitlines())
    return {one[1]: (one[2], one[3], one[4], one[5]) for one in found if one}
