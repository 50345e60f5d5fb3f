"""The book that ships, and the tool that makes it: every fact is in it, and a later price stands beside an earlier."""

import json
from decimal import Decimal
from importlib import resources
from typing import Any

from app.core.price_file import read_price_file
from tools.price_book import book_from

SHIPPED = json.loads(resources.files("app.core").joinpath("price_book.json").read_text())


def facts(day: str = "2026-11-22", **models: Any) -> dict[str, Any]:
    return {
        "about": "prices",
        "generated": day,
        "sources": {"x": "a source"},
        "guardrails_usd_per_unit": {"topicPolicyUnits": Decimal("0.00015")},
        "models": models,
    }


def nova(price: str) -> dict[str, Any]:
    return {"amazon.nova": {"mode": "chat", "regional": {"input": Decimal(price)}, "src": ["x"]}}


def test_a_later_price_stands_beside_the_earlier_one() -> None:
    first = book_from(facts(**nova("0.8")), {})
    second = book_from(facts("2026-12-01", **nova("0.9")), first)

    assert [(row["from"], row["regional"]) for row in second["models"]["amazon.nova"]] == [
        ("2026-11-22", {"input": "0.8"}),
        ("2026-12-01", {"input": "0.9"}),
    ]


def test_facts_that_say_the_same_make_no_new_entry() -> None:
    first = book_from(facts(**nova("0.8")), {})
    again = book_from(facts("2026-12-01", **nova("0.80")), first)

    assert again["models"] == first["models"]
    assert again["guardrails"] == first["guardrails"]


def test_facts_of_the_same_day_replace_each_other() -> None:
    first = book_from(facts(**nova("0.8")), {})

    assert len(book_from(facts(**nova("0.9")), first)["models"]["amazon.nova"]) == 1


def test_a_model_that_facts_no_longer_have_keeps_its_price() -> None:
    first = book_from(facts(**nova("0.8")), {})

    assert book_from(facts("2026-12-01"), first)["models"] == first["models"]


def test_prices_are_written_as_plain_text() -> None:
    [entry] = book_from(facts(**nova("6e-05")), {})["models"]["amazon.nova"]

    assert entry["regional"] == {"input": "0.00006"}


def test_every_entry_of_the_shipped_book_is_dated_and_has_a_source() -> None:
    rows = [row for entries in SHIPPED["models"].values() for row in entries]

    assert len(SHIPPED["models"]) >= 189
    assert all(row["from"] and row["source"] for row in rows)
    assert read_price_file(json.dumps(SHIPPED)).models
