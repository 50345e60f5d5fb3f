"""`flask --app wsgi usage report|prune`: what was used and spent, in a terminal, and how the ledger is kept short."""

import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import click

from app.core import durations
from app.core.errors import InvalidField, NotFound
from app.core.report_messages import NO_FIGURES, Figures, RowsQuery, Span, Sum, TotalsKind, span_since
from app.web.admin_api.csv_tables import csv_text
from app.web.admin_api.spend_answers import FiguresAnswer, figures
from app.web.desk_commands import ACTOR, CommandDesks, DeskCommand, as_json, printable, show_json, yes
from app.web.team_commands import team_named

_KINDS: dict[str, TotalsKind] = {
    "key": "key",
    "team": "team",
    "user": "user",
    "end-user": "end_user",
    "model": "model",
    "tag": "tag",
    "claimed-tag": "claimed_tag",
    "day": "all",
}
# of these a call has several, or none: what is left of all calls is nobody's
_OVERLAPPING = ("tag", "claimed_tag")
_TITLES = ("calls", "failed", "unpriced", "input", "output", "cache read", "cache write", "usd")
_BAR = 24
_EIGHTHS = "▏▎▍▌▋▊▉█"
# Postings wait on a disk while the database is away: a row deleted before its posting came again would be booked anew.
_YOUNGEST = timedelta(days=2)
_TOLD_EVERY = 10_000


class UsageLine(FiguresAnswer):
    """One thing's figures. `name`: of a key or team."""

    id: str
    name: str | None


