"""Damage: bits, slices, splices, words and numbers that no count can be."""

import re
from collections.abc import Sequence
from random import Random

WORDS = (
    *(b"-1", b"0", b"1e999", b"NaN", b"-0.0", b"9007199254740993", b"9" * 5000, b'"7"', b"null", b"true", b"[]", b"{}"),
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[" * 300,
        b"]",
        b",",
        b":",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b"%",
    ),
)
_NUMBER = re.compile(rb"(?<=[ :\[,])-?[0-9]+(?:\.[0-9]+)?")


class Mutator:
    """The same draw makes the same damage."""

    def __init__(self, draw: Random, seeds: Sequence[bytes], words: Sequence[bytes], longest: int) -> None:
        """`longest`: bytes that are not passed."""
        self._draw = draw
        self._seeds = seeds
        self._words = (*words, *words, *WORDS)
        self._longest = longest

    def spoilt(self, data: bytes) -> bytes:
        """The same, damaged once or more, or not at all."""
        for _ in range(self._draw.choice((0, 1, 1, 2, 5))):
            data = self._spoil(data)
        return data[: self._longest]

    def _spoil(self, data: bytes) -> bytes:  # noqa: PLR0911  # one line for each kind of damage
        draw = self._draw
        start = draw.randint(0, len(data))
        end = min(len(data), start + draw.choice((1, 4, 100)))
        kind = draw.randrange(8)
        if kind == 0:
            return data[:start]
        if kind == 1:
            return data[:start] + data[end:]
        if kind == 2:
            return data[:end] + data[start:]
        if kind == 3:
            return data[:start] + draw.choice(self._words) + data[end:]
        if kind == 4 and end > start:
            return data[:start] + bytes([data[start] ^ 1 << draw.randrange(8)]) + data[start + 1 :]
        if kind == 5:
            return data[:start] + draw.choice(self._seeds)[start:]
        if kind == 6 and (found := list(_NUMBER.finditer(data))):
            one = draw.choice(found)
            return data[: one.start()] + draw.choice(self._words) + data[one.end() :]
        return data[:start] + draw.choice(self._words) + data[start:]
