"""Verifies the Signature Version 4 of a call that arrives, made with an issued key pair (core/key_pairs.py).

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, and what botocore
and AWS's JavaScript SDK put on the wire. Stricter than AWS where being lax would let a call be changed on its way: the
body is always part of it, and every header that AWS or this gateway acts upon must be signed. The signed path is the
one on the wire, prefix and escapes included, so nothing in front may rewrite path or Host.

There is no nonce: whoever can read a call can send the same again while its date is good. TLS keeps it from being read.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from app.core.credentials import Scope, Signature
from app.core.errors import ClockOff, SignatureWrong
from app.core.targets import UNRESERVED

# AWS's own, for most of its services
ALLOWED_SKEW = timedelta(minutes=5)
_ALGORITHM = "AWS4-HMAC-SHA256"
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_ISO_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z")
# No `_`: WSGI cannot tell it from `-`, and the server drops such names but one, which is a credential of its own.
# HTTP/2 calls Host `:authority`, and what signs for it arrives here by a router that speaks HTTP/1.1 to us.
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^`|~-]+|:authority")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLANKS = re.compile(r"[ \t]+")
_MUST_BE_SIGNED = ("x-amz", "x-litellm-", "x-outcrop-")
# what load balancers and CDNs in front add by themselves; the SDKs never sign the first
_ADDED_ON_THE_WAY = frozenset(
    ("x-amzn-trace-id", "x-amz-cf-id", "x-amzn-tls-version", "x-amzn-tls-cipher-suite")  # ALB, CloudFront, ALB, ALB
)


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A call as it arrived, and the signature it claims. Header names are lower-case; its body is still to come."""

    method: str
    raw_target: str
    headers: Mapping[str, str] = field(repr=False)
    signature: Signature

    def check_head(self, now: datetime) -> None:
        """All that can be told before the body is read. Raises SignatureWrong or ClockOff."""
        names = self.signature.signed_headers
        if list(names) != sorted(set(names)) or not all(_NAME.fullmatch(name) for name in names):
            raise SignatureWrong(
                "SignedHeaders must name headers in lower case, sorted, once each, without underscores."
            )
        signed = {"host" if name == ":authority" else name for name in names}
        date = "x-amz-date" if "x-amz-date" in self.headers else "date"
        for name in sorted({"host", date} | {name for name in self.headers if name.startswith(_MUST_BE_SIGNED)}):
            if name not in signed and name not in _ADDED_ON_THE_WAY:
                raise SignatureWrong(f"The header {name} must be signed, and SignedHeaders does not name it.")
        absent = sorted(signed - set(self.headers) - {"content-length"})
        if absent:
            raise SignatureWrong(f"SignedHeaders names {absent[0]}, and no such header arrived.")
        stated = self.headers.get("x-amz-content-sha256")
        if stated is not None and not _SHA256.fullmatch(stated):
            raise SignatureWrong(
                "x-amz-content-sha256 must be the SHA-256 of the body in hex: unsigned payloads and signed streams are "
                "not accepted here."
            )
        self._check_time(now)

    def check_body(self, body: bytes | bytearray, secrets: tuple[str, ...]) -> None:
        """The signature itself, which holds if it was made with one of `secrets`. Raises SignatureWrong."""
        payload = sha256(body).hexdigest()
        if self.headers.get("x-amz-content-sha256", payload) != payload:
            raise SignatureWrong("The body that arrived is not the one that was signed (x-amz-content-sha256).")
        scope = self.signature.scope
        request = self._canonical(len(body), payload)
        parts = (_ALGORITHM, self._signed_at().strftime(_TIMESTAMP), _scope_text(scope), sha256(request).hexdigest())
        expected = [_signed("\n".join(parts), scope, secret) for secret in secrets]
        claimed = self.signature.hexadecimal.encode()
        if not any([hmac.compare_digest(one, claimed) for one in expected]):  # noqa: C419  # all, in constant time
            raise SignatureWrong(
                "The signature is not that of this call with this key pair. Check the secret access key, and that "
                "nothing on the way changes method, path, query, body or the signed headers "
                f"({';'.join(self.signature.signed_headers)}): Host arrived as {self.headers['host'][:100]!r}."
            )

    def _check_time(self, now: datetime) -> None:
        signed_at = self._signed_at()
        if signed_at.strftime("%Y%m%d") != self.signature.scope.date:
            raise SignatureWrong("The date in the signature's Credential is not that of x-amz-date.")
        if abs(now - signed_at) > ALLOWED_SKEW:
            raise ClockOff(
                f"The call was signed at {signed_at.strftime(_TIMESTAMP)} and this gateway's clock says "
                f"{now.strftime(_TIMESTAMP)}; they may differ by {ALLOWED_SKEW // timedelta(minutes=1)} minutes. "
                "Set the clock of this machine, and sign again."
            )

    def _signed_at(self) -> datetime:
        """By x-amz-date, else by Date. Raises SignatureWrong."""
        name = "x-amz-date" if "x-amz-date" in self.headers else "date"
        text = self.headers[name]
        try:
            if _ISO_BASIC.fullmatch(text):
                return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
            if name == "date":
                read = parsedate_to_datetime(text)
                return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass  # said below
        raise SignatureWrong(f"The header {name} must be a time such as 20261122T101500Z.")

    def _canonical(self, length: int, payload: str) -> bytes:
        path, _, query = self.raw_target.partition("?")
        names = self.signature.signed_headers
        values = {
            **self.headers,
            ":authority": self.headers["host"],
            # its own length was checked when the body was read; a router may have sent it on in chunks
            "content-length": str(length),
        }
        headers = [f"{name}:{_BLANKS.sub(' ', values[name].strip(' ' + chr(9)))}\n" for name in names]
        lines = (self.method, canonical_path(path), canonical_query(query), "".join(headers), ";".join(names), payload)
        return "\n".join(lines).encode("latin-1")


def canonical_path(path: str) -> str:
    """The path on the wire without its dot and empty segments, quoted once more: `%3A` becomes `%253A`."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + trailing, safe=UNRESERVED + "/", encoding="latin-1")


def canonical_query(query: str) -> str:
    """Decoded, encoded again, sorted by name, then by value. A `+` is a space, as in core/targets.py."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return "&".join(f"{name}={value}" for name, value in sorted((_again(n), _again(v)) for n, _, v in pairs))


def _again(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe=UNRESERVED)


def _scope_text(scope: Scope) -> str:
    return f"{scope.date}/{scope.region}/{scope.service}/aws4_request"


def _signed(to_sign: str, scope: Scope, secret: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), sha256).hexdigest().encode()
