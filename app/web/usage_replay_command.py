"""`flask --app wsgi usage replay`: books the calls that a gateway could not book before it ended."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import click

from app.core.errors import StoreUnavailable
from app.core.replayed import NotForThisDatabase, Replayed
from app.web.desk_commands import DeskCommand, printable

_TOLD_EVERY = 10_000


class Replaying(Protocol):
    """Books lines, and says again and again what became of them."""

    def run(self, lines: BinaryIO, *, any_database: bool, complain: Callable[[str], None]) -> Iterator[Replayed]:
        """Raises StoreUnavailable, NotForThisDatabase and OSError."""


class _File(click.Path):
    """A pattern for which the shell found no file comes as it was written, and stands for none: ""."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "*" in value and not Path(value).exists():
            click.echo(f"{printable(value)}: no such files", err=True)
            return ""
        return super().convert(value, param, ctx)


def replay_command(replaying: Replaying) -> click.Command:
    """`replay`."""

    @click.command("replay", cls=DeskCommand)
    @click.argument("files", nargs=-1, type=_File(exists=True, dir_okay=False, allow_dash=True))
    @click.option(
        "--any-database", is_flag=True, help="Also what was written for another database, or by nobody knows whom."
    )
    def replay(files: Sequence[str], *, any_database: bool) -> None:
        """Book calls from logs, or from files of the spool.

        Of a log the lines that tell of calls are booked, {"event":"posting", ...}, whatever stands before or between
        them, if they bear this database's seal; without FILES, or for -, the log is read from standard input. Calls
        that are booked already change nothing, so that anything may be replayed twice. FILES are left as they are.

        \b
        heroku logs --num 1500 | flask --app wsgi usage replay
        flask --app wsgi usage replay instance/spool/*.damaged instance/spool/*.rejected
        """
        wholly = [_replay(replaying, name, any_database=any_database) for name in files or ("-",) if name]
        if not all(wholly):
            raise SystemExit(1)

    return replay


def _replay(replaying: Replaying, name: str, *, any_database: bool) -> bool:
    """Whether all calls of a file are booked."""
    shown = "standard input" if name == "-" else printable(name)
    found = Replayed()
    try:
        with click.open_file(name, "rb") as lines:
            told = 0
            for found in replaying.run(cast(BinaryIO, lines), any_database=any_database, complain=_complain):
                if found.lines - told >= _TOLD_EVERY:
                    told = found.lines
                    click.echo(f"{shown}: {_told(found)} so far", err=True)
    except StoreUnavailable as error:
        done = f"{shown}: {_told(found)} until then. Run it again: what is booked stays so"
        raise click.ClickException(f"{printable(error.message)} {done}.") from None
    except NotForThisDatabase:
        raise click.ClickException(
            f"{shown} was written for another database than this one. Set DATABASE_URL to that one, or say "
            "--any-database to book it here."
        ) from None
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{shown} cannot be read: {error}") from None
    click.echo(f"{shown}: {_told(found)}")
    return not (found.rejected or found.damaged)


def _told(found: Replayed) -> str:
    parts = [
        f"{found.new:,} calls booked",
        f"{found.there:,} were booked before",
        f"{found.rejected:,} are not taken" if found.rejected else "",
        f"{found.damaged:,} cannot be read" if found.damaged else "",
        f"{found.passed_over:,} other lines passed over" if found.passed_over else "",
    ]
    return ", ".join(part for part in parts if part)


def _complain(text: str) -> None:
    click.echo(printable(text), err=True)
