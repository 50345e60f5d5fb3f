"""Which credential a caller presents: the first header present decides.

    1  litellm_user_api_key      raw or `Bearer`      the peer's header
    2  x-litellm-api-key         raw or `Bearer`
    3  Authorization             `Bearer`, or anything that is not Signature Version 4
    4  x-api-key                 raw                  Anthropic's SDKs
    5  api-key                   raw                  Azure-shaped clients
    6  Authorization             `AWS4-HMAC-SHA256`: the access key id is the virtual key, or that of an issued pair

A header that is present but malformed is the answer (401), never the next one: falling through would let whoever can
add a header choose whose credential counts. WSGI joins repeated headers with commas, and no key contains one, so a
repeated header is malformed too.
"""

import re
from collections.abc import Mapping
from dataclasses import field

from app.core.errors import Unauthenticated
from app.core.value import value

# visible ASCII without `,` (a repeated header) and `"`; the bound is far above every key that exists
_KEY = re.compile(r"[!#-+\--~]{1,512}")
_BEARER = re.compile(r"(?i:bearer)[ \t]+(.*)")
_SIGV4 = "AWS4-HMAC-SHA256"
_SCOPE = re.compile(r"(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]{1,40})/(?P<service>[a-z0-9-]{1,60})/aws4_request")
_SPELT = {"litellm-user-api-key": "litellm_user_api_key", "authorization": "Authorization"}
HEADERS = ("litellm-user-api-key", "x-litellm-api-key", "authorization", "x-api-key", "api-key")


@value
class Scope:
    """The credential scope of a Signature Version 4 header: what the caller's SDK thinks it signs for."""

    date: str
    region: str
    service: str


@value
class Signature:
    """What a Signature Version 4 header claims: made in this scope, over these headers, in hex."""

    scope: Scope
    signed_headers: tuple[str, ...]
    hexadecimal: str = field(repr=False)


@value
class PresentedCredential:
    """A well-formed credential and the header that carried it. `secret` stays out of every repr and log.

    `signature` is there where `secret` is an access key id: an issued pair is admitted by it alone.
    """

    header: str
    secret: str = field(repr=False)
    signature: Signature | None = field(default=None, compare=False, repr=False)


def present(headers: Mapping[str, str]) -> PresentedCredential:
    """The credential among `headers` (lower-case names). Raises Unauthenticated, naming the header it read."""
    for name in HEADERS:
        value = headers.get(name)
        if value is None or (name == "authorization" and value.startswith(_SIGV4)):
            continue
        return PresentedCredential(_spelt(name), _key(name, value))
    signed = headers.get("authorization")
    if signed is None:
        raise Unauthenticated(
            "No credential. Send your key as Authorization: Bearer <key>, x-api-key: <key>, or as the "
            "AWS access key id of any AWS SDK."
        )
    access_key_id, signature = _signature(signed)
    return PresentedCredential("Authorization (AWS4-HMAC-SHA256)", access_key_id, signature)


def scope(headers: Mapping[str, str]) -> Scope | None:
    """The scope of a Signature Version 4 header, whoever's it is; None without one. It is a hint, never a right."""
    signed = headers.get("authorization", "")
    if not signed.startswith(_SIGV4):
        return None
    try:
        return _signature(signed)[1].scope
    except Unauthenticated:
        return None


def _spelt(name: str) -> str:
    return _SPELT.get(name, name)


def _key(name: str, value: str) -> str:
    bearer = _BEARER.fullmatch(value)
    if bearer:
        value = bearer[1].strip(" \t")
    elif name == "authorization":
        raise Unauthenticated("Authorization is neither `Bearer <key>` nor AWS4-HMAC-SHA256.")
    if not _KEY.fullmatch(value):
        raise Unauthenticated(
            f"{_spelt(name)} is malformed: it must hold one key and be sent once. No other header was looked at."
        )
    return value


def _signature(value: str) -> tuple[str, Signature]:
    """The access key id and the rest of an AWS4-HMAC-SHA256 header."""
    algorithm, _, rest = value.partition(" ")
    parameters = [part.strip(" \t").partition("=") for part in rest.split(",")]
    if algorithm != _SIGV4 or sorted(name for name, _, _ in parameters) != ["Credential", "Signature", "SignedHeaders"]:
        raise Unauthenticated(
            "Authorization is malformed: AWS4-HMAC-SHA256 takes Credential, SignedHeaders and Signature, once each."
        )
    claims = {name: text for name, _, text in parameters}
    # from the right: the scope has exactly four parts, whatever is in the key
    access_key_id, *parts = claims["Credential"].rsplit("/", 4)
    tail = "/".join(parts)
    found = _SCOPE.fullmatch(tail)
    if not found or not _KEY.fullmatch(access_key_id):
        raise Unauthenticated(
            "Authorization is malformed: its Credential is not <key>/<date>/<region>/<service>/aws4_request."
        )
    scope = Scope(found["date"], found["region"], found["service"])
    return access_key_id, Signature(scope, tuple(claims["SignedHeaders"].split(";")), claims["Signature"])
