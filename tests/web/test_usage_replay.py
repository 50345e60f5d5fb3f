"""`flask --app wsgi usage replay` says what became of the lines, and where something is left to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import click
import pytest
from click.testing import CliRunner, Result

from app.core.errors import StoreUnavailable
from app.core.replayed import NotForThisDatabase, Replayed
from app.gateway.diagnosis import Finding
from app.web.usage_replay_command import replay_command


@dataclass
class FakeReplaying:
    """Says what it was told to say, of whatever it is handed."""

    said: list[Replayed | Exception]
    complaints: list[str] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    any_database: bool = False

    def run(self, lines: BinaryIO, *, any_database: bool, complain: Callable[[str], None]) -> Iterator[Replayed]:
        self.read.append(lines.read())
        self.any_database = any_database
        for complaint in self.complaints:
            complain(complaint)
        for said in self.said:
            if isinstance(said, Exception):
                raise said
            yield said


@dataclass
class FakeDesks:
    """All that a command looks at before it begins."""

    finding: Finding = field(default_factory=lambda: Finding("database", "is well"))

    def database(self) -> Finding:
        return self.finding


def run(replaying: FakeReplaying, *words: str, typed: bytes = b"", desks: FakeDesks | None = None) -> Result:
    @click.group()
    @click.pass_context
    def group(context: click.Context) -> None:
        context.obj = desks or FakeDesks()

    group.add_command(replay_command(replaying))
    return CliRunner().invoke(group, ["replay", *words], input=typed)


def test_standard_input_is_read_where_no_file_is_named() -> None:
    replaying = FakeReplaying([Replayed(new=1200, there=3, passed_over=4)])
    result = run(replaying, typed=b"lines")

    assert result.exit_code == 0
    assert result.output == ("standard input: 1,200 calls booked, 3 were booked before, 4 other lines passed over\n")
    assert replaying.read == [b"lines"]


def test_files_are_told_of_one_by_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    replaying = FakeReplaying([Replayed(new=1)])
    result = run(replaying, str(tmp_path / "a"), str(tmp_path / "b"), "--any-database")

    assert result.output.splitlines() == [
        f"{tmp_path}/a: 1 calls booked, 0 were booked before",
        f"{tmp_path}/b: 1 calls booked, 0 were booked before",
    ]
    assert replaying.read == [b"a", b"b"]
    assert replaying.any_database


def test_what_is_not_booked_is_said_and_is_a_failure() -> None:
    result = run(FakeReplaying([Replayed(new=1, rejected=1, damaged=2)], ["call \x1b[2J is not booked: why"]))

    assert result.exit_code == 1
    assert "1 are not taken, 2 cannot be read" in result.stdout
    assert result.stderr == "call \\x1b[2J is not booked: why\n"


def test_a_long_input_is_told_of_as_it_goes() -> None:
    result = run(FakeReplaying([Replayed(new=lines) for lines in (500, 9_999, 10_000, 10_500, 20_000, 20_001)]))

    assert [line.partition(",")[0] for line in result.stderr.splitlines()] == [
        "standard input: 10",
        "standard input: 20",
    ]
    assert result.stdout.startswith("standard input: 20,001 calls booked")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreUnavailable("The database does not answer."), "does not answer. standard input: 7 calls booked"),
        (StoreUnavailable("The database does not answer."), "Run it again"),
        (NotForThisDatabase(), "--any-database"),
        (ValueError("it has format 2"), "cannot be read: it has format 2"),
        (OSError(5, "Input/output error"), "cannot be read"),
    ],
)
def test_what_stops_it_is_said_in_one_line(error: Exception, said: str) -> None:
    result = run(FakeReplaying([Replayed(new=7), error]))

    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_pattern_without_files_is_passed_over(tmp_path: Path) -> None:
    spooled = tmp_path / "spool.damaged"
    spooled.write_bytes(b"lines")
    replaying = FakeReplaying([Replayed(new=1)])

    result = run(replaying, str(spooled), str(tmp_path / "*.rejected"))

    assert (result.exit_code, replaying.read) == (0, [b"lines"])
    assert "*.rejected: no such files" in result.output


def test_a_file_that_is_not_there_is_said() -> None:
    assert "does not exist" in run(FakeReplaying([]), "nowhere.log").output


def test_a_database_without_tables_is_said_before_anything_is_read() -> None:
    replaying = FakeReplaying([])
    desks = FakeDesks(Finding("database", "has no tables", "Run it"))

    assert "has no tables" in run(replaying, desks=desks).output
    assert replaying.read == []
