"""From a model id or ARN to its price: which entry is meant, which is in force, which of its blocks counts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from app.core.ledger_entries import PriceScope
from app.core.model_names import GEO_PREFIXES, foundation_model, model_name
from app.core.price_entries import (
    ALWAYS,
    EXACT,
    GLOBAL,
    STANDARD,
    Block,
    DatedPrice,
    DatedUnits,
    PriceFile,
    Prices,
    block_of,
)
from app.core.rates import Price, rates_of

Dated = TypeVar("Dated", DatedPrice, DatedUnits)
# How entries that are the operator's are named
_OWN = "OUTCROP_PRICES "
_VERSION = re.compile(r"-v[0-9]+$")


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry that is in force for a model, and the block of it that counts for a call, if any does."""

    name: str
    entry: DatedPrice
    own: bool
    place: str | None = None


class PriceLookup:
    """The shipped book and the operator's file, which wins: block by block, while its entry is in force."""

    def __init__(self, shipped: PriceFile, own: PriceFile) -> None:
        self._shipped = shipped
        self._own = own

    def find(self, model: str, *, mantle: bool, region: str | None, at: date, tier: str) -> Price | None:
        """The rates of a call. `mantle`: it goes to the bedrock-mantle endpoint."""
        profile, entries = self._entries(self._own.aliases.get(model, model), at)
        found = [
            _Found(one.name, one.entry, one.own, block_of(one.entry.blocks, region, profile, mantle=mantle))
            for one in entries
        ]
        sized = next((one for one in found if one.entry.image_sizes), None)
        chosen = next((one for one in found if one.place), sized)
        if chosen is None:
            return None
        factors = (one.entry.factor for one in found if one.own and one.entry.factor is not None)
        factor = next(factors, self._own.factor)
        block = chosen.entry.blocks[chosen.place] if chosen.place else Block()
        rates = rates_of(block, tier, factor)
        return Price(
            model=chosen.name,
            scope=_scope(profile),
            tier=tier if tier in block.tiers else STANDARD,
            entry=_label(chosen, block, tier, factor),
            kinds=rates.kinds,
            above=rates.above,
            instead=rates.instead,
            image_sizes=_times(sized.entry.image_sizes, factor) if sized else {},
            source=chosen.entry.source,
            note=chosen.entry.note,
        )

    def guardrails(self, at: date) -> tuple[Prices, str]:
        """US dollars for one unit of each kind, by AWS's words, and the name of the newest entry."""
        shipped = _in_force(self._shipped.guardrails, at, or_first=True)
        own = _in_force(self._own.guardrails, at, or_first=False)
        prices = {**(shipped.prices if shipped else {}), **(own.prices if own else {})}
        newest = own or shipped
        since = newest.since if newest else ALWAYS
        return _times(prices, self._own.factor), f"{_OWN if own else ''}{_day(since)}guardrails"

    def _entries(self, text: str, at: date) -> tuple[str | None, list[_Found]]:
        """The prefix of the profile that a model is called by, and its entries in force, the operator's first."""
        name = model_name(text)
        spelled = name.spellings[0] if name.spellings else ""
        profile = name.profile if name.profile in GEO_PREFIXES else None
        names = list(_names(foundation_model(spelled))) if spelled else []
        prefix, _, rest = spelled.partition(".")
        if "." in rest and not any(one in self._shipped.models for one in names):
            # a profile for places that AWS has opened since: whatever stands before the id of a model that is known
            others = list(_names(rest))
            if any(one in self._shipped.models for one in others):
                profile, names = prefix, others
        own = _first(self._own.models, (text, spelled, *names), at, or_first=False)
        shipped = _first(self._shipped.models, names, at, or_first=True)
        found = ((own, True), (shipped, False))
        return profile, [_Found(one[0], one[1], is_own) for one, is_own in found if one]


def _names(model_id: str) -> Iterator[str]:
    """What a model's entry may be called, the most particular name first."""
    yield model_id
    plain = model_id
    while ":" in plain:
        plain = plain.rpartition(":")[0]
        yield plain
    if _VERSION.search(plain):
        yield _VERSION.sub("", plain)
    else:
        yield f"{plain}-v1:0"
        yield f"{plain}-1:0"


def _first(
    models: Mapping[str, Sequence[DatedPrice]], names: Iterable[str], at: date, *, or_first: bool
) -> tuple[str, DatedPrice] | None:
    for name in names:
        entry = _in_force(models.get(name, ()), at, or_first=or_first)
        if entry:
            return name, entry
    return None


def _in_force(entries: Sequence[Dated], at: date, *, or_first: bool) -> Dated | None:
    """The newest of that day; before the first of all nothing, or the first, where no older price is known."""
    begun = [entry for entry in entries if entry.since <= at]
    if begun:
        return begun[-1]
    return entries[0] if entries and or_first else None


def _scope(profile: str | None) -> PriceScope:
    if profile is None:
        return "in-region"
    return "global" if profile == GLOBAL else "geo"


def _label(found: _Found, block: Block, tier: str, factor: Decimal) -> str:
    file = _OWN if found.own else ""
    label = f"{file}{_day(found.entry.since)}{found.name}/{found.place or 'image_sizes'}"
    if tier in block.tiers:
        label += f"/{tier}"
    elif tier != STANDARD:
        label += f" (no {tier} price)"
    return label if factor == 1 else f"{label} x {factor.normalize(EXACT):f}"


def _day(since: date) -> str:
    return "" if since == ALWAYS else f"{since.isoformat()}/"


def _times(prices: Prices, factor: Decimal) -> Prices:
    return {name: EXACT.multiply(price, factor) for name, price in prices.items()} if factor != 1 else prices
