"""Some top-level members of a JSON object, from bytes of any size, shape and origin.

Never raises, whatever it is fed: what cannot be read is left out, and `sound` says so. At most two windows of what
came are held, and of each wanted member its last 64 KiB or fewer.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from app.core.json_scanner import LONGEST_KEPT, MOST_STEPS, JsonScanner
from app.core.value import value

# A body no longer than this is parsed whole, at the speed of C. No member of it is too long to keep, so that it makes
# no difference to what is found.
_WINDOW = LONGEST_KEPT


@value
class Skimmed:
    """What was found of the wanted members.

    `values`: name -> what it says, of those that are at most 64 KiB long; of a name that stands twice the last counts.
    `sizes`: name -> number of elements, of those that are arrays, of any length. `sound`: whether the bytes are a whole
    JSON object as far as looked at: what stands inside members that nobody wants is not judged.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    sound: bool = False


class JsonSkimmer:
    """Fed with a body piece by piece; however it is cut, the same is found."""

    def __init__(self, wanted: frozenset[str], most_steps: int = MOST_STEPS) -> None:
        """`most_steps`: as the scanner's (json_scanner.py)."""
        self._wanted = wanted
        self._most_steps = most_steps
        self._scanner: JsonScanner | None = None
        self._window = bytearray()

    def feed(self, piece: bytes | bytearray) -> None:
        start = 0
        while start < len(piece):
            if len(self._window) == _WINDOW:
                self._scan()
            if self._scanner and self._scanner.broken:
                return
            taken = piece[start : start + _WINDOW - len(self._window)]
            self._window += taken
            start += len(taken)

    def end(self) -> Skimmed:
        """What was found. Nothing may be fed afterwards."""
        if self._scanner is None:
            found = _picked(_parsed(self._window), self._wanted)
            if found:
                return found
        self._scan()
        return self._found()

    def _scan(self) -> None:
        if self._scanner is None:
            self._scanner = JsonScanner(self._wanted, self._most_steps)
        self._scanner.read(bytes(self._window))
        self._window.clear()

    def _found(self) -> Skimmed:
        scanner = self._scanner or JsonScanner(self._wanted)
        values: dict[str, Any] = {}
        sizes = dict(scanner.counts)
        sound = scanner.done
        for name, raw in scanner.kept.items():
            value = _parsed(raw)
            if value is _NOTHING:
                sizes.pop(name, None)
                sound = False
            else:
                values[name] = value
        return Skimmed(values, sizes | _sizes(values), sound)


def skim(raw: bytes | bytearray, wanted: frozenset[str], breathe: Callable[[], object] = lambda: None) -> Skimmed:
    """What a whole body says of the wanted members.

    `breathe` is called after each 64 KiB, which take some milliseconds at worst: others have their turn.
    """
    if len(raw) <= _WINDOW:
        found = _picked(_parsed(raw), wanted)
        if found:
            return found
    skimmer = JsonSkimmer(wanted)
    for start in range(0, len(raw), _WINDOW):
        if start:
            breathe()
        skimmer.feed(raw[start : start + _WINDOW])
    return skimmer.end()


_NOTHING = object()
_DECODER = json.JSONDecoder(strict=False)


def _parsed(raw: bytes | bytearray) -> Any:
    """What JSON in UTF-8 says; control characters in strings are let pass. `_NOTHING` where it cannot be read.

    The errors are those of bad JSON and UTF-8 and of integers longer than 4,300 digits, and of brackets too deep.
    """
    try:
        return _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        return _NOTHING


def _picked(whole: Any, wanted: frozenset[str]) -> Skimmed | None:
    if not isinstance(whole, dict):
        return None
    values = {name: value for name, value in whole.items() if name in wanted}
    return Skimmed(values, _sizes(values), sound=True)


def _sizes(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: len(value) for name, value in values.items() if isinstance(value, list)}
