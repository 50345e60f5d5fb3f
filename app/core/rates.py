"""The rates of one call: what each kind costs once model, place and tier are known."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from app.core.ledger_entries import PriceScope
from app.core.price_entries import EXACT, Block, Prices, Rates
from app.core.usage import UNIT_KINDS, Counts

INPUT_KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "input_image")
OUTPUT_KINDS = ("output", "output_audio")
# Whose rate counts where a kind has none of its own, the first that there is. None of these is ever dearer than what
# AWS bills by more than a cache saves, and none is 0.
_INSTEAD = {
    "cache_write_1h": ("cache_write_5m", "input"),
    "cache_write_5m": ("input",),
    "cache_read": ("input",),
    "input_audio": ("input",),
    "input_image": ("input",),
}
_SIZE = re.compile(r"([0-9]{1,6}|max)-x-([0-9]{1,6}|max)/(?:([0-9]{1,4}|max)-steps|([a-z]{1,20}))")
_NO_BOUND = 10**9


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs, as far as it is known before it is made.

    `model`: the name of the price entry; `tier`: whose rates these are; `entry`: names the entry, with its date and
    file; `above`: as in Rates, descending; `instead`: which kind's rate stands for a kind that has none.
    """

    model: str
    scope: PriceScope
    tier: str
    entry: str
    kinds: Prices
    above: tuple[tuple[int, Prices], ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    image_sizes: Prices = field(default_factory=dict)
    source: str | None = None
    note: str | None = None

    @property
    def bills_units(self) -> bool:
        """Whether AWS bills images, seconds or queries of this model."""
        return bool(self.image_sizes) or any(kind in self.kinds for kind in UNIT_KINDS)

    def past(self, tokens: int) -> tuple[int | None, Prices]:
        """The threshold that so many input and cache tokens are above, None for none, and the rates that count."""
        for threshold, kinds in self.above:
            if tokens > threshold:
                return threshold, kinds
        return None, self.kinds

    def image(self, size: str | None) -> Decimal | None:
        """US dollars for one image: of the smallest size that the price list has and that holds it, else of any."""
        listed = self.listed_image(size)
        return self.kinds.get("output_image") if listed is None else listed

    def listed_image(self, size: str | None) -> Decimal | None:
        """The same, None where the list has no size that holds it."""
        exact = self.image_sizes.get(size or "")
        return _smallest(self.image_sizes, size) if exact is None else exact

    def dearest_image(self) -> Decimal | None:
        """US dollars for one image whose size is not stated."""
        found = [*self.image_sizes.values(), *(self.kinds[kind] for kind in ("output_image",) if kind in self.kinds)]
        return max(found, default=None)

    def dearest(self, kinds: Iterable[str], tokens: int) -> Decimal | None:
        """The highest rate that one of these kinds can have in a call of at most so many input and cache tokens."""
        steps = [self.kinds, *(rates for threshold, rates in self.above if tokens > threshold)]
        found = [rates[kind] for rates in steps for kind in kinds if kind in rates]
        return max(found, default=None)


@dataclass(frozen=True, slots=True)
class TierRates:
    """A block's rates for one tier, whole: as Price has them."""

    kinds: Prices
    above: tuple[tuple[int, Prices], ...]
    instead: Mapping[str, str]


def rates_of(block: Block, tier: str, factor: Decimal) -> TierRates:
    """What a tier does not say, the standard one does: also past a threshold, where its rates are never too low."""
    standard = block.standard
    own = block.tiers.get(tier, Rates())
    kinds = {**standard.kinds, **own.kinds}
    steps = [(threshold, {**kinds, **rates}) for threshold, rates in own.above] or [
        (threshold, {**standard.kinds, **rates}) for threshold, rates in standard.above
    ]
    instead = {
        kind: found
        for kind, others in _INSTEAD.items()
        if kind not in kinds and (found := next((other for other in others if other in kinds), None))
    }
    whole = [(threshold, _times(_with(rates, instead), factor)) for threshold, rates in steps]
    return TierRates(_times(_with(kinds, instead), factor), tuple(reversed(whole)), instead)


def tokens_in(counts: Counts) -> int:
    """The input and cache tokens, which thresholds look at."""
    return sum([counts[kind] for kind in INPUT_KINDS if kind in counts])


def _with(kinds: Prices, instead: Mapping[str, str]) -> dict[str, Decimal]:
    return {**kinds, **{kind: kinds[other] for kind, other in instead.items()}}


def _times(kinds: Prices, factor: Decimal) -> dict[str, Decimal]:
    return {kind: EXACT.multiply(rate, factor) for kind, rate in kinds.items()} if factor != 1 else dict(kinds)


def _smallest(sizes: Prices, size: str | None) -> Decimal | None:
    asked = _bounds(size or "")
    holding = [
        (bounds[0], price)
        for name, price in sizes.items()
        if asked and (bounds := _bounds(name)) and bounds[1] == asked[1] and _holds(bounds[0], asked[0])
    ]
    return min(holding)[1] if holding else None


def _holds(bounds: tuple[int, ...], asked: tuple[int, ...]) -> bool:
    return all(bound >= wanted for bound, wanted in zip(bounds, asked, strict=True))


def _bounds(size: str) -> tuple[tuple[int, ...], str | None] | None:
    """Width, height and steps, and the quality that is named in place of steps."""
    found = _SIZE.fullmatch(size)
    if not found:
        return None
    return tuple(_NO_BOUND if part == "max" else int(part or 0) for part in found.groups()[:3]), found[4]
