"""How values stand in columns: the same on SQLite and PostgreSQL, and back as core has them.

A value that no column can hold raises InvalidField, which SQLAlchemy wraps and database.py unwraps.
"""

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from app.core.errors import InvalidField

_PICO = Decimal("1e-12")
_PLACES = 12
_LARGEST = 2**63 - 1
_LARGEST_USD = Decimal(_LARGEST) * _PICO


class Words(TypeDecorator[str]):
    """Text, in the order of its code points: PostgreSQL's own order would depend on how the server was set up."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and ("\0" in value or (not value.isascii() and _has_surrogates(value))):
            raise InvalidField("Text must not contain NUL characters or halves of surrogate pairs.")
        return value


class Moment(TypeDecorator[datetime]):
    """An aware moment; SQLite, which knows no zones, holds UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment without a zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Dollars(TypeDecorator[Decimal]):
    """US dollars as whole pico-dollars (10^-12): exact where SQLite's NUMERIC is a float. Finer parts are rounded."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not value.is_finite() or abs(value) > _LARGEST_USD:
            raise InvalidField(f"An amount must be at most {_LARGEST_USD:,.0f} US dollars.")
        return int(value.quantize(_PICO, ROUND_HALF_EVEN).scaleb(_PLACES))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-_PLACES)


class Count(TypeDecorator[int]):
    """A whole number of 64 bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value is not None and abs(value) > _LARGEST:
            raise InvalidField(f"A number must be at most {_LARGEST}.")
        return value


class Json(TypeDecorator[Any]):
    """Lists and objects as JSON; None is NULL. Decimals become numbers, moments ISO 8601."""

    impl = JSON(none_as_null=True)
    cache_ok = True


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not go into JSON")


# Made once: json.dumps makes one for each value.
_ENCODER = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":"))


def dump_json(value: Any) -> str:
    """What the engine writes JSON with. Raises ValueError for NaN, which is no JSON."""
    return _ENCODER.encode(value)


def call_json(value: Any) -> str:
    """The same, of what is written for every call, in a tenth of the time.

    NaN becomes null, and raises ValueError beside what json alone writes so that any database takes it: numbers beyond
    64 bits, and text that is not ASCII.
    """
    try:
        written = orjson.dumps(value, _plain).decode()
    except TypeError:
        written = ""
    return written if written and written.isascii() else dump_json(value)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
