"""What a call would cost, or did: for whoever asks before sending it, or holds an answer whose price they doubt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from json import dumps
from typing import Any

from app.core.errors import InvalidField
from app.core.ledger_entries import Charge
from app.core.prices import PriceBook, PriceQuestion
from app.core.usage import Usage
from app.core.usage_forms import LARGEST_COUNT, Unbelievable, block, native

# LiteLLM writes its provider, and sometimes the API, before Bedrock's own id
_PREFIXES = ("bedrock/", "converse/", "invoke/")
# of text in a message; what is sent is counted by the model's own tokenizer
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class CostQuestion:
    """A model, and what it is to do: `messages` to be sent, else the `usage` of an answer, or the answer with it.

    `region`, None for the gateway's; `tier`: the service tier.
    """

    model: str | None
    messages: Sequence[Any] | None = None
    usage: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    region: str | None = None
    tier: str | None = None


class PriceDesk:
    """Answers out of the price book."""

    def __init__(self, prices: PriceBook, region: str, clock: Callable[[], datetime]) -> None:
        """`region`: where calls go that name none; `clock`: UTC."""
        self._prices = prices
        self._region = region
        self._clock = clock

    def rates(self, model: str) -> Mapping[str, Decimal]:
        """US dollars for one unit of each kind that has a rate: of the standard tier, at the gateway's own region."""
        price = self._prices.find(PriceQuestion(model, None, self._region, self._clock().date()))
        return price.kinds if price else {}

    def cost(self, question: CostQuestion) -> tuple[Charge, Usage]:
        """The charge, whose cost is not None, and the usage that it is for. Raises InvalidField."""
        model = question.model or (question.answer or {}).get("model")
        if not isinstance(model, str) or not model:
            raise InvalidField(
                "Bad Request - Either 'model' or 'completion_response' with its model is needed", "model"
            )
        for prefix in _PREFIXES:
            model = model.removeprefix(prefix)
        usage = _usage(question)
        asked = PriceQuestion(
            model=model,
            service=None,
            region=question.region or self._region,
            at=self._clock().date(),
            tier=question.tier,
        )
        charge = self._prices.charge(asked, usage)
        if charge.cost is None:
            raise InvalidField(
                f"There is no price for {model[:100]!r} in {asked.region} that covers {', '.join(usage.counts)}: its "
                "calls are booked as unpriced, with no cost rather than 0. OUTCROP_PRICES takes prices of your own.",
                "model",
            )
        return charge, usage


def _usage(question: CostQuestion) -> Usage:
    """Raises InvalidField."""
    if question.messages is not None and question.usage is None and question.answer is None:
        size = len(dumps(question.messages, ensure_ascii=False).encode(errors="replace"))
        return Usage("estimated", {"input": -(-size // _BYTES_PER_TOKEN), "output": 0}, "messages")
    try:
        tokens = block(question.usage) if question.usage is not None else native(question.answer or {})
        counts = tokens.counts()
    except Unbelievable as error:
        raise InvalidField(f"usage: {error}. Counts are whole numbers from 0 to {LARGEST_COUNT}.", "usage") from None
    if not tokens:
        raise InvalidField(
            "Bad Request - Either 'messages', 'usage' or a 'completion_response' with its usage must be provided",
            "messages",
        )
    return Usage("reported", counts, "stated")
