"""How much of a request is text that a model reads, and how much media: for the estimate of its tokens.

What is said are the strings of a body that are no names of members, as JSON writes them; media are long strings where
any vendor's form has base64. Past the first 64 KiB the rest is taken to be like them, so that the longest body costs
no more than that.
"""

import re
from dataclasses import dataclass

_SAMPLE = 64 * 1024
_STRING = re.compile(rb'[:\[,]\s*+"((?:[^"\\]++|\\.)*+)"(?!\s*+:)', re.DOTALL)
# What stands before media, and how long a string must be to count as such
_MEDIA = (b'"bytes"', b'"data"', b";base64,", b'"inputImage"', b'"images"')
_SHORTEST_MEDIA = 1024


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes of text and of media in a body."""

    text_bytes: int = 0
    media_bytes: int = 0


NOTHING_SAID = Said()


def said_in(body: bytes | bytearray) -> Said:
    """Never raises, whatever the body is."""
    media = _media(body) if len(body) >= _SHORTEST_MEDIA else []
    rest = len(body) - sum(end - start for start, end in media)
    sample, start = bytearray(), 0
    for first, last in [*media, (len(body), len(body))]:
        sample += body[start : min(first, start + _SAMPLE - len(sample))]
        start = last
        if len(sample) >= _SAMPLE:
            break
    text = sum(map(len, _STRING.findall(sample)))
    if len(sample) < rest and sample:
        text = text * rest // len(sample)
    return Said(text, len(body) - rest)


def _media(body: bytes | bytearray) -> list[tuple[int, int]]:
    """Where media begin and end, in order: by `find`, which is as fast as memory."""
    found: list[tuple[int, int]] = []
    for sign in _MEDIA:
        at = body.find(sign)
        while at >= 0:
            quoted = sign[:1] == b'"'
            start = body.find(b'"', at + len(sign)) + 1 if quoted else at + len(sign)
            end = body.find(b'"', start) if start else -1
            if end < 0:
                break
            if end - start >= _SHORTEST_MEDIA:
                found.append((start, end))
            at = body.find(sign, end)
    return _apart(sorted(found))


def _apart(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same without what two signs found both."""
    apart: list[tuple[int, int]] = []
    for start, end in found:
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
    return apart
