"""Prices as data: what a model costs, by where and how it is called, from a day on.

docs/prices.md describes the format, which is the same in the book that ships and in an operator's file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

Prices = Mapping[str, Decimal]

# Products of any count that is believed and any price that a file may state have fewer digits: nothing is rounded
# before the end.
EXACT = Context(prec=64, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
# Service tiers that may have prices of their own. Every other word means the standard one.
TIERS = ("batch", "flex", "priority", "ultrafast")
STANDARD = "standard"
# Where a block of prices counts. Other places are a profile's prefix such as eu., a region such as us-gov-west-1, and
# a region of the mantle endpoint such as mantle:us-gov-west-1.
REGIONAL, GLOBAL, MANTLE = "regional", "global", "mantle"
ALWAYS = date.min


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for one unit of each kind (app/core/usage.py), one token and not a million of them.

    `above`: rates in their place for a whole request that has more input and cache tokens than a threshold, ascending.
    """

    kinds: Prices = field(default_factory=dict)
    above: tuple[tuple[int, Prices], ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What holds in one place: the standard tier's rates, and what other tiers have of their own."""

    standard: Rates = Rates()
    tiers: Mapping[str, Rates] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """What a model costs from a day on.

    `blocks`: by where they count; `image_sizes`: US dollars for one image, by "1024-x-1024/50-steps"; `factor`: what
    is paid of every price, None where the file's own factor counts; the rest is told, and changes nothing.
    """

    since: date = ALWAYS
    blocks: Mapping[str, Block] = field(default_factory=dict)
    image_sizes: Prices = field(default_factory=dict)
    factor: Decimal | None = None
    mode: str | None = None
    source: str | None = None
    deprecated: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DatedUnits:
    """What the units of guardrails cost from a day on, by AWS's words for them."""

    since: date
    prices: Prices


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What one file says. `models`: by id or ARN, oldest first; `aliases`: id or ARN -> the id that it is priced as."""

    models: Mapping[str, Sequence[DatedPrice]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    guardrails: Sequence[DatedUnits] = ()
    factor: Decimal = Decimal(1)


def block_of(blocks: Mapping[str, Block], region: str | None, profile: str | None, *, mantle: bool) -> str | None:
    """The name of the block that counts for a call: the most particular one that there is.

    `profile`: the prefix of an inference profile's id. A global profile costs the same wherever it is called from.
    """
    names = [f"mantle:{region}", MANTLE] if mantle else []
    if profile == GLOBAL:
        names.append(GLOBAL)
    names += [f"{profile}.", str(region), REGIONAL]
    return next((name for name in names if name in blocks), None)
