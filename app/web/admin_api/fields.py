"""The types of fields that admin requests share: each says what fits, so that nothing half-right is stored."""

import json
import re
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
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
# what every writer and reader of JSON takes
_DEEPEST = 32
# after an even number of backslashes: after an odd one it is a backslash and five characters
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# databases count rows to skip in 64 bits
MOST_PAGES = 2**40


def storable(text: str) -> str:
    """The text itself. Databases refuse NUL, and lone surrogates are no text at all: raises ValueError."""
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
    if _is_deep(value, _DEEPEST):
        raise ValueError(f"is nested deeper than {_DEEPEST} levels")
    try:
        text = json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON that can be stored") from None
    if len(text) > _MOST_METADATA_BYTES:
        raise ValueError(f"is larger than {_MOST_METADATA_BYTES} bytes as JSON")
    if _NUL.search(text) or ("\\ud" in text and not _encodes(value)):
        raise ValueError("has a character that cannot be stored")
    return value


def _is_deep(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deep(one, levels - 1) for one in inner)


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _utc(moment: datetime) -> datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Text = Annotated[str, StringConstraints(max_length=256), AfterValidator(storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(storable)]
Entry = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(storable)]
# Each list of a request ends at its first mistake: 1 MiB has half a million, and to tell of all takes a worker 10 s.
Entries = Annotated[list[Entry], Field(fail_fast=True, max_length=_MOST_ENTRIES)]
Tags = Annotated[list[Name], Field(fail_fast=True, max_length=100)]
# fields that end up as a new account has them
Unset = Annotated[list[Name], Field(fail_fast=True)]
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
    """Those of `names` that were given something that would have to be held to: not null, not false, not empty.

    An object of nothing but those is empty too; 0 is a limit like any other.
    """
    return sorted(name for name in names if not _says_nothing(given.get(name)))


def _says_nothing(value: Any) -> bool:
    if isinstance(value, dict) and not _is_deep(value, _DEEPEST):
        return all(_says_nothing(one) for one in value.values())
    return value is None or value is False or value in ("", [])
