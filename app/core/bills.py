"""What was used, added up kind by kind: exactly, and without a total as soon as one part of it has no price."""

from dataclasses import dataclass, field
from decimal import Decimal

from app.core.price_entries import EXACT, Prices
from app.core.rates import INPUT_KINDS, OUTPUT_KINDS, Price, tokens_in
from app.core.usage import FREE_KINDS, TOKEN_KINDS, UNIT_KINDS, Counts, RequestFacts

NOTHING = Decimal(0)


@dataclass(slots=True)
class Bill:
    """The parts of one call. `total`: None where a part has no price; `rates`: by kind, for one unit each."""

    guardrails: Prices
    total: Decimal | None = NOTHING
    rates: dict[str, Decimal] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    uses_guardrails: bool = False

    def add(self, price: Price | None, counts: Counts, image_size: str | None, prefix: str = "") -> None:
        """What one model did, and whatever guardrails did beside it. `prefix`: of the names in `rates`."""
        threshold, kinds = price.past(tokens_in(counts)) if price else (None, {})
        if threshold:
            self.remarks.append(f"above {threshold}")
        for kind, count in counts.items():
            if count <= 0 or kind in FREE_KINDS:
                continue
            rate = self._rate(price, kinds, kind, image_size)
            if rate is None:
                if kind in TOKEN_KINDS and _bills_units(price, counts):
                    continue  # this model's images, seconds or queries are what AWS bills, and they are counted
                self.total = None
                self.remarks.append(f"no price for {prefix}{kind}")
                continue
            self.rates[prefix + kind] = rate
            if price and kind in price.instead:
                self.remarks.append(f"{kind} at {price.instead[kind]}")
            if kind == "output_image" and price and image_size and price.listed_image(image_size) is None:
                self.remarks.append(f"no price for {image_size[:40]}: any size's")
            if self.total is not None:
                self.total = EXACT.add(self.total, EXACT.multiply(rate, count))

    def _rate(self, price: Price | None, kinds: Prices, kind: str, image_size: str | None) -> Decimal | None:
        if kind in TOKEN_KINDS:
            return kinds.get(kind)
        if kind in UNIT_KINDS:
            return price.image(image_size) if price and kind == "output_image" else kinds.get(kind)
        self.uses_guardrails = True
        return self.guardrails.get(kind)


def _bills_units(price: Price | None, counts: Counts) -> bool:
    return price is not None and price.bills_units and any(counts.get(kind, 0) > 0 for kind in UNIT_KINDS)


def held(
    price: Price, guardrails: Prices, facts: RequestFacts, input_tokens: int, output_tokens: int
) -> Decimal | None:
    """What a call may cost at most by one price; None where something that it states has none."""
    rates = [
        (price.dearest(INPUT_KINDS, input_tokens), input_tokens),
        (price.dearest(OUTPUT_KINDS, input_tokens), output_tokens),
    ]
    if not price.bills_units and rates[0][0] is None and rates[1][0] is None:
        return None
    if rates[0][0] is None and not facts.units:
        return None  # billed by units that the request does not state
    total = NOTHING
    for rate, tokens in rates:
        if rate is not None:
            total = EXACT.add(total, EXACT.multiply(rate, tokens))
    for kind, count in facts.units.items():
        unit = _unit(price, guardrails, kind, facts.image_size)
        if unit is None:
            return None
        total = EXACT.add(total, EXACT.multiply(unit, count))
    return total


def _unit(price: Price, guardrails: Prices, kind: str, image_size: str | None) -> Decimal | None:
    if kind == "output_image":
        return price.image(image_size) if image_size else price.dearest_image()
    return price.kinds.get(kind) if kind in UNIT_KINDS or kind in TOKEN_KINDS else guardrails.get(kind)
