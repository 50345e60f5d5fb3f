"""What recorded calls cost: worked out here, plainly, from the tokens that the recordings' index says and the price
facts that the book was made from, and compared with what the book charges for the same use.

Recordings are read as in tests/end_to_end/test_recorded_exchanges.py; the facts stand beside their folder. They are
other people's, so none is kept here. OUTCROP_PRICE_FACTS names another file of facts.
"""

import base64
import csv
import json
import os
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.prices import PriceBook, PriceQuestion
from app.core.usage import Usage

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "recorded"
FOLDER = Path(os.environ.get("OUTCROP_RECORDED_EXCHANGES", _BESIDE))
INDEX = FOLDER / "index.csv"
FACTS = Path(os.environ.get("OUTCROP_PRICE_FACTS", FOLDER.parent / "bedrock_prices.json"))
PREFIXES = ("us", "eu", "apac", "global")
KINDS = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write_5m"}
# The models that nothing but AWS or the operator can tell
OPAQUE = ("application-inference-profile", "sagemaker")
# AWS takes no more for what these write to a cache than for other input, so price lists name no price for it
WRITES_AT_INPUT = ("amazon.nova-lite-v1:0",)
TODAY = date(2026, 11, 25)

pytestmark = pytest.mark.skipif(not (INDEX.exists() and FACTS.exists()), reason="no recordings beside the repository")


def _rows() -> Iterator[dict[str, Any]]:
    if not (INDEX.exists() and FACTS.exists()):
        return
    for row in csv.DictReader(INDEX.read_text().splitlines()):
        recording = json.loads((FOLDER / f"{row['id']}.json").read_text())
        traced = re.search(rb'"foundationModel":"([^"]+)"', base64.b64decode(recording["response_body_b64"]))
        region = re.search(r"\.([a-z]+-[a-z]+-[0-9])\.", recording["host"])
        yield {
            **row,
            "status": int(row["status"]),
            "usage": json.loads(row["usage"] or "{}"),
            "model": row["model"] or (traced[1].decode() if traced else ""),
            "region": region[1] if region else "us-east-1",
        }


ROWS = list(_rows())


def _facts() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FACTS.read_text(), parse_float=Decimal, parse_int=Decimal)
    return content


def expected(row: dict[str, Any], facts: dict[str, Any]) -> Decimal | None:
    """What a recorded call cost. None: AWS did not say what it used, or nobody says what that costs."""
    if row["status"] >= 400 or row["operation"] == "CountTokens":
        return Decimal(0)
    if not row["usage"]:
        return None
    if units := row["usage"].get("guardrail_units"):
        return sum((facts["guardrails_usd_per_unit"][unit] * count for unit, count in units.items()), Decimal(0))
    prefix, _, bare = row["model"].rpartition("/")[2].partition(".")
    model = bare if prefix in PREFIXES else row["model"].rpartition("/")[2]
    facts_of = facts["models"].get(model)
    if facts_of is None:
        return None
    overrides = facts_of.get("overrides", {})
    rates = overrides.get(f"{prefix}.") or overrides.get(row["region"]) or facts_of["regional"]
    if row["service"] == "bedrock-mantle":
        rates = overrides.get(f"mantle:{row['region']}") or facts_of.get("mantle") or rates
    if prefix == "global":
        rates = facts_of.get("global") or rates
    counts = {KINDS[kind]: Decimal(count) for kind, count in row["usage"].items() if kind in KINDS and count}
    assert sum(counts.values()) < 100_000  # below every threshold
    if model in WRITES_AT_INPUT:
        rates = {"cache_write_5m": rates["input"], **rates}
    return sum((rates[kind] * count / 1_000_000 for kind, count in counts.items()), Decimal(0))


def usage_of(row: dict[str, Any]) -> Usage:
    """What the index says, as a reader of usage hands it on."""
    counts = {KINDS[kind]: int(count) for kind, count in row["usage"].items() if kind in KINDS}
    counts |= row["usage"].get("guardrail_units", {})
    if "counted" in row["usage"]:
        counts = {"counted": row["usage"]["counted"]}
    return Usage("reported" if counts else "unknown", counts)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_recorded_call_costs_what_its_tokens_and_the_facts_say(row: dict[str, Any]) -> None:
    asked = PriceQuestion(row["model"] or None, row["service"], row["region"], TODAY)

    assert PriceBook.load(None).charge(asked, usage_of(row), row["status"]).cost == expected(row, _facts())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_model_of_a_call_that_was_answered_has_a_price(row: dict[str, Any]) -> None:
    asked = PriceQuestion(row["model"], row["service"], row["region"], TODAY)
    is_named = row["model"] and row["status"] == 200 and not any(word in row["model"] for word in OPAQUE)

    assert not is_named or PriceBook.load(None).find(asked)
