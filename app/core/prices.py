"""What Bedrock costs: the price book that ships with the gateway, and the operator's own prices over it.

docs/prices.md says how a price is found. Where nothing is known the answer is None, never 0.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache, lru_cache
from importlib import resources

from app.core.bills import NOTHING, Bill, held
from app.core.ledger_entries import Charge
from app.core.model_names import LONGEST_MODEL
from app.core.price_entries import EXACT, STANDARD, TIERS, DatedPrice, PriceFile
from app.core.price_file import read_price_file
from app.core.price_lookup import PriceLookup
from app.core.rates import Price
from app.core.usage import RequestFacts, Usage
from app.core.value import value

# Model ids come from callers: what is remembered of them is bounded
_REMEMBERED = 2048
_MANTLE = "bedrock-mantle"
_GUARDRAIL_CALLS = ("ApplyGuardrail", "InvokeGuardrailChecks")
# Fewer than a token has in any tokenizer's average, and a body has more in it than its text
_BYTES_PER_TOKEN = 3
# Source: https://aws.amazon.com/bedrock/pricing/, "A text unit can contain up to 1000 characters"
_BYTES_PER_TEXT_UNIT = 1000
_PICO = Decimal("1e-12")


@value
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
        return self._priced(question, question.model, question.tier)

    def charge(self, question: PriceQuestion, usage: Usage, http_status: int | None = None) -> Charge:
        """What a call cost: None where a part of it has no price, 0 where AWS bills nothing, such as an error."""
        tier = usage.tier or question.tier
        price = self._priced(question, question.model, tier)
        if not question.billed or (http_status is not None and http_status >= 400):
            return _told([price], NOTHING)
        if usage.source == "unknown":
            return _told([price])
        guardrails, entry = self._guardrails(question.at)
        bill = Bill(guardrails)
        prices = [price]
        if usage.by_model:
            prices = self._split(bill, question, tier, usage)
        else:
            bill.add(price, usage.counts, usage.image_size)
        cost = None if bill.total is None else bill.total.quantize(_PICO, context=EXACT)
        return _told(prices, cost, bill, entry)

    def _split(self, bill: Bill, question: PriceQuestion, tier: str | None, usage: Usage) -> list[Price | None]:
        """Each model's part by its own price; what no part has, such as a guardrail's units, by the call's."""
        rest = dict(usage.counts)
        prices = []
        for model, counts in usage.by_model.items():
            price = self._priced(question, model, tier)
            bill.add(price, counts, usage.image_size, f"{model}/" if len(usage.by_model) > 1 else "")
            prices.append(price)
            for kind, count in counts.items():
                rest[kind] = rest.get(kind, 0) - count
        bill.add(self._priced(question, question.model, tier), rest, usage.image_size)
        return prices

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
            price = self._priced(question, question.model, tier)
            hold = held(price, guardrails, facts, tokens, output) if price else None
            if hold is None:
                return None
            holds.append(hold)
        return max(holds).quantize(_PICO, rounding=ROUND_CEILING, context=EXACT)

    def _priced(self, question: PriceQuestion, model: str | None, tier: str | None) -> Price | None:
        """By another model's rates, or another tier's."""
        if not model or len(model) > LONGEST_MODEL:
            return None
        # a caller's tier may be any text: at most these are remembered
        tier = tier if tier in TIERS else STANDARD
        return self._find(model, question.service, question.region, question.at, tier)

    def _look_up(self, model: str, service: str | None, region: str | None, at: date, tier: str) -> Price | None:
        return self._lookup.find(model, mantle=service == _MANTLE, region=region, at=at, tier=tier)


def _told(
    prices: Sequence[Price | None], cost: Decimal | None = None, bill: Bill | None = None, guardrails: str = ""
) -> Charge:
    """`guardrails`: the entry that their units are charged by."""
    known = [price for price in prices if price]
    only = known[0] if len(prices) == len(known) == 1 else None
    parts = [only.entry if only else _joined(price.entry for price in known)]
    if bill and bill.uses_guardrails:
        parts.append(guardrails)
    if bill and bill.remarks:
        parts += dict.fromkeys(bill.remarks)
    return Charge(
        cost,
        only.model if only else _joined(price.model for price in known),
        only.scope if only else None,
        only.tier if only else None,
        bill.rates if bill else {},
        "; ".join(filter(None, parts)) or None,
    )


def _joined(names: Iterable[str]) -> str | None:
    return ", ".join(dict.fromkeys(names)) or None
