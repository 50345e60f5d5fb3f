"""Which line of a JSON text a member stands on: for messages to whoever wrote it by hand."""

import json
import re
from collections.abc import Iterator, Sequence

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, counted from 1, of the member at `path` ("models", "x", 0), else of the last on the way to it.

    `text`: JSON that has been parsed before. Of a name that stands twice, the second counts.
    """
    wanted = tuple(path)
    position, depth = 0, -1
    for found, start in _members(text, 0, ()):
        if found == wanted[: len(found)] and len(found) >= depth:
            position, depth = start, len(found)
    return _line(text, position)


def repeated(text: str) -> tuple[Path, int]:
    """The first member whose name stands twice in one object, and its line; ((), 1) if none.

    `text`: as for line_of, as far as that member.
    """
    seen = set()
    for found, start in _members(text, 0, ()):
        if found in seen:
            return found, _line(text, start)
        seen.add(found)
    return (), 1


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _members(text: str, start: int, path: Path) -> Iterator[tuple[Path, int]]:
    """Every member with the place where it begins, and at last where the value itself ends."""
    start = _skip(text, start)
    yield path, start
    opening = text[start]
    if opening not in "{[":
        return
    index = 0
    position = _skip(text, start + 1)
    while text[position] not in "}]":
        name: str | int = index
        begin = position
        if opening == "{":
            name, position = _DECODER.raw_decode(text, position)
            position = _skip(text, position) + 1
        yield (*path, name), begin
        value = _skip(text, position)
        yield from (
            (found, where) for found, where in _members(text, value, (*path, name)) if len(found) > len(path) + 1
        )
        _, position = _DECODER.raw_decode(text, value)
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)
        index += 1


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position
