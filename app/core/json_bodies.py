"""Bodies that decide something are read strictly, so that what was decided on is what AWS will read.

Parsers differ on duplicate keys (first or last counts), on encodings and on NaN: a body that any two could read
differently is refused.
"""

import json
from typing import Any, NoReturn

from app.core.errors import MalformedRequest


def strict_object(body: bytes | bytearray) -> dict[str, Any]:
    """A JSON object in UTF-8 without duplicate keys. Raises MalformedRequest."""
    try:
        found = json.loads(body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
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


def _reason(error: Exception) -> str:
    """The reason without the text it stands in: a decoding error's own message quotes the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)
