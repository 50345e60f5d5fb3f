"""From AWS's public price list to a price file: what differs from the book, and what could not be read for sure.

A row counts only if every part of it is known (aws_price_list.py), its model is one that the book knows or that it
names by its id, and its price is near the book's. A place whose prices differ is taken whole or not at all: a new price
for input beside the book's for a cache would be neither list's.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from app.core.aws_price_list import Meter, meter_of, model_key
from app.core.price_blocks import block_written, free_part, overlaid, standard_prices
from app.core.price_entries import GLOBAL, MANTLE, STANDARD, Block, PriceFile, block_of

# How many of AWS's units make a million tokens. Rows of the marketplace say Units and mean a million.
_A_MILLION = {"1K tokens": 1000, "1M tokens": 1, "Units": 1}
# A price that is this many times the book's, or as small a part of it, is for another unit than the row says.
_LIKELY = 50
_OTHERS = (*("custom", "provisioned", "reserved", "training", "latency", "30m"), *("image", "audio", "video", "speech"))
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")
_TIERS = ("batch", "flex", "priority", "ultrafast")

Rate = tuple[str, int | None, str]  # a tier, the threshold that is passed, a kind
_Spot = tuple[str, str]  # a model's id, and the block that a price is for


class NoPriceList(ValueError):
    """What was given to be read is not in the form of AWS's price list."""


@dataclass(slots=True)
class Imported:
    """`models`: what a price file says of them; `skipped`: usage types by the reason; `read`, `agreeing`: how many
    prices were understood, and how many blocks say what the book says; `published`: AWS's day, if it told one."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    read: int = 0
    agreeing: int = 0
    published: str | None = None


class PriceImport:
    """Reads offers one after the other."""

    def __init__(self, book: PriceFile, region: str | None = None) -> None:
        """`region`: the only one to be read, None for all."""
        self._book = book
        self._region = region
        self._names: dict[str, list[str]] = defaultdict(list)
        for model in book.models:
            self._names[model_key(model)].append(model)
        self._rates: dict[_Spot, dict[Rate, Decimal | None]] = defaultdict(dict)
        self._imported = Imported()

    def read(self, offer: Mapping[str, Any]) -> None:
        """One offer, as its index.json has it. Raises NoPriceList."""
        products, terms = offer.get("products"), offer.get("terms")
        if not isinstance(products, dict) or not isinstance(terms, dict):
            raise NoPriceList("no offer of AWS's price list: it has no products and terms")
        published = str(offer.get("publicationDate", ""))[:10]
        self._imported.published = max(self._imported.published or "", published) or None
        prices = terms.get("OnDemand")
        for sku, product in products.items():
            attributes = product.get("attributes") if isinstance(product, dict) else None
            if isinstance(attributes, dict) and self._region in (None, attributes.get("regionCode")):
                self._row(attributes, prices.get(sku) if isinstance(prices, dict) else None)

    def result(self) -> Imported:
        """What all of them said, together."""
        for (model, place), rates in sorted(self._rates.items()):
            self._write(model, place, {rate: price for rate, price in rates.items() if price is not None})
        return self._imported

    def _row(self, attributes: Mapping[str, Any], terms: Any) -> None:
        usage_type = str(attributes.get("usagetype", ""))
        meter = meter_of(usage_type)
        if meter is None or _is_other(attributes, meter):
            self._skip("another product than tokens on demand, or none that is known", usage_type)
            return
        price = _price(terms)
        if price is None or not _REGION.fullmatch(str(attributes.get("regionCode"))):
            self._skip("no one price in dollars for tokens", usage_type)
            return
        models = self._models(meter, attributes)
        if not models:
            self._skip("a model that the book does not know", usage_type)
        for model in models:
            self._take(model, str(attributes["regionCode"]), meter, price, usage_type)

    def _models(self, meter: Meter, attributes: Mapping[str, Any]) -> Sequence[str]:
        if meter.names_model_id:
            return [meter.model]
        told = (attributes.get("model"), meter.model) if meter.model else (attributes.get("servicename"),)
        for name in told:
            if isinstance(name, str) and (models := self._names.get(model_key(name))):
                return models
        return []

    def _take(self, model: str, region: str, meter: Meter, price: Decimal, usage_type: str) -> None:
        place = {"global": GLOBAL, "mantle": f"{MANTLE}:{region}"}.get(meter.place, region)
        block = self._known(model, place)
        threshold = next(iter(_thresholds(block)), None) if meter.long_context else None
        if meter.long_context and threshold is None:
            self._skip("past a threshold that the book does not know", usage_type)
            return
        known = _known_rate(block, (meter.tier, threshold, meter.kind))
        if known and not known / _LIKELY <= price <= known * _LIKELY:
            self._skip("a price too far from the book's to be for the unit that it states", usage_type)
            return
        rates, rate = self._rates[model, place], (meter.tier, threshold, meter.kind)
        if rates.setdefault(rate, price) != price:
            rates[rate] = None
            self._skip("two prices for one thing, such as a global profile that differs by region", usage_type)
            return
        self._imported.read += 1

    def _write(self, model: str, place: str, rates: Mapping[Rate, Decimal]) -> None:
        known = self._known(model, place) or Block()
        told = {(threshold, kind): price for (tier, threshold, kind), price in rates.items() if tier == STANDARD}
        before = standard_prices(known)
        needed = before or dict.fromkeys(((None, "input"), (None, "output")))
        differs = any(before.get(rate) != price for rate, price in told.items())
        if differs and not told.keys() >= needed.keys():
            self._skip("a place of which not every price is named", f"{model} in {place}")
            return
        # what a list with other prices does not name would be of another time or place
        block = overlaid(free_part(known) if differs else known, rates)
        if block_written(block) == block_written(known):
            self._imported.agreeing += 1
            return
        entry = self._imported.models.setdefault(model, {})
        (entry if place == GLOBAL else entry.setdefault("overrides", {}))[place] = block_written(block)

    def _known(self, model: str, place: str) -> Block | None:
        """The book's newest block for a place."""
        entries = self._book.models.get(model)
        if not entries:
            return None
        endpoint, _, region = place.rpartition(":")
        profile = GLOBAL if place == GLOBAL else None
        found = block_of(entries[-1].blocks, region, profile, mantle=endpoint == MANTLE)
        return entries[-1].blocks[found] if found else None

    def _skip(self, reason: str, usage_type: str) -> None:
        self._imported.skipped[reason].append(usage_type)


