"""Between core's records and rows: nested parts lie flat in a row, tuples are JSON lists, the names are the same."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, cast, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Table

from app.core.accounts import (
    AuditEntry,
    Budget,
    Customer,
    KeySecret,
    Limits,
    Member,
    Rights,
    Stamps,
    Team,
    User,
    VirtualKey,
)
from app.core.budget_windows import window
from app.core.errors import InvalidField
from app.store.rows import AUDIT, BUDGETS, CUSTOMERS, KEYS, MEMBERS, SECRETS, TEAMS, USERS

T = TypeVar("T")
TABLES: Mapping[type[Any], Table] = {
    VirtualKey: KEYS,
    KeySecret: SECRETS,
    Team: TEAMS,
    Member: MEMBERS,
    User: USERS,
    Customer: CUSTOMERS,
    Budget: BUDGETS,
    AuditEntry: AUDIT,
}
_NESTED = (Rights, Limits, Stamps)
# PostgreSQL's indexes take 2,700 bytes, and a character may have four.
_LONGEST_NAME = 512
_SPENDS = ("spend", "total_spend")
_NOTHING = Decimal(0)


def row_of(record: Any) -> dict[str, Any]:
    """Its columns, nothing of what it spent. Raises InvalidField for a name that is too long to be looked up."""
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, _NESTED):
            row |= row_of(value)
        elif isinstance(value, tuple):
            row[field.name] = list(value)
        else:
            row[field.name] = dict(value) if isinstance(value, Mapping) else value
    if type(record) in TABLES:
        row = {column.name: row[column.name] for column in TABLES[type(record)].c if column.name in row}
        _check_names(TABLES[type(record)], row)
    return row


def record_of(kind: type[T], row: Mapping[Any, Any], now: datetime, prefix: str = "") -> T:
    """The record in a row whose columns may be labelled with a prefix; `now` says in which window its budget is.

    Where the row does not say what an account spent, the record says 0.
    """
    values: dict[str, Any] = {}
    for name, part in _SHAPES[kind].items():
        if part in _NESTED:
            values[name] = record_of(part, row, now, prefix)
        elif name in _SPENDS:
            values[name] = row.get(prefix + name, _NOTHING)
        elif name == "budget_reset_at":
            values[name] = window(row[prefix + "budget_duration"], now).resets_at
        else:
            value = row[prefix + name]
            values[name] = tuple(value) if part is tuple else value
    return kind(**values)


def labelled(table: Table, prefix: str) -> list[ColumnElement[Any]]:
    """All columns, told apart from those of other tables."""
    return [column.label(prefix + column.name) for column in table.c]


def _check_names(table: Table, row: Mapping[str, Any]) -> None:
    for index in table.indexes:
        for column in index.columns:
            _check_name(column.name, row[column.name])
    for column in table.primary_key:
        _check_name(column.name, row[column.name])


def _check_name(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > _LONGEST_NAME:
        raise InvalidField(f"{name} must be at most {_LONGEST_NAME} characters.", name)


def _shape(kind: type[Any]) -> dict[str, type[Any] | None]:
    """Field by field: a nested record, a tuple, or (None) what the column gives."""
    hints = get_type_hints(kind)
    return {field.name: _part(hints[field.name]) for field in fields(kind)}


def _part(hint: Any) -> type[Any] | None:
    if hint in _NESTED:
        return cast(type[Any], hint)
    return tuple if get_origin(hint) is tuple else None


_SHAPES: Mapping[type[Any], Mapping[str, type[Any] | None]] = {kind: _shape(kind) for kind in (*_NESTED, *TABLES)}
