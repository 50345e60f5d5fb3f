"""The canonicaliser of request targets: equals an oracle of its own, and nothing gets out of the prefix.

The oracle reads character by character what app/core/targets.py reads by expressions and urllib. Apart from it, what is
let pass must stay where it is whatever a server on the way does to it: decodes again, resolves dots, cuts parameters.
"""

from urllib.parse import unquote, urlsplit

from urllib3.util import parse_url

from app.core import targets
from app.core.errors import MalformedRequest
from tests.fuzz.target import Target

_SERVICES = frozenset(("bedrock-agent-runtime", "bedrock-mantle", "bedrock"))
_HEX = "0123456789abcdefABCDEF"
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
_PRESIGNED = "algorithm credential date expires security-token signature signedheaders".split()
_LAYERS = 8

Canonical = tuple[str | None, str | None, str, str]


def _check(data: bytes) -> None:
    raw = data.decode("latin-1")
    try:
        found = targets.parse(raw, _SERVICES)
    except MalformedRequest:
        assert _oracle(raw) is None, (raw, _oracle(raw))
        return
    assert (found.service, found.region, found.path, found.query) == _oracle(raw), (raw, found)
    _stays_inside(found.path)
    again = targets.parse("/bedrock/us-east-1" + found.path_and_query, _SERVICES)
    assert (again.path, again.query, again.segments) == (found.path, found.query, found.segments), raw
    url = "https://host.example" + found.path_and_query
    parts = urlsplit(url)
    assert (parts.netloc, parts.path, parts.query, parts.fragment) == ("host.example", found.path, found.query, ""), raw
    assert parse_url(url).request_uri == found.path_and_query, raw


def _stays_inside(path: str) -> None:
    """However often it is decoded."""
    for _ in range(20):
        assert path.startswith("/"), path
        assert not any(ord(character) < 32 or ord(character) == 127 or character == "\\" for character in path), path
        assert not {".", ".."} & {part.split(";")[0] for part in path.split("/")}, path
        path = unquote(path)


def _oracle(raw: str) -> Canonical | None:
    """What a target says, or None where it must be refused."""
    if not raw.startswith("/") or any(not "!" <= character <= "~" or character in "#\\" for character in raw):
        return None
    if any(character == "%" and not _is_escape(raw, at) for at, character in enumerate(raw)):
        return None
    path, _, query = raw.partition("?")
    prefix, *rest = path[1:].split("/")
    if prefix not in {"bedrock", *_SERVICES}:
        return None
    region = rest.pop(0) if rest and _is_region(rest[0]) else None
    segments = [_once(segment) for segment in rest or [""]]
    if any(segment is None or not _is_harmless(segment) for segment in segments) or "" in segments[:-1]:
        return None
    canonical = _query(query)
    if canonical is None:
        return None
    encoded = "".join(f"/{_encoded(segment or '')}" for segment in segments)
    return None if prefix == "bedrock" else prefix, region, encoded, canonical


def _is_escape(text: str, at: int) -> bool:
    return len(text) > at + 2 and text[at + 1] in _HEX and text[at + 2] in _HEX


def _is_region(text: str) -> bool:
    first, *middle = text.split("-")
    if len(middle) < 2:
        return False
    letters = [first, *middle[:-1]]
    number = middle[-1]
    return (
        2 <= len(first) <= 5
        and all(part and all("a" <= letter <= "z" for letter in part) for part in letters)
        and len(number) in (1, 2)
        and all("0" <= digit <= "9" for digit in number)
    )


def _bytes(text: str) -> bytes:
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] == "%" and _is_escape(text, at):
            out.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            out += text[at].encode()
            at += 1
    return bytes(out)


def _once(text: str) -> str | None:
    try:
        return _bytes(text).decode()
    except UnicodeDecodeError:
        return None


def _is_harmless(segment: str) -> bool:
    for _ in range(_LAYERS):
        if any(ord(character) < 32 or ord(character) == 127 or character == "\\" for character in segment):
            return False
        if any(part.split(";")[0] in (".", "..") for part in segment.split("/")):
            return False
        inner = _bytes(segment).decode("utf-8", "replace")
        if inner == segment:
            return True
        segment = inner
    return False


def _encoded(text: str) -> str:
    return "".join(character if character in _PLAIN else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _query(query: str) -> str | None:
    pairs = []
    for pair in query.split("&"):
        if pair == "":
            continue
        name, _, value = pair.partition("=")
        halves = [_once(half.replace("+", "%20")) for half in (name, value)]
        if any(half is None or any(ord(one) < 32 or ord(one) == 127 for one in half) for half in halves):
            return None
        if (halves[0] or "").lower() in {f"x-amz-{word}" for word in _PRESIGNED}:
            return None
        pairs.append("=".join(_encoded(half or "") for half in halves))
    return "&".join(pairs)


def _seeds() -> list[bytes]:
    paths = (
        "/bedrock/model/amazon.nova-lite-v1%3A0/converse",
        "/bedrock/eu-west-1/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Fx/invoke",
        "/bedrock-agent-runtime/agents/A1/agentAliases/B2/sessions/c/text",
        "/bedrock",
        "/bedrock/",
        "/bedrock/us-gov-west-1/openai/v1/chat/completions?api-version=1&x=%2B+y&&z",
        "/bedrock/a/%2e%2e/b",
        "/bedrock/a/%252e%252e%252fb",
        "/bedrock/a/..;x=1/b",
        "/bedrock//a",
        "/bedrock/a%2F..%2Fb",
        "/bedrock/a?X-Amz-Signature=1",
        "/bedrock/caf%C3%A9/%F0%9F%98%80",
        "http://evil/bedrock/a",
        *(f"/bedrock/a%{'25' * layers}2e%{'25' * layers}2fb" for layers in (2, 6, 7, 8, 9, 20)),
    )
    return [path.encode() for path in paths]


TARGET = Target(
    "request-targets",
    _seeds,
    _check,
    words=(
        *(
            b"/",
            b"//",
            b"..",
            b".",
            b"%2e",
            b"%2E%2e",
            b"%252e",
            b"%25",
            b"%2f",
            b"%5c",
            b"%00",
            b";",
            b"?",
            b"&",
            b"=",
        ),
        *(b"+", b"#", b"\\", b"@", b"%C3", b"%A9", b"%c0%ae", b"%ff", b"us-east-1", b"bedrock", b"x-amz-date", b"%0a"),
    ),
    quick=3000,
    longest=1024,
)
