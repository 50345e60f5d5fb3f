"""The committed operations table, and the installed botocore as the tests read it: not through the generator."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session

from tools.operations_table import TABLE
from tools.table_review import reviewed

Row = dict[str, Any]


@cache
def committed_table() -> dict[str, Any]:
    """What the application reads."""
    table: dict[str, Any] = reviewed(TABLE)
    return table


def table_rows() -> list[Row]:
    """Every operation of the table."""
    rows: list[Row] = committed_table()["operations"]
    return rows


def botocore_rows() -> list[Row]:
    """Those that botocore knows."""
    return [row for row in table_rows() if not row["operation"].startswith(("OpenAI", "Anthropic"))]


@cache
def modelled_operations() -> dict[tuple[str, str], Any]:
    """Every operation model of botocore's Bedrock services, by service and name."""
    session = botocore.session.Session()
    names = [name for name in session.get_available_services() if name.startswith("bedrock")]
    models = {name: session.get_service_model(name) for name in names}
    return {(name, op): model.operation_model(op) for name, model in models.items() for op in model.operation_names}


def members_below(shape: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every member of an output, however deep."""
    if shape is None or shape.name in above:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name, member
            yield from members_below(member, (*above, shape.name))
    elif shape.type_name in {"list", "map"}:
        yield from members_below(shape.member if shape.type_name == "list" else shape.value, above)
