"""Runs targets, each in a process of its own, tells how they do, and keeps what they find.

What coverage made of the seeds is kept in .fuzz/NAME/corpus, where the next run goes on from; what was found in
.fuzz/NAME/findings.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.target import load, regressions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".fuzz"
# an input that takes longer is a finding
_HANG_SECONDS = 20
_MEMORY_MIB = 2048
_TOLD_EVERY_SECONDS = 15.0
_PROGRESS = re.compile(r"#(\d+)\s+\w+\s+(?:cov: (\d+) .*?corp: (\d+)/\S+ .*?)?exec/s: (\d+)")
_NOISE = ("INFO: ", "WARNING: Failed to find function")
_WRITTEN = re.compile(r"Test unit written to (\S+)")


@dataclass(slots=True)
class Run:
    """How one target did: `finding` is the file of what broke it."""

    name: str
    executions: int = 0
    coverage: int = 0
    corpus: int = 0
    seconds: float = 0.0
    finding: Path | None = None
    tail: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """A line of libFuzzer's, or of blind.py."""
        if found := _PROGRESS.match(line):
            self.executions = int(found[1])
            self.coverage = int(found[2] or self.coverage)
            self.corpus = int(found[3] or self.corpus)
        elif found := _WRITTEN.search(line):
            self.finding = Path(found[1])
        elif not line.startswith(_NOISE):
            self.tail = [*self.tail[-60:], line.rstrip()]

    @property
    def told(self) -> str:
        """In one line."""
        guided = f", {self.coverage} edges covered, {self.corpus} inputs kept" if self.coverage else ""
        return f"{self.name}: {self.executions:,} executions in {self.seconds:.0f} s{guided}"


def is_guided() -> bool:
    """Whether atheris is installed."""
    return find_spec("atheris") is not None


def run(name: str, seconds: float, seed: int, tell: Callable[[str], None]) -> Run:
    """One target for so long, or until it finds something."""
    folder = FOLDER / name
    corpus, findings = folder / "corpus", folder / "findings"
    for one in (corpus, findings):
        one.mkdir(parents=True, exist_ok=True)
    command = _guided(name, corpus, findings, seconds, seed) if is_guided() else _blind(name, findings, seconds, seed)
    result = Run(name)
    began = told = 0.0  # when the first input was tried: what it takes to start does not count
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            now = time.monotonic()
            began = began or (now if line.startswith("#") else 0.0)
            result.read(line)
            result.seconds = now - (began or now)
            if result.executions and now - told > _TOLD_EVERY_SECONDS:
                told = now
                tell(result.told)
    if process.returncode and result.finding is None:
        result.finding = findings  # it died without a word of what it read
    return result


def _guided(name: str, corpus: Path, findings: Path, seconds: float, seed: int) -> list[str]:
    target = load(name)
    for number, data in enumerate([*target.seeds(), *(path.read_bytes() for path in regressions(name))]):
        (corpus / f"seed-{number:04}").write_bytes(data)
    options = [
        *(f"-max_total_time={max(1, round(seconds))}", f"-seed={seed % 2**31 + 1}", f"-max_len={target.longest}"),
        *(f"-artifact_prefix={findings}/", f"-timeout={_HANG_SECONDS}", f"-rss_limit_mb={_MEMORY_MIB}"),
    ]
    return [sys.executable, "-m", "tests.fuzz.guided", name, str(findings), *options, str(corpus)]


def _blind(name: str, findings: Path, seconds: float, seed: int) -> list[str]:
    return [
        *(sys.executable, "-m", "tests.fuzz.blind", name, str(findings)),
        *("--seconds", str(seconds), "--seed", str(seed)),
    ]
