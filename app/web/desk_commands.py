"""What the commands for keys, teams and users share: the desks they use, errors in one line, tables, options."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from app.core.callers import COMMAND_LINE, Actor
from app.core.errors import GatewayError
from app.gateway.diagnosis import Finding
from app.gateway.key_desk import KeyDesk
from app.gateway.reports import Reports
from app.gateway.standings import Standings
from app.gateway.team_desk import TeamDesk
from app.gateway.user_desk import UserDesk

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
ACTOR = Actor(COMMAND_LINE)
_LISTS = {
    "models": "Models it may call: ids, globs, ARNs; none: all.",
    "operations": "Operations: names, services, or inference, agents, read, all; none: inference and agents.",
    "resources": "Agents, knowledge bases, guardrails, s3:// prefixes; none: all, but no S3.",
    "regions": "Regions it may name; none: all that are served.",
    "addresses": "Where calls may come from, as CIDR; none: anywhere.",
}
_EMPTY = {
    "models": "all",
    "operations": "inference, agents (the default)",
    "resources": "all",
    "regions": "all that are served",
    "addresses": "anywhere",
}
_LIMITS = {
    "max-budget": "US dollars, within the window of --budget-duration, or for ever without one.",
    "budget-duration": "How long that window is: 1h, 1d, 7d, 1mo; it ends where the calendar says, in UTC.",
    "rpm-limit": "Requests a minute.",
    "tpm-limit": "Tokens a minute.",
    "max-parallel-requests": "Calls at once.",
}
_LEAST_SHOWN = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class CommandDesks:
    """What commands are carried out by. `database`: whether it can be used, and what to do where it cannot.

    `prune`: deletes rows of the ledger of before a moment, tells how many are gone so far, and returns how many were.
    """

    keys: KeyDesk
    teams: TeamDesk
    users: UserDesk
    reports: Reports
    standings: Standings
    prune: Callable[[datetime, Callable[[int], None]], int]
    database: Callable[[], Finding]


class DeskCommand(click.Command):
    """A command whose context's object is CommandDesks; what it cannot do is said in one line, with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        desks: CommandDesks = ctx.obj
        database = desks.database()
        if database.remedy:
            raise click.ClickException(f"The database {database.text}. {database.remedy}")
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            raise click.ClickException(printable(error.message)) from None
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0]).replace("_", "-") if first["loc"] else "options"
            raise click.ClickException(f"--{name}: {first['msg']}") from None


def group(name: str, summary: str, desks: CommandDesks, commands: Sequence[click.Command]) -> click.Group:
    """`flask --app wsgi <name> ...`."""

    @click.group(name, help=summary)
    @click.pass_context
    def found(context: click.Context) -> None:
        context.obj = desks

    for command in commands:
        found.add_command(command)
    return found


def lists_and_limits(command: Decorated) -> Decorated:
    """The options that say what may be called, and how much."""
    for name, text in reversed(_LIMITS.items()):
        command = click.option(f"--{name}", help=text)(command)
    for name, text in reversed(_LISTS.items()):
        command = click.option(f"--{name}", multiple=True, help=f"{text} Repeat it, or part them by commas.")(command)
    return command


def as_json(command: Decorated) -> Decorated:
    """The option for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, as the admin routes answer it.")(command)


def yes(command: Decorated) -> Decorated:
    """The option for who is sure."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as a request's fields."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, tuple):
            parts = [part.strip() for one in value for part in one.split(",")]
            value = [part for part in parts if part] or None  # noqa: PLW2901  # the option as a list
        if value is not None:
            found[name] = value
    return found


def show_json(kind: Any, value: Any) -> None:
    """Print a value as the route that answers `kind` writes it."""
    click.echo(TypeAdapter(kind).dump_json(value, indent=2).decode())


def show_table(titles: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> None:
    """Print columns as wide as what is in them; `none` where there is no row."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        click.echo(none)
        return
    lines.insert(0, [title.upper() for title in titles])
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def show_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        click.echo(f"{name.ljust(width)}  {_cell(value)}".rstrip())


def listed_rights(facts: Mapping[str, Any]) -> dict[str, object]:
    """A key's or team's lists, for people: what an empty one means."""
    return {name: facts[name] or meaning for name, meaning in _EMPTY.items()}


def dollars(amount: Decimal) -> str:
    """US dollars to four places; what is less and not nothing does not look like it."""
    return f"{amount:.4f}" if not amount or abs(amount) >= _LEAST_SHOWN else f"{Decimal(f'{amount:.2g}'):f}"


def printable(text: str) -> str:
    """Text that cannot move a terminal's cursor: names are whatever somebody sent."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode() for letter in text
    )


def _cell(value: object) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return printable(", ".join(str(one) for one in value)) or "-"
    if isinstance(value, dict):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))
