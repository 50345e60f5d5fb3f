"""The hand-written columns of the operations table, and what stops the generator until somebody has reviewed it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EFFECTS = HERE / "operation_effects.json"
BILLED = HERE / "billed_operations.json"
UNNAMED = HERE / "unnamed_models.json"
EFFECT_CLASSES = ("inference", "agents", "read", "private", "write", "secret")


class TableError(Exception):
    """The table cannot be made; the message says what to review and where."""


def reviewed(source: Path) -> Any:
    """One of the hand-written columns."""
    return json.loads(source.read_text(encoding="utf-8"))


def check_effects(models: Mapping[str, Any], effects: Mapping[str, Mapping[str, str]]) -> None:
    """Every operation has an effect, every effect an operation."""
    modelled = {(service, name) for service, model in models.items() for name in model.operation_names}
    listed = {(service, name) for service, column in effects.items() for name in column}
    complaints = [
        *(f"{s} {n} has no effect: add it to tools/{EFFECTS.name} under {s}" for s, n in sorted(modelled - listed)),
        *(f"{s} {n} is not in botocore: take it out of tools/{EFFECTS.name}" for s, n in sorted(listed - modelled)),
        *(
            f"{s} {n} has effect {effect!r}: tools/{EFFECTS.name} knows {', '.join(EFFECT_CLASSES)}"
            for s, column in sorted(effects.items())
            for n, effect in sorted(column.items())
            if effect not in EFFECT_CLASSES
        ),
    ]
    if complaints:
        raise TableError("\n".join(complaints))


def check_billed(models: Mapping[str, Any], billed: Mapping[str, Iterable[str]]) -> None:
    """Everything that is said to be billed exists."""
    for service, names in billed.items():
        if unknown := set(names) - set(models[service].operation_names):
            raise TableError(
                f"{service} {', '.join(sorted(unknown))}: not in botocore; take it out of tools/{BILLED.name}"
            )


def check_unnamed(rows: Iterable[Mapping[str, Any]], unnamed: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
    """Of what is billed and names no model it is known whether it runs one; nothing is listed twice or in vain."""
    listed = [(s, n) for column in unnamed.values() for s, names in column.items() for n in names]
    billed = {(row["service"], row["operation"]): row["models"] for row in rows if row["billed"]}
    complaints = [
        *(
            f"{s} {n} is billed and names no model"
            for (s, n), models in billed.items()
            if not (models or (s, n) in listed)
        ),
        *(
            f"{s} {n} is not billed, or stands there twice"
            for s, n in listed
            if listed.count((s, n)) > 1 or (s, n) not in billed
        ),
    ]
    if complaints:
        raise TableError("\n".join(f"{complaint}: review tools/{UNNAMED.name}" for complaint in complaints))


def check_routes(rows: Iterable[Mapping[str, Any]]) -> None:
    """Whatever shares a method, a path and a target is told apart by something."""

    def route(row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row["method"], re.sub(r"\{[^}]*\}", "{}", row["path"]), row.get("target", "")

    for (method, path, _), group in groupby(sorted(rows, key=route), key=route):
        owners = [row for row in group if not row.get("named_only")]
        if len(owners) > 1 and not all("arn" in row for row in owners):
            names = ", ".join(f"{row['service']} {row['operation']}" for row in owners)
            raise TableError(f"{method} {path} is shared by {names}: say in COLLISIONS what tells them apart")
