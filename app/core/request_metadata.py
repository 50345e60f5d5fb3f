"""Writes who a call is for into what AWS itself logs of it: opt-in, since it changes the request.

Converse and ConverseStream carry it in the body's `requestMetadata`, InvokeModel and its stream in the header
X-Amzn-Bedrock-Request-Metadata, each at most 16 pairs; no other operation is touched. The caller's own pairs stay, and
come first where there is room for no more; under our names only the gateway writes. Of a body all other bytes stay as
they were sent, also where they are no JSON that AWS will take.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from app.core.attribution import REQUEST_METADATA_HEADER
from app.core.bedrock_calls import BedrockCall
from app.core.callers import Caller
from app.core.errors import MalformedRequest
from app.core.header_rules import Headers
from app.core.json_bodies import JsonBody, strict_json
from app.core.usage import Attribution

_MEMBER = "requestMetadata"
_IN_BODY = frozenset(("Converse", "ConverseStream"))
_IN_HEADER = frozenset(("InvokeModel", "InvokeModelWithResponseStream"))
# in the order in which they find room
NAMES = ("outcrop-key", "outcrop-end-user", "outcrop-team", "outcrop-user")
# AWS's own limits: botocore's RequestMetadata, RequestMetadataValueString, RequestMetadataJson
_MOST_PAIRS = 16
_LONGEST_VALUE = 256
_LONGEST_HEADER = 8500
_NOT_IN_VALUES = re.compile(r"[^a-zA-Z0-9 :_@$#=/+,.\-]")
# all that structures JSON, strings whole
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)
_SPACE = b" \t\r\n"
_OPENING = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*(\}?)")


def identity_of(caller: Caller, attribution: Attribution) -> Mapping[str, str]:
    """Who is calling, in the words of the log's lines, as AWS takes them: what it does not take becomes `_`."""
    team = caller.grant.team if caller.grant else None
    known = {
        "outcrop-key": caller.alias,
        "outcrop-end-user": attribution.end_user,
        "outcrop-team": (team and team.alias) or caller.team_id,
        "outcrop-user": caller.user_id,
    }
    return {name: _NOT_IN_VALUES.sub("_", known[name] or "")[:_LONGEST_VALUE] for name in NAMES if known[name]}


def with_identity(
    call: BedrockCall, headers: Headers, body: bytes | bytearray, identity: Mapping[str, str]
) -> tuple[Headers, bytes | bytearray]:
    """Headers (lower-case names) and body as AWS gets them. A bytearray is changed in place, and none is copied.

    Raises MalformedRequest where nobody can tell whether the caller wrote under our names.
    """
    if call.name in _IN_BODY:
        return headers, _in_body(headers, body, identity)
    if call.name in _IN_HEADER:
        return _in_header(headers, identity), body
    return headers, body


def _in_header(headers: Headers, identity: Mapping[str, str]) -> Headers:
    said = [value for name, value in headers if name.lower() == REQUEST_METADATA_HEADER]
    try:
        found = strict_json(said[0] or "{}") if said else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(said) > 1:
        raise MalformedRequest(f"{REQUEST_METADATA_HEADER} must be a JSON object: this gateway adds to it.")
    for most in range(_MOST_PAIRS, -1, -1):
        value = json.dumps(_merged(found, identity, most), separators=(",", ":"))
        if len(value) <= _LONGEST_HEADER:
            break
    others = tuple((name, value) for name, value in headers if name.lower() != REQUEST_METADATA_HEADER)
    return (*others, (REQUEST_METADATA_HEADER, value))


def _in_body(headers: Headers, body: bytes | bytearray, identity: Mapping[str, str]) -> bytes | bytearray:
    document = JsonBody(body, dict(headers))
    if not document.may_hold((_MEMBER.lower().encode(),)):
        return _first(body, identity)
    content = document.content()
    if any(name != _MEMBER and name.lower() == _MEMBER.lower() for name in content):
        raise MalformedRequest(f"`{_MEMBER}` in the body is spelt otherwise by AWS, and some parsers do not mind case.")
    if _MEMBER not in content:
        return _first(body, identity)
    found = content[_MEMBER] if content[_MEMBER] is not None else {}
    if not isinstance(found, dict):
        return body  # which AWS refuses
    start, end = _span(body)
    return _spliced(body, start, end, _written(_merged(found, identity, _MOST_PAIRS)))


def _merged(found: Mapping[str, Any], identity: Mapping[str, str], most: int) -> dict[str, Any]:
    """The caller's pairs, and as many of ours as there is room for."""
    own = {name: value for name, value in found.items() if name.lower() not in NAMES}
    room = max(0, most - len(own))
    return own | dict(list(identity.items())[:room])


def _first(body: bytes | bytearray, identity: Mapping[str, str]) -> bytes | bytearray:
    """As the first member, where the body is an object."""
    opening = _OPENING.match(body)
    if opening is None:
        return body
    place = body.index(b"{") + 1
    comma = b"" if opening[1] else b","
    member = json.dumps(_MEMBER).encode() + b":" + _written(identity) + comma
    del opening  # it holds on to the body, which may not change its length then
    return _spliced(body, place, place, member)


def _written(pairs: Mapping[str, Any]) -> bytes:
    return json.dumps(pairs, separators=(",", ":")).encode()


def _spliced(body: bytes | bytearray, start: int, end: int, new: bytes) -> bytes | bytearray:
    if isinstance(body, bytearray):
        body[start:end] = new
        return body
    return body[:start] + new + body[end:]


def _span(body: bytes | bytearray) -> tuple[int, int]:
    """Where the value of the one top-level member stands, in JSON that was parsed before."""
    depth, start = 0, None
    name = b""
    for token in _TOKEN.finditer(body):
        text = token[0]
        if start is not None and depth == 1 and text in (b",", b"}"):
            value = bytes(body[start : token.start()])
            return start + len(value) - len(value.lstrip(_SPACE)), token.start() - len(value) + len(
                value.rstrip(_SPACE)
            )
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and text == b":" and start is None and json.loads(name) == _MEMBER:
            start = token.end()
        elif depth == 1:
            name = text
    raise MalformedRequest(f"`{_MEMBER}` in the body cannot be found.")  # no JSON that was parsed ends here
