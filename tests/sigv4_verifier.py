"""Verifies AWS Signature Version 4 on a request as it stood on the wire.

A second opinion: it shares no code with requests-aws4auth, which the product signs with, nor with botocore, which it
is cross-checked against. It is stricter than AWS where a laxer rule would hide a fault: x-amz-date is required, and
every x-amz-* header that is present must be signed.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-_.~"
MAX_SKEW = timedelta(minutes=5)  # what AWS allows


class SignedMessage(Protocol):
    """What a signature covers; target and headers hold the wire's bytes as latin-1."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True)
class Verdict:
    """ok, or the reason why not; the other fields are what the Authorization header claims."""

    ok: bool
    reason: str = ""
    access_key_id: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: tuple[str, ...] = ()
    signature: str = ""


class _Refused(Exception):
    """Carries the reason up to verify(), where it becomes a Verdict."""


def verify(
    request: SignedMessage,
    secret_for: Callable[[str], str | None],
    session_token_for: Callable[[str], str | None] = lambda access_key_id: None,
    now: datetime | None = None,
) -> Verdict:
    """Say whether the request's signature holds for the secret of its access key id."""
    claim = Verdict(ok=False)
    try:
        claim = _claim(_only(request, "authorization"))
        timestamp = _timestamp(request, claim, now or datetime.now(UTC))
        _check_signed_headers(request, claim)
        _check_session_token(request, session_token_for(claim.access_key_id))
        _check_signature(request, claim, timestamp, secret_for(claim.access_key_id))
    except _Refused as refused:
        return replace(claim, reason=str(refused))
    return replace(claim, ok=True)


def canonical_request(request: SignedMessage, signed_headers: Sequence[str], payload_hash: str) -> bytes:
    """Return the canonical request, in bytes: header values need not be text."""
    path, _, query = request.target.partition("?")
    if not path.startswith("/"):
        raise _Refused(f"the target {request.target!r} is not in origin form")
    headers = [
        f"{name}:{','.join(' '.join(value.split()) for value in _values(request, name))}\n" for name in signed_headers
    ]
    lines = [
        request.method,
        canonical_path(path),
        canonical_query(query),
        "".join(headers),
        ";".join(signed_headers),
        payload_hash,
    ]
    return "\n".join(lines).encode("latin-1")


def canonical_path(path: str) -> str:
    """Quote the wire's path once more, without its dot and empty segments; only S3 does otherwise."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if kept and path.endswith("/") else ""
    return quote(("/" + "/".join(kept) + trailing).encode("latin-1"), safe=UNRESERVED + "/")


def canonical_query(query: str) -> str:
    """Decode, encode again, sort by name and then by value.

    A raw plus is a space, as AWS's Go SDK and requests-aws4auth sign it.
    """
    pairs = [part.partition("=") for part in query.split("&") if part]
    return "&".join(f"{name}={value}" for name, value in sorted((_again(n), _again(v)) for n, _, v in pairs))


def _again(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe=UNRESERVED)


def _values(request: SignedMessage, name: str) -> list[str]:
    return [value for header, value in request.headers if header.lower() == name]


def _only(request: SignedMessage, name: str) -> str:
    values = _values(request, name)
    if len(values) != 1:
        raise _Refused(f"there must be one {name} header, there are {len(values)}")
    return values[0]


def _claim(authorization: str) -> Verdict:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _Refused(f"the Authorization header is not {ALGORITHM}")
    fields = dict(_field(part) for part in rest.split(","))
    if sorted(fields) != ["Credential", "Signature", "SignedHeaders"]:
        raise _Refused("Authorization must have Credential, SignedHeaders and Signature")
    scope = fields["Credential"].rsplit("/", 4)
    if len(scope) != 5 or scope[4] != "aws4_request" or not all(scope):
        raise _Refused(f"the credential scope {fields['Credential']!r} is malformed")
    names = tuple(fields["SignedHeaders"].split(";"))
    return Verdict(False, "", scope[0], scope[1], scope[2], scope[3], names, fields["Signature"])


def _field(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _timestamp(request: SignedMessage, claim: Verdict, now: datetime) -> str:
    timestamp = _only(request, "x-amz-date")
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _Refused(f"x-amz-date {timestamp!r} is malformed") from None
    if timestamp[:8] != claim.date:
        raise _Refused(f"the scope's date {claim.date} is not that of x-amz-date {timestamp}")
    if abs(now - signed_at) > MAX_SKEW:
        raise _Refused(f"x-amz-date {timestamp} is more than 5 minutes from now")
    return timestamp


def _check_signed_headers(request: SignedMessage, claim: Verdict) -> None:
    signed = claim.signed_headers
    if list(signed) != sorted({name.lower() for name in signed}):
        raise _Refused(f"SignedHeaders {';'.join(signed)!r} is not sorted, lower case and without repeats")
    present = {name.lower() for name, _ in request.headers}
    absent = [name for name in signed if name not in present]
    if absent:
        raise _Refused(f"signed headers are absent: {absent}")
    required = {"host", "x-amz-date"} | {name for name in present if name.startswith("x-amz-")}
    unsigned = sorted(required - set(signed))
    if unsigned:
        raise _Refused(f"headers must be signed and are not: {unsigned}")
    _only(request, "host")


def _payload_hash(request: SignedMessage) -> str:
    payload_hash = hashlib.sha256(request.body).hexdigest()
    stated = _values(request, "x-amz-content-sha256")
    if stated and stated != [payload_hash]:
        raise _Refused(f"x-amz-content-sha256 {stated} is not the hash of the body")
    return payload_hash


def _check_session_token(request: SignedMessage, token: str | None) -> None:
    # that it is signed, if sent, was checked with the other x-amz-* headers
    sent = _values(request, "x-amz-security-token")
    if token is None and sent:
        raise _Refused("an x-amz-security-token was sent with a credential that has none")
    if token is not None and sent != [token]:
        raise _Refused("the credential's session token must be sent as x-amz-security-token")


def _check_signature(request: SignedMessage, claim: Verdict, timestamp: str, secret: str | None) -> None:
    if secret is None:
        raise _Refused(f"the access key id {claim.access_key_id!r} is not known")
    canonical = canonical_request(request, claim.signed_headers, _payload_hash(request))
    if not hmac.compare_digest(_signature(claim, timestamp, secret, canonical), claim.signature):
        raise _Refused("the signature does not match the request")


def _signature(claim: Verdict, timestamp: str, secret: str, canonical: bytes) -> str:
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, timestamp, scope, hashlib.sha256(canonical).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return hmac.new(key, to_sign.encode("latin-1"), hashlib.sha256).hexdigest()