@click.command("report", cls=DeskCommand)
@click.option("--by", type=click.Choice(list(_KINDS)), default="model", show_default=True, help="What a line is of.")
@click.option("--since", default="7d", show_default=True, help="A date, or for how long: 7d, 2w, 1mo.")
@click.option("--until", help="The last day, today without it. Days are UTC.")
@click.option("--team", help="Only calls of this team, by its id or alias.")
@click.option("--top", default=50, type=click.IntRange(1, 1000), show_default=True, help="How many lines.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@as_json
@click.pass_obj
def report_command(  # noqa: PLR0913  # the command's options
    desks: CommandDesks, /, *, by: str, since: str, until: str | None, team: str | None, top: int, **machine: bool
) -> None:
    """Show what was used and spent, the dearest first.

    \b
    flask --app wsgi usage report --by team --since 1mo
    flask --app wsgi usage report --by day --since 2026-11-01 --until 2026-11-30 --csv
    """
    if all(machine.values()):
        raise click.UsageError("Say --csv or --json, not both.")
    kind = _KINDS[by]
    span = span_since(since, until, desks.reports.now().date())
    team = _team_id(desks, span, team) if team else None
    found = desks.reports.sums(ACTOR, kind, span, team)
    total = sum((day.figures for day in desks.reports.sums(ACTOR, "all", span, team)), NO_FIGURES)
    lines = [
        (one.day or one.id, None if one.day else one.name, one.figures)
        for one in found[: None if kind == "all" else top]
    ]
    lines += _rest(kind, found, lines, total)
    told = [UsageLine.model_validate(figures(sums) | {"id": name, "name": alias}) for name, alias, sums in lines]
    if machine["as_json"]:
        show_json(list[UsageLine], told)
    elif machine["as_csv"]:
        columns = ["id", "name", *FiguresAnswer.model_fields]
        rows = (line.model_dump(mode="json") for line in told)
        click.echo(csv_text(columns, ([one[name] for name in columns] for one in rows)), nl=False)
    else:
        click.echo(f"{span.first} to {span.last} (UTC)" + (f", team {printable(team)}" if team else ""))
        labels = _labels(kind, [(name, alias) for name, alias, _ in lines])
        _show([(label, sums) for label, (_, _, sums) in zip(labels, lines, strict=True)], total)


@click.command("prune", cls=DeskCommand)
@click.option("--older-than", required=True, help="Delete rows of calls that are older: 90d, 6mo.")
@yes
@click.pass_obj
def prune_command(desks: CommandDesks, older_than: str, *, yes: bool) -> None:
    """Delete old rows of the ledger. The totals of the days stay, and so does what everybody spent.

    \b
    flask --app wsgi usage prune --older-than 90d
    """
    now = desks.reports.now()
    try:
        before = now - (durations.after(now, older_than) - now)
    except (ValueError, OverflowError) as error:
        raise InvalidField(f"--older-than: {error}", "older_than") from None
    if now - before < _YOUNGEST:
        raise InvalidField(f"--older-than: at least {_YOUNGEST.days}d, as calls may be booked late.", "older_than")
    found = desks.reports.page(ACTOR, RowsQuery(until=before, kind="call", limit=1))
    count = f"{found.total:,}{' or more' if found.capped else ''}"
    if not found.total:
        click.echo(f"No rows are older than {before:%Y-%m-%d %H:%M} UTC.")
        return
    if not yes:
        click.confirm(f"Delete {count} rows older than {before:%Y-%m-%d %H:%M} UTC?", abort=True)
    told = 0

    def tell(gone: int) -> None:
        nonlocal told
        if gone - told >= _TOLD_EVERY:
            told = gone
            click.echo(f"{gone:,} of {count} rows deleted ...", err=True)

    click.echo(f"{desks.prune(before, tell):,} rows deleted. Totals of days and what was spent are as they were.")


def _rest(
    kind: TotalsKind, found: Sequence[Sum], lines: Sequence[Any], total: Figures
) -> list[tuple[str, str | None, Figures]]:
    """What is in the total and in no line: a line without an id, so that lines sum up to the total."""
    if kind in _OVERLAPPING or kind == "all":
        return []
    rest = total - sum((sums for _, _, sums in lines), NO_FIGURES)
    if not rest.calls and not rest.cost:
        return []
    return [("", "(others)" if len(found) > len(lines) else "(none)", rest)]


def _team_id(desks: CommandDesks, span: Span, named: str) -> str:
    """By its id or alias; a team that was deleted is known by its calls, and goes by its id. Raises NotFound."""
    try:
        return team_named(desks.teams, named).id
    except NotFound:
        if not desks.reports.sums(ACTOR, "team", span, named):
            raise
        return named


def _labels(kind: TotalsKind, lines: Sequence[tuple[str, str | None]]) -> list[str]:
    """Names for people. A key's id is long, and its alias says which it is, unless a deleted one had it too."""
    aliases = [alias for _, alias in lines]
    return [
        name
        if not alias or alias == name
        else alias
        if not name or (kind == "key" and aliases.count(alias) == 1)
        else f"{alias} ({name})"
        for name, alias in lines
    ]


def _show(lines: Sequence[tuple[str, Figures]], total: Figures) -> None:
    """A line each, then the total; figures stand right, behind them a bar by cost, or by calls where all cost 0."""
    if not lines:
        click.echo("No calls.")
        return
    places = 2 if total.cost >= 1000 else 4 if total.cost >= 1 else 6
    by_cost = any(sums.cost > 0 for _, sums in lines)
    sizes = [float(sums.cost) if by_cost else float(sums.calls) for _, sums in lines]
    rows = [("", *(title.upper() for title in _TITLES))]
    rows += [(printable(label), *_cells(sums, places)) for label, sums in lines]
    rows.append(("all calls", *_cells(total, places)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    fits = not sys.stdout.isatty() or sum(widths) + 2 * len(widths) + _BAR <= shutil.get_terminal_size().columns
    bars = ["", *(_bar(size / (max(sizes) or 1)) if fits else "" for size in sizes), ""]
    for row, bar in zip(rows, bars, strict=True):
        label, *cells = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join((label, *cells, bar)).rstrip())


def _cells(sums: Figures, places: int) -> tuple[str, ...]:
    numbers = (
        sums.calls,
        sums.failures,
        sums.unpriced,
        sums.input_tokens,
        sums.output_tokens,
        sums.cache_read_tokens,
        sums.cache_write_tokens,
    )
    # what is not nothing must not look like it
    cost = sums.cost if not sums.cost or abs(sums.cost) >= Decimal(1).scaleb(-places) else None
    return (*(f"{number:,}" for number in numbers), f"{cost:,.{places}f}" if cost is not None else f"{sums.cost:.2g}")


def _bar(share: float) -> str:
    """In eighths of a character where the terminal can show them, which it says by its encoding."""
    share = max(0.0, min(share, 1.0))
    if "utf" not in (sys.stdout.encoding or "").lower():
        return "#" * round(share * _BAR)
    whole, eighths = divmod(round(share * _BAR * 8), 8)
    return _EIGHTHS[-1] * whole + (_EIGHTHS[eighths - 1] if eighths else "")
