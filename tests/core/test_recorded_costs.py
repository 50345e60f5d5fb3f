"""What recorded calls cost: worked out here, plainly, from the tokens that the recordings' index says and the price
facts that the book was made from, and compared with what the book charges for the same use.

Recordings are read as tests/recordings.py says, the facts as tests/recorded_costs.py does.
"""

import base64
import csv
import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.core.prices import PriceBook, PriceQuestion
from app.core.usage import Usage
from tests.recorded_costs import FACTS, cost_of, facts
from tests.recordings import FOLDER

INDEX = FOLDER / "index.csv"
KINDS = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write_5m"}
# The models that nothing but AWS or the operator can tell
OPAQUE = ("application-inference-profile", "sagemaker")
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


def expected(row: dict[str, Any]) -> Decimal | None:
    """What a recorded call cost. None: AWS did not say what it used, or nobody says what that costs."""
    if row["status"] >= 400 or row["operation"] == "CountTokens":
        return Decimal(0)
    if not row["usage"]:
        return None
    return cost_of((row["model"], row["service"], row["region"]), usage_of(row).counts, facts())


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

    assert PriceBook.load(None).charge(asked, usage_of(row), row["status"]).cost == expected(row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_model_of_a_call_that_was_answered_has_a_price(row: dict[str, Any]) -> None:
    asked = PriceQuestion(row["model"], row["service"], row["region"], TODAY)
    is_named = row["model"] and row["status"] == 200 and not any(word in row["model"] for word in OPAQUE)

    assert not is_named or PriceBook.load(None).find(asked)
