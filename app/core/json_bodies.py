"""Bodies that decide something are read strictly, so that what was decided on is what AWS will read.

Parsers differ on duplicate keys (first or last counts), on encodings and on NaN: a body that any two could read
differently is refused. Large bodies are not parsed unless their bytes may hold a name that decides.
"""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

from app.core.errors import MalformedRequest

# What a parser makes of a body can be twenty times as large as the body: each empty object costs it 100 bytes. A
# request with every tool that models take has a few thousand containers; one full of token ids, some hundred thousand
# commas.
_MOST_CONTAINERS = 100_000
_MOST_VALUES = 1_000_000
# How much is looked through at once: what is copied in lower case is no longer, however large the body.
_WINDOW = 64 * 1024
# A letter or digit that is written as an escape: any name could be spelt so.
_ESCAPED = re.compile(rb"\\u00(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']*)", re.IGNORECASE)


class JsonBody:
    """The body of one call, parsed when somebody must know what it says, and once at most."""

    __slots__ = ("_content", "_headers", "_raw")

    def __init__(self, raw: bytes | bytearray, headers: Mapping[str, str]) -> None:
        """`headers`: the call's, with lower-case names: they may say to read the bytes otherwise."""
        self._raw = raw
        self._headers = headers
        self._content: dict[str, Any] | None = None

    def content(self) -> dict[str, Any]:
        """What it says. Raises MalformedRequest."""
        if self._content is None:
            _refuse_other_encodings(self._headers)
            self._content = strict_object(self._raw)
        return self._content

    def may_hold(self, names: tuple[bytes, ...]) -> bool:
        """Whether one of the names (ASCII letters and digits, in lower case) may be a key, in any case or spelling.

        True also where the bytes cannot be judged: then reading the content refuses what is no JSON in UTF-8.
        """
        if not self._raw:
            return False
        return self._content is not None or _may_be_read_otherwise(self._headers) or holds(self._raw, names)


def holds(raw: bytes | bytearray, names: tuple[bytes, ...]) -> bool:
    """Whether bytes hold one of the names in any case, an escaped letter or digit, or a NUL (UTF-16, UTF-32)."""
    if b"\x00" in raw or _ESCAPED.search(raw):
        return True
    overlap = max(map(len, names)) - 1
    for start in range(0, len(raw), _WINDOW):
        window = raw[start : start + _WINDOW + overlap].lower()
        for name in names:
            if name in window:
                return True
    return False


def strict_object(body: bytes | bytearray) -> dict[str, Any]:
    """A JSON object in UTF-8 without duplicate keys. Raises MalformedRequest."""
    if body.count(b"{") + body.count(b"[") > _MOST_CONTAINERS or body.count(b",") > _MOST_VALUES:
        raise MalformedRequest("This operation's body must be read to decide what it may do, and has too many parts.")
    try:
        found = strict_json(body.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(
            f"This operation's body decides what it may do, so it must be a JSON object in UTF-8: {_reason(error)}."
        ) from None
    if not isinstance(found, dict):
        raise MalformedRequest("This operation's body decides what it may do, so it must be a JSON object.")
    return found


def strict_json(text: str) -> Any:  # whatever it says
    """What JSON without duplicate keys, NaN and infinite numbers says. Raises ValueError or RecursionError."""
    return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite)


def _is_utf8(headers: Mapping[str, str]) -> bool:
    """Of two charsets either may count."""
    return all(name.lower() in ("utf-8", "utf8") for name in _CHARSET.findall(headers.get("content-type", "")))


def _coding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower() or "identity"


def _may_be_read_otherwise(headers: Mapping[str, str]) -> bool:
    """CBOR too: AWS's newer protocols use it, and its names are not JSON's."""
    if headers.get("content-type") == "application/json" and "content-encoding" not in headers:
        return False
    return _coding(headers) != "identity" or not _is_utf8(headers) or "cbor" in headers.get("content-type", "").lower()


def _refuse_other_encodings(headers: Mapping[str, str]) -> None:
    """What is decided on is UTF-8 as it stands: AWS must not be told to read the same bytes otherwise."""
    if not _is_utf8(headers):
        raise MalformedRequest("This operation's body decides what it may do: its charset must be utf-8.")
    if _coding(headers) != "identity":
        raise MalformedRequest("This operation's body decides what it may do: send it without Content-Encoding.")


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
