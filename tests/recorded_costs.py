"""What recorded calls cost, worked out plainly from the price facts that the book was made from: a second opinion.

The facts are a file beside the recordings' folder, or the one that OUTCROP_PRICE_FACTS names; none is kept here.
"""

import json
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.recordings import FOLDER

FACTS = Path(os.environ.get("OUTCROP_PRICE_FACTS", FOLDER.parent / "bedrock_prices.json"))
PREFIXES = ("us", "eu", "apac", "global")
# AWS takes no more for what these write to a cache than for other input, so price lists name no price for it
WRITES_AT_INPUT = ("amazon.nova-lite-v1:0",)


def facts() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FACTS.read_text(), parse_float=Decimal, parse_int=Decimal)
    return content


def cost_of(place: tuple[str, str, str], counts: Mapping[str, int], prices: dict[str, Any]) -> Decimal | None:
    """US dollars; None where nobody says what the model costs. `place`: model as asked for, service, region."""
    asked, service, region = place
    units = {kind: count for kind, count in counts.items() if kind.endswith("Units")}
    tokens = {kind: Decimal(count) for kind, count in counts.items() if count and kind not in units}
    extra = sum((prices["guardrails_usd_per_unit"][unit] * count for unit, count in units.items()), Decimal(0))
    if not tokens:
        return extra
    prefix, _, bare = asked.rpartition("/")[2].partition(".")
    model = bare if prefix in PREFIXES else asked.rpartition("/")[2]
    facts_of = prices["models"].get(model)
    if facts_of is None:
        return None
    overrides = facts_of.get("overrides", {})
    rates = overrides.get(f"{prefix}.") or overrides.get(region) or facts_of["regional"]
    if service == "bedrock-mantle":
        rates = overrides.get(f"mantle:{region}") or facts_of.get("mantle") or rates
    if prefix == "global":
        rates = facts_of.get("global") or rates
    assert sum(tokens.values()) < 100_000  # below every threshold
    if model in WRITES_AT_INPUT:
        rates = {"cache_write_5m": rates["input"], **rates}
    a_unit = rates.get("units", {})
    return extra + sum(
        (count * (a_unit[kind] if kind in a_unit else rates[kind] / 1_000_000) for kind, count in tokens.items()),
        Decimal(0),
    )
