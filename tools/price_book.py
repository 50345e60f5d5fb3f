"""Make app/core/price_book.json from a file of collected price facts; no network.

    python -m tools.price_book FACTS            write the book
    python -m tools.price_book FACTS --check    say what differs and exit 1

The facts are a JSON object: `generated` (a day), `sources` (by short name), `guardrails_usd_per_unit`,
`provisioned_usd_per_model_unit_hour` and `models`, by id, each with `regional`, `global`, `mantle`, `overrides` and
`image_sizes` in US dollars for 1,000,000 tokens, for one unit or for one image, and `src`: short names of sources.
What collectors disagreed on stands in `conflict` with `resolved`, in `conflict_above` and in `base_litellm`; `stale`
says that only an old source has a price. These become the entry's `note`.

The book has the format of an operator's price file, which docs/prices.md describes. Prices are written as text, so that
no reader makes binary fractions of them. An entry counts from the day on which its facts were collected; where the book
has an older entry with other prices, it stays beside the new one, so that calls of that time keep their price.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.core.price_file import read_price_file

BOOK = Path(__file__).parent.parent / "app" / "core" / "price_book.json"
PRICED = ("regional", "global", "mantle", "overrides", "image_sizes")
TOLD = ("from", "source", "note")


def book_from(facts: Mapping[str, Any], older: Mapping[str, Any]) -> dict[str, Any]:
    """The book that facts make. `older`: the book as it was, {} for none."""
    day = facts["generated"]
    before = older.get("models", {})
    models = {}
    for name in sorted({*facts["models"], *before}):
        entries = before.get(name, [])
        if name in facts["models"]:
            entries = _beside(entries, _entry(facts["models"][name], day))
        models[name] = entries
    return {
        "about": facts["about"],
        "sources": facts["sources"],
        "guardrails": _beside(older.get("guardrails", []), {"from": day, **_written(facts["guardrails_usd_per_unit"])}),
        "provisioned": {
            "about": "US dollars for one model unit and hour, by region, commitment and model; told, not charged",
            **{name: _written(row)["usd_per_model_unit_hour"] for name, row in _provisioned(facts).items()},
        },
        "models": models,
    }


def _provisioned(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = facts.get("provisioned_usd_per_model_unit_hour", {})
    return found


def _entry(row: Mapping[str, Any], day: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"from": day, "source": ", ".join(row["src"]) or "not stated"}
    if "mode" in row:
        entry["mode"] = row["mode"]
    if "deprecated" in row:
        entry["deprecated"] = row["deprecated"]
    if note := _note(row):
        entry["note"] = note
    return entry | {name: _written(row[name]) for name in PRICED if name in row}


def _note(row: Mapping[str, Any]) -> str:
    notes = []
    if "resolved" in row:
        notes.append(f"sources disagree: {row['resolved']}")
    if "conflict_above" in row:
        told = "; ".join(f"{place}: {says}" for place, says in row["conflict_above"].items())
        notes.append(f"sources disagree on the threshold ({told})")
    if "base_litellm" in row:
        rates = ", ".join(f"{kind} {price}" for kind, price in _written(row["base_litellm"]).items())
        notes.append(f"litellm has for the bare id: {rates}")
    if "stale" in row:
        notes.append(f"only a source of {row['stale']} has it")
    return ". ".join(notes)


def _written(value: Any) -> Any:
    """Prices as text, in plain notation."""
    if isinstance(value, Mapping):
        return {name: _written(one) for name, one in value.items()}
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value


def _beside(entries: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """The new entry in place of the last where the prices are the same, or of one from the same day; else beside it."""
    kept = [entry for entry in entries if entry["from"] < new["from"]]
    later = [entry for entry in entries if entry["from"] > new["from"]]
    if kept and _prices(kept[-1]) == _prices(new):
        return [*kept[:-1], new | {"from": kept[-1]["from"]}, *later]
    return [*kept, new, *later]


def _prices(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in TOLD}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("facts", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    facts = json.loads(arguments.facts.read_text(), parse_float=Decimal, parse_int=Decimal)
    is_there = BOOK.read_text() if BOOK.exists() else "{}"
    text = json.dumps(book_from(facts, json.loads(is_there)), indent=1, ensure_ascii=False) + "\n"
    read_price_file(text)
    if arguments.check:
        print("as the facts say" if text == is_there else f"{BOOK} differs from what the facts make")
        return int(text != is_there)
    BOOK.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
