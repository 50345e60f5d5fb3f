"""POST /spend/calculate: what a call costs, before it is sent or after."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from app.gateway.price_desk import CostQuestion, PriceDesk
from app.web.admin_api.account_forms import Dollars
from app.web.admin_api.fields import Metadata, Text
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.wire_model import WireModel


class CostAsked(WireModel):
    """A model with messages to be sent, or with the usage of an answer; or an answer that has both."""

    model: Annotated[str | None, Field(max_length=2048)] = None
    messages: list[Any] | None = None
    usage: Metadata | None = None
    completion_response: dict[str, Any] | None = None
    region: Text | None = None
    service_tier: Text | None = None

    def question(self) -> CostQuestion:
        return CostQuestion(
            model=self.model,
            messages=self.messages,
            usage=self.usage,
            answer=self.completion_response,
            region=self.region,
            tier=self.service_tier,
        )


class Cost(WireModel):
    """US dollars. `estimated`: the tokens of messages were estimated by their length; no answer is in it."""

    cost: Dollars
    estimated: bool
    counts: dict[str, int]
    model_priced: str | None
    price_entry: str | None


def routes(desk: PriceDesk) -> list[Route[Any, Any]]:
    """The one route. What a model costs is no secret to whoever may call it."""

    def calculate(call: AdminCall[Nothing, CostAsked]) -> Cost:
        charge, usage = desk.cost(call.body.question())
        return Cost(
            cost=charge.cost or Decimal(0),
            estimated=usage.source == "estimated",
            counts=dict(usage.counts),
            model_priced=charge.model,
            price_entry=charge.entry,
        )

    return [
        Route(
            "POST", "/spend/calculate", "What a call costs", "holder", Nothing, CostAsked, Cost, calculate, reads=True
        )
    ]
