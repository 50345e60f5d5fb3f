"""How much of a request is text that a model reads, and how much media: for the estimate of its tokens.

A body is looked at in windows, of which only the first bytes decide: base64 is media, whatever the vendor's form.
Elsewhere text are the strings that are no names of members, as JSON writes them; past the first 16 KiB the rest is
taken to be like them. So the longest body costs no more than a few thousand looks.
"""

from itertools import zip_longest

from app.core.value import value

_WINDOW = 1024
_MOST_WINDOWS = 4096
_PROBE = 64
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"
_SAMPLE = 16 * 1024


@value
class Said:
    """Bytes of text and of media in a body."""

    text_bytes: int = 0
    media_bytes: int = 0


NOTHING_SAID = Said()


def said_in(body: bytes | bytearray) -> Said:
    """Never raises, whatever the body is."""
    step = max(_WINDOW, len(body) // _MOST_WINDOWS)
    sample, media = bytearray(), 0
    for start in range(0, len(body), step):
        probe = body[start : start + _PROBE]
        if len(probe) == _PROBE and not probe.translate(None, _BASE64):
            media += min(step, len(body) - start)
        elif len(sample) < _SAMPLE:
            sample += body[start : start + step]
    text, rest = _text(bytes(sample)), len(body) - media
    return Said(text * rest // len(sample) if sample else 0, media)


def _text(sample: bytes) -> int:
    """The bytes of all strings but the names. Where a body is no JSON, of anything between quotes."""
    parts = sample.replace(rb"\\", b"__").replace(rb"\"", b"__").split(b'"')
    strings = zip_longest(parts[1::2], parts[2::2], fillvalue=b"")
    return sum(len(string) for string, after in strings if after.lstrip()[:1] != b":")