def _is_other(attributes: Mapping[str, Any], meter: Meter) -> bool:
    """Whether the attributes speak of something else than the usage type does."""
    texts = [attributes.get(name) for name in ("feature", "inferenceType", "usagetype", "group")]
    words = " ".join(str(text).lower() for text in texts if text)
    if any(other in words for other in _OTHERS):
        return True
    tiers = {tier for tier in _TIERS if tier in words}
    return not tiers <= {meter.tier} or ("global" in words) != (meter.place == "global")


def _price(terms: Any) -> Decimal | None:
    """US dollars for a million tokens, where there is one price."""
    dimensions = list(_dimensions(terms))
    if len(dimensions) != 1:
        return None
    unit, price = dimensions[0].get("unit"), dimensions[0].get("pricePerUnit")
    text = price.get("USD") if isinstance(price, dict) else None
    if unit not in _A_MILLION or not isinstance(text, str) or len(text) > 30:
        return None
    try:
        found = Decimal(text) * _A_MILLION[unit]
    except InvalidOperation:
        return None
    return found if found.is_finite() and found > 0 else None


def _dimensions(terms: Any) -> Iterator[Mapping[str, Any]]:
    for term in terms.values() if isinstance(terms, dict) else ():
        dimensions = term.get("priceDimensions") if isinstance(term, dict) else None
        for dimension in dimensions.values() if isinstance(dimensions, dict) else ():
            if isinstance(dimension, dict):
                yield dimension


def _thresholds(block: Block | None) -> Iterable[int]:
    return [threshold for threshold, _ in block.standard.above] if block and len(block.standard.above) == 1 else []


def _known_rate(block: Block | None, rate: Rate) -> Decimal | None:
    """US dollars for a million tokens, as the book has them, of the standard tier where the tier has none."""
    tier, threshold, kind = rate
    if block is None:
        return None
    for rates in (block.tiers.get(tier), block.standard):
        if rates is None:
            continue
        found = dict(rates.above).get(threshold, {}) if threshold else rates.kinds
        if kind in found:
            return found[kind] * 1_000_000
    return None
