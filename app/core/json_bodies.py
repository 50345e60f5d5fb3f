"""Bodies that decide something are read strictly, so that what was decided on is what AWS will read.

Parsers differ on duplicate keys (first or last counts), on encodings and on NaN: a body that any two could read
differently is refused.
"""

import json
from math import isfinite
from typing import Any, NoReturn

from app.core.errors import MalformedRequest

# What a parser makes of a body can be twenty times as large as the body: each empty object costs it 100 bytes. A
# request with every tool that models take has a few thousand containers; one full of token ids, some hundred thousand
# commas.
_MOST_CONTAINERS = 100_000
_MOST_VALUES = 1_000_000


def strict_object(body: bytes | bytearray) -> dict[str, Any]:
    """A JSON object in UTF-8 without duplicate keys. Raises MalformedRequest."""
    if body.count(b"{") + body.count(b"[") > _MOST_CONTAINERS or body.count(b",") > _MOST_VALUES:
        raise MalformedRequest("This operation's body must be read to decide what it may do, and has too many parts.")
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(
            f"This operation's body decides what it may do, so it must be a JSON object in UTF-8: {_reason(error)}."
        ) from None
    if not isinstance(found, dict):
        raise MalformedRequest("This operation's body decides what it may do, so it must be a JSON object.")
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError("a number is beyond every float")
    return found


def _reason(error: Exception) -> str:
    """The reason without the text it stands in: a decoding error's own message quotes the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)
