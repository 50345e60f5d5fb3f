"""The types of fields that admin requests share: each says what fits, so that nothing half-right is stored."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

# BIGINT pico-dollars hold 9.2 million dollars
_MOST_USD = 9_000_000
_PICO = Decimal("1e-12")
_MOST_METADATA_BYTES = 64 * 1024
_MOST_ENTRIES = 1000


def _storable(text: str) -> str:
    """Databases refuse NUL, and lone surrogates are no text at all."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise ValueError("has a character that cannot be stored")
    return text


def _dollars(value: Decimal) -> Decimal:
    return value.quantize(_PICO)


def _no_truth(value: Any) -> Any:
    """Pydantic takes true for 1."""
    if isinstance(value, bool):
        raise ValueError("Input should be a valid number")  # noqa: TRY004  # pydantic lists ValueErrors alone
    return value


def _small_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON that can be stored") from None
    if len(text) > _MOST_METADATA_BYTES:
        raise ValueError(f"is larger than {_MOST_METADATA_BYTES} bytes as JSON")
    if "\\u0000" in text or ("\\ud8" in text and not _encodes(value)):
        raise ValueError("has a character that cannot be stored")
    return value


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Text = Annotated[str, StringConstraints(max_length=256), AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_storable)]
Entry = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_storable)]
Entries = Annotated[list[Entry], Field(max_length=_MOST_ENTRIES)]
Tags = Annotated[list[Name], Field(max_length=100)]
Usd = Annotated[
    Decimal,
    BeforeValidator(_no_truth),
    # a negative one is a 400 of the desk's own words, as the peer answers it
    Field(ge=-_MOST_USD, le=_MOST_USD, allow_inf_nan=False),
    AfterValidator(_dollars),
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST_USD}),
]
Count = Annotated[
    int,
    BeforeValidator(_no_truth),
    Field(ge=-(2**53), le=2**53),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 2**53}),
]
Metadata = Annotated[dict[str, Any], AfterValidator(_small_json)]
Moment = Annotated[datetime, AfterValidator(_utc)]


def refused(given: Mapping[str, Any], names: frozenset[str]) -> list[str]:
    """Those of `names` that were given something that would have to be held to: not null, not false, not empty."""
    return sorted(name for name in names if given.get(name) not in (None, False, "", [], {}))
