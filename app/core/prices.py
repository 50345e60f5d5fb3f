"""What Bedrock costs: the price book that ships with the gateway, and the operator's own prices over it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What decides a call's rates beside what it used.

    `model`: as it was asked for, an id or an ARN, or None; `region`: the one the request went to, whose prices count;
    `tier`: the service tier asked for, None for the standard one.
    """

    model: str | None
    service: str | None
    region: str | None
    at: date
    tier: str | None = None
