"""The head of an answer: status line and headers, read from bytes, and how the body after it ends (RFC 9112).

Strict, where http.client guesses: a line that is folded, a name with a space, a bare LF, a coding or a length that
cannot be read make the whole answer malformed. Guessing where a body ends is how half of one comes to look whole.
"""

import re
from dataclasses import dataclass

from app.core.header_rules import Headers
from app.upstream.answer_body import FIELDS, Body, ChunkedBody, OpenBody, SizedBody

# http.client's bound for one line, and for how many there are
_HEAD_BYTES = 64 * 1024
_MOST_HEADERS = 100
_HEAD = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n(" + FIELDS + rb")\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_NO_CONTENT = (204, 304)
_CONTINUE = 100


class MalformedAnswer(Exception):
    """AWS's answer cannot be read, or ended before its end."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's head. `keeps`: the connection outlives it. `size`: its bytes, with those of interim answers."""

    status: int
    reason: str
    headers: Headers
    body: Body
    keeps: bool
    size: int


def read_head(data: bytes, method: str) -> Head | None:
    """The head of the answer to a request of this method; None where more must come. Raises MalformedAnswer."""
    begin = 0
    while (end := data.find(b"\r\n\r\n", begin)) >= 0:
        found = _HEAD.fullmatch(data, begin, end + 4)
        if found is None or end > _HEAD_BYTES:
            raise MalformedAnswer("its head is malformed")
        status = int(found[2])
        if status >= 200:
            return _head(found, status, method)
        if status != _CONTINUE:
            raise MalformedAnswer(f"an interim answer, {status}, that nobody asked for")
        begin = end + 4
    if len(data) >= _HEAD_BYTES + len(b"\r\n\r\n") or data.find(b"\n\n", begin) >= 0:
        raise MalformedAnswer("its head does not end")
    return None


def _head(found: re.Match[bytes], status: int, method: str) -> Head:
    lines = found[4].decode("latin-1").split("\r\n")
    if len(lines) > _MOST_HEADERS + 1:
        raise MalformedAnswer(f"it has more than {_MOST_HEADERS} headers")
    headers = []
    framing: dict[str, list[str]] = {"content-length": [], "transfer-encoding": [], "connection": []}
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        value = value.strip(" \t")
        headers.append((name, value))
        low = name.lower()
        if low in framing:
            framing[low].append(value.lower())
    lengths, codings, connection = framing.values()
    body = _body(lengths, codings)  # also where there is none: its length is sent on, and must be one
    if method == "HEAD" or status in _NO_CONTENT:
        body = SizedBody(0)
    options = [option.strip() for value in connection for option in value.split(",")]
    keeps = "close" not in options if found[1] == b"1" else "keep-alive" in options and not codings
    # chunks overrule a length, but whoever sends both may have meant the other (RFC 9112 section 6.3)
    keeps = keeps and not isinstance(body, OpenBody) and not (lengths and codings)
    reason = (found[3] or b"").decode("latin-1").strip()
    return Head(status, reason, tuple(headers), body, keeps, found.end())


def _body(lengths: list[str], codings: list[str]) -> Body:
    if codings:
        if codings != ["chunked"]:
            raise MalformedAnswer("its transfer coding is none that was asked for")
        return ChunkedBody()
    if not lengths:
        return OpenBody()
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise MalformedAnswer("its length is no number")
    return SizedBody(int(lengths[0]))
