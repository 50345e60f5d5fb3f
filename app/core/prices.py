"""What Bedrock costs: the price book that ships with the gateway, and the operator's own prices over it.

docs/prices.md says how a price is found. Where nothing is known the answer is None, never 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache, lru_cache
from importlib import resources

from app.core.bills import NOTHING, Bill, held
from app.core.ledger_entries import UNPRICED, Charge
from app.core.model_names import LONGEST_MODEL
from app.core.price_entries import EXACT, STANDARD, TIERS, DatedPrice, PriceFile
from app.core.price_file import read_price_file
from app.core.price_lookup import PriceLookup
from app.core.rates import Price
from app.core.usage import RequestFacts, Usage

# Model ids come from callers: what is remembered of them is bounded
_REMEMBERED = 2048
_MANTLE = "bedrock-mantle"
_GUARDRAIL_CALLS = ("ApplyGuardrail", "InvokeGuardrailChecks")
# Fewer than a token has in any tokenizer's average, and a body has more in it than its text
_BYTES_PER_TOKEN = 3
# Source: https://aws.amazon.com/bedrock/pricing/, "A text unit can contain up to 1000 characters"
_BYTES_PER_TEXT_UNIT = 1000
_PICO = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What decides a call's rates beside what it used.

    `model`: as it was asked for, an id or an ARN, or None; `region`: the one the request went to, whose prices count;
    `tier`: the service tier asked for, None for the standard one; `operation`: its name, and `billed`: whether AWS
    bills it at all.
    """

    model: str | None
    service: str | None
    region: str | None
    at: date
    tier: str | None = None
    operation: str | None = None
    billed: bool = True


@cache
def shipped_prices() -> PriceFile:
    """The price book that ships with the gateway, read once. tools/price_book.py makes it."""
    return read_price_file(resources.files(__package__).joinpath("price_book.json").read_text())


class PriceBook:
    """Prices, found and added up: the operator's first, the shipped ones where those say nothing."""

    def __init__(self, shipped: PriceFile, own: PriceFile | None = None) -> None:
        self._shipped = shipped
        self._own = own or PriceFile()
        self._lookup = PriceLookup(self._shipped, self._own)
        self._find = lru_cache(maxsize=_REMEMBERED)(self._look_up)
        self._guardrails = lru_cache(maxsize=8)(self._lookup.guardrails)

    @classmethod
    def load(cls, overrides: str | None) -> "PriceBook":
        """`overrides`: the JSON text of OUTCROP_PRICES. Raises PriceFileError."""
        return cls(shipped_prices(), read_price_file(overrides) if overrides else None)

    def models(self) -> tuple[str, ...]:
        """The ids and ARNs that have an entry, sorted."""
        return tuple(sorted({*self._shipped.models, *self._own.models, *self._own.aliases}))

    def entries(self, model: str) -> tuple[DatedPrice, ...]:
        """A model's entries by its exact name: the operator's, then the shipped ones, each newest first."""
        found = (self._own.models.get(model, ()), self._shipped.models.get(model, ()))
        return tuple(entry for entries in found for entry in reversed(entries))

    def knows(self, model: str) -> bool:
        """Whether the operator's file has this very id or ARN."""
        return model in self._own.models or model in self._own.aliases

    def find(self, question: PriceQuestion) -> Price | None:
        """The rates of a call, None where there is no price."""
        if not question.model or len(question.model) > LONGEST_MODEL:
            return None
        # a caller's tier may be any text: at most these are remembered
        tier = question.tier if question.tier in TIERS else STANDARD
        return self._find(question.model, (question.service, question.region), question.at, tier)

    def charge(self, question: PriceQuestion, usage: Usage, http_status: int | None = None) -> Charge:
        """What a call cost: None where a part of it has no price, 0 where AWS bills nothing, such as an error."""
        asked = replace(question, tier=usage.tier) if usage.tier else question
        price = self.find(asked)
        told = _told(price)
        if not question.billed or (http_status is not None and http_status >= 400):
            return replace(told, cost=NOTHING)
        if usage.source == "unknown":
            return told
        guardrails, entry = self._guardrails(question.at)
        bill = Bill(guardrails)
        if usage.by_model:
            told = self._split(bill, asked, usage)
        else:
            bill.add(price, usage.counts, usage.image_size)
        cost = None if bill.total is None else bill.total.quantize(_PICO, context=EXACT)
        parts = (told.entry, entry if bill.uses_guardrails else None, *dict.fromkeys(bill.remarks))
        return replace(told, cost=cost, rates=bill.rates, entry="; ".join(part for part in parts if part) or None)

    def _split(self, bill: Bill, question: PriceQuestion, usage: Usage) -> Charge:
        """Each model's part by its own price; what no part has, such as a guardrail's units, by the call's."""
        rest = dict(usage.counts)
        charges = []
        for model, counts in usage.by_model.items():
            price = self.find(replace(question, model=model))
            bill.add(price, counts, usage.image_size, f"{model}/" if len(usage.by_model) > 1 else "")
            charges.append(_told(price))
            for kind, count in counts.items():
                rest[kind] = rest.get(kind, 0) - count
        price = self.find(question)
        bill.add(price, rest, usage.image_size)
        if len(charges) == 1:
            return charges[0]
        return Charge(
            model=_joined(charge.model for charge in charges), entry=_joined(charge.entry for charge in charges)
        )

    def hold(self, question: PriceQuestion, facts: RequestFacts, default_output_tokens: int) -> Decimal | None:
        """What a call may cost at most, None where there is no price.

        Every three bytes of the body count as an input token of the dearest kind, the output as stated, else
        `default_output_tokens`; of the tier asked for and the standard one, which AWS may use instead, the dearer.
        """
        if not facts.billed:
            return NOTHING
        guardrails, _ = self._guardrails(question.at)
        if question.operation in _GUARDRAIL_CALLS:
            text_units = -(-facts.body_bytes // _BYTES_PER_TEXT_UNIT)
            return EXACT.multiply(sum(guardrails.values(), NOTHING), text_units).quantize(_PICO, context=EXACT)
        tokens = -(-facts.body_bytes // _BYTES_PER_TOKEN)
        output = default_output_tokens if facts.max_output_tokens is None else facts.max_output_tokens
        holds = []
        for tier in {question.tier, None}:
            price = self.find(replace(question, tier=tier))
            hold = held(price, guardrails, facts, tokens, output) if price else None
            if hold is None:
                return None
            holds.append(hold)
        return max(holds).quantize(_PICO, rounding=ROUND_CEILING, context=EXACT)

    def _look_up(self, model: str, place: tuple[str | None, str | None], at: date, tier: str) -> Price | None:
        service, region = place
        return self._lookup.find(model, mantle=service == _MANTLE, region=region, at=at, tier=tier)


def _told(price: Price | None) -> Charge:
    if price is None:
        return UNPRICED
    return Charge(model=price.model, scope=price.scope, tier=price.tier, entry=price.entry)


def _joined(names: Iterable[str | None]) -> str | None:
    return ", ".join(dict.fromkeys(name for name in names if name)) or None
