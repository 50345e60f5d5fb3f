"""The request target: from the bytes the caller sent to the one canonical form that is authorised, signed and sent.

What cannot be forwarded faithfully is refused here, so that what policy looked at is what AWS receives:
clients, proxies and servers disagree on dot segments, empty segments, backslashes and bad escapes, and each
disagreement is a way around an allow-list.

The canonical form decodes each path segment and each half of a query pair once and encodes it again with the
unreserved characters of RFC 3986 alone, which is what botocore puts on the wire. A `+` in a query is a space, as
requests, browsers and requests-aws4auth read it; a literal plus is `%2B`.
"""

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from app.core.errors import MalformedRequest
from app.core.value import value

UNRESERVED = "-_.~"
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OUTSIDE_URI = re.compile(r"[^\x21-\x7e]")
# Every escape that decodes to another escape is one more layer; no client nests deeper than two.
_MAX_ESCAPE_LAYERS = 8
# Callers repeat their request lines: so many are kept, read, in 3 MB at most, whoever sends them.
_REMEMBERED, _LONGEST_REMEMBERED = 1024, 512
_PRESIGNED = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "security-token", "signature", "signedheaders")
)


@value
class Target:
    """Where a call wants to go.

    `service` is the URL's first segment when that names a service outright, else None; `region` is the one in the
    URL, else None; `path` and `query` are canonical, `query` without its question mark; `segments` are the path's,
    decoded once.
    """

    service: str | None
    region: str | None
    path: str
    query: str
    segments: tuple[str, ...]

    @property
    def path_and_query(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def parse(raw: str, services: frozenset[str]) -> Target:
    """The target of a raw request line such as `/bedrock/eu-west-1/model/x%3A0/converse?a=b`.

    `services` are the prefixes that name a service outright; the prefix `bedrock` stands for all of them and wins
    over the service of that name. Raises MalformedRequest.
    """
    return _remembered(raw, services) if len(raw) <= _LONGEST_REMEMBERED else _parse(raw, services)


def _parse(raw: str, services: frozenset[str]) -> Target:
    if not raw.startswith("/"):
        raise MalformedRequest("The request target must be a path that starts with /, not an absolute URL.")
    if "#" in raw or "\\" in raw or _OUTSIDE_URI.search(raw):
        raise MalformedRequest("The request target has a character that no URL may carry (#, \\, space or a control).")
    if _BAD_ESCAPE.search(raw):
        raise MalformedRequest("The request target has a % that two hexadecimal digits do not follow.")
    path, _, query = raw.partition("?")
    prefix, *rest = path.split("/")[1:]
    if prefix != "bedrock" and prefix not in services:
        raise MalformedRequest(
            f"The path must start with /bedrock/ as it is, without escapes or extra slashes: {prefix[:40]!r}"
        )
    region = rest.pop(0) if rest and _REGION.fullmatch(rest[0]) else None
    segments = tuple(_segment(segment) for segment in rest or [""])
    if "" in segments[:-1]:
        raise MalformedRequest("The path has an empty segment (//): remove one slash.")
    return Target(
        service=None if prefix == "bedrock" else prefix,
        region=region,
        path="/" + "/".join(quote(segment, safe=UNRESERVED) for segment in segments),
        query=_canonical_query(query),
        segments=segments,
    )


_remembered = lru_cache(_REMEMBERED)(_parse)


def _segment(encoded: str) -> str:
    segment = _decoded(encoded)
    layer = segment
    for _ in range(_MAX_ESCAPE_LAYERS):
        _refuse_traversal(layer)
        if "%" not in layer:
            return segment
        layer, outer = unquote_to_bytes(layer).decode("utf-8", "replace"), layer
        if layer == outer:
            return segment
    raise MalformedRequest("The path has escapes within escapes beyond reason.")


def _refuse_traversal(text: str) -> None:
    if _CONTROL.search(text):
        raise MalformedRequest("The path has a control character.")
    if "\\" in text:
        raise MalformedRequest("The path has a backslash.")
    # what follows a semicolon is a parameter to some servers, which drop it before they resolve dots
    if any(part.partition(";")[0] in {".", ".."} for part in text.split("/")):
        raise MalformedRequest("The path has a dot segment (. or ..), possibly percent-encoded: send the path itself.")


def _canonical_query(query: str) -> str:
    pairs = []
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = (_decoded(half.replace("+", "%20")) for half in pair.partition("="))
        if _CONTROL.search(name + value):
            raise MalformedRequest("The query string has a control character.")
        if name.lower() in _PRESIGNED:
            raise MalformedRequest(
                "Presigned URLs are not accepted: send the key in a header, such as Authorization: Bearer."
            )
        pairs.append(f"{quote(name, safe=UNRESERVED)}={quote(value, safe=UNRESERVED)}")
    return "&".join(pairs)


def _decoded(encoded: str) -> str:
    try:
        return unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise MalformedRequest("The request target has percent escapes that are not UTF-8.") from None
