"""`flask --app wsgi prices ...`: what calls cost and why, and how prices get into the gateway."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from app.core.errors import GatewayError
from app.core.price_blocks import price_written
from app.core.price_entries import STANDARD, TIERS
from app.core.price_file import PriceFileError, read_price_file
from app.core.price_import import Imported, NoPriceList, PriceImport
from app.core.prices import PriceBook, PriceQuestion, shipped_prices
from app.core.rates import Price
from app.core.usage import TOKEN_KINDS
from app.web.desk_commands import printable, show_fields, show_table

_REGION_HELP = "The region that a call goes to; without it, the gateway's."
_MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class PriceTools:
    """What the commands use. `resolve`: what an application profile runs; `fetch`: a URL's content; `offers`: AWS's."""

    book: PriceBook
    region: str
    resolve: Callable[[str | None, str], str | None]
    fetch: Callable[[str], bytes]
    offers: Sequence[str]


def prices_group(desk: PriceTools) -> click.Group:
    """`prices`."""

    @click.group("prices", help="See what calls cost and why; import AWS's price list; check a price file.")
    @click.pass_context
    def found(context: click.Context) -> None:
        context.obj = desk

    for command in (_show, _list, _import, _check):
        found.add_command(command)
    return found


@click.command("show")
@click.argument("model")
@click.option("--region", help=_REGION_HELP)
@click.option("--tier", type=click.Choice([STANDARD, *TIERS]), help="Service tier; without it, the standard one.")
@click.option("--mantle", is_flag=True, help="For calls of the bedrock-mantle endpoint.")
@click.option("--on", "day", type=click.DateTime(("%Y-%m-%d",)), help="The day of the call; without it, today.")
@click.pass_obj
def _show(desk: PriceTools, /, model: str, *, region: str | None, tier: str | None, mantle: bool, day: Any) -> None:  # noqa: PLR0913  # one for each option
    """What a model id or ARN costs, and which entry says so.

    \b
    flask --app wsgi prices show us.anthropic.claude-sonnet-4-5-20250929-v1:0
    """
    region = region or desk.region
    service = "bedrock-mantle" if mantle else "bedrock-runtime"
    priced_as = desk.resolve(model, region)
    on = day.date() if day else _today()
    price = desk.book.find(PriceQuestion(priced_as, service, region, on, tier))
    if price is None:
        raise click.ClickException(
            f"{printable(model)} has no price in {region} on {on}: its calls cost null, and keys under a budget are "
            "refused it. Look for its id in `flask --app wsgi prices list`, or give it a price, or say which model it "
            "is, in OUTCROP_PRICES: see docs/prices.md."
        )
    facts = {"model": price.model, "entry": price.entry, "scope": price.scope, "tier": price.tier}
    if priced_as != model:
        facts = {"asked for": model, "priced as": str(priced_as)} | facts
    show_fields(facts | {"source": price.source, "note": price.note})
    click.echo()
    show_table(("what", "US dollars", "for", "why"), _rows(price), "No rates.")


@click.command("list")
@click.option("--region", help=_REGION_HELP)
@click.pass_obj
def _list(desk: PriceTools, /, *, region: str | None) -> None:
    """Every model that has a price: US dollars for a million input and output tokens."""
    rows = []
    for model in desk.book.models():
        price = desk.book.find(PriceQuestion(model, "bedrock-runtime", region or desk.region, _today()))
        if price:
            shown = [_per_million(price, kind) for kind in ("input", "output", "cache_read")]
            rows.append((model, *shown, "yes" if price.bills_units else None, price.entry))
    show_table(("model", "input", "output", "cache read", "units", "entry"), rows, "No prices.")


@click.command("import")
@click.option(
    "--from", "sources", multiple=True, help="A file or URL of AWS's price list; without it, AWS's own three."
)
@click.option("--region", help="Only this region's prices; without it, every region's.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Where to write; without it, the terminal.")
@click.pass_obj
def _import(desk: PriceTools, /, *, sources: Sequence[str], region: str | None, out: str | None) -> None:
    """Read AWS's public price list, and write a price file of what differs from the book that ships.

    \b
    flask --app wsgi prices import --region eu-central-1 --out prices.json
    OUTCROP_PRICES=prices.json
    """
    reader = PriceImport(shipped_prices(), region)
    for source in sources or desk.offers:
        click.echo(f"Reading {source}", err=True)
        try:
            reader.read(json.loads(_content(desk, source)))
        except (NoPriceList, ValueError, AttributeError, RecursionError) as error:
            raise click.ClickException(f"{source}: {_first_line(error)}") from None
    imported = reader.result()
    text = json.dumps(_file(imported, sources or desk.offers), indent=1, ensure_ascii=False) + "\n"
    read_price_file(text)
    if out:
        Path(out).write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    _tell(imported, out)


@click.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def _check(file: str) -> None:
    """Say whether a price file can be read, or which line and field of it is wrong."""
    try:
        found = read_price_file(Path(file).read_text(encoding="utf-8-sig"))
    except (PriceFileError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: {_first_line(error)}") from None
    entries = sum(len(dated) for dated in found.models.values())
    click.echo(f"{file}: {len(found.models)} models, {entries} entries, {len(found.aliases)} aliases, all well")


def _content(desk: PriceTools, source: str) -> bytes:
    if not source.startswith(("http://", "https://")):
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise click.ClickException(f"{source}: {error.strerror}") from None
    try:
        return desk.fetch(source)
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def _file(imported: Imported, sources: Iterable[str]) -> Mapping[str, Any]:
    told = {"source": f"AWS price list of {imported.published or 'an unknown day'}"}
    return {
        "about": "What AWS's public price list says that differs from the price book",
        "sources": list(sources),
        "from": imported.published or _today().isoformat(),
        "models": {model: told | entry for model, entry in imported.models.items()},
    }


def _tell(imported: Imported, out: str | None) -> None:
    places = sum(len(entry.get("overrides", {})) + ("global" in entry) for entry in imported.models.values())
    click.echo(
        f"{imported.read} prices read: {imported.agreeing} places as the book has them, {places} otherwise"
        f"{f', written to {out}' if out else ''}.",
        err=True,
    )
    for reason, usage_types in sorted(imported.skipped.items()):
        examples = ", ".join(sorted(set(usage_types))[:_MOST_EXAMPLES])
        click.echo(f"{len(usage_types)} rows skipped, {reason}: {printable(examples)}, ...", err=True)


def _rows(price: Price) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    steps: list[tuple[int | None, Mapping[str, Any]]] = [(None, price.kinds), *reversed(price.above)]
    for threshold, kinds in steps:
        past = f", above {threshold} input tokens" if threshold else ""
        for kind, rate in kinds.items():
            is_token = kind in TOKEN_KINDS
            if threshold and (not is_token or kind in price.instead):
                continue
            why = f"no price of its own: {price.instead[kind]}'s" if kind in price.instead else None
            amount = price_written(rate * 1_000_000 if is_token else rate)
            rows.append((kind + past, amount, "1,000,000 tokens" if is_token else "each", why))
    rows += [(f"image of {size}", price_written(rate), "each", None) for size, rate in price.image_sizes.items()]
    return rows


def _per_million(price: Price, kind: str) -> str | None:
    rate = price.kinds.get(kind)
    return None if rate is None or kind in price.instead else price_written(rate * 1_000_000)


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0][:300])


def _today() -> date:
    return datetime.now(UTC).date()
