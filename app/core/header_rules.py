"""Which headers go to AWS and which come back.

To AWS: everything end-to-end, less what identifies the caller to us, what belongs to one hop (RFC 9110 section 7.6.1),
what proxies add, what other servers read as orders (method override, URL rewrite), and what the signer writes itself.
Back: everything end-to-end, less what the gateway or the server in front of the caller writes itself.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from app.core.errors import MalformedRequest, UpstreamBroke

Headers = tuple[tuple[str, str], ...]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade http2-settings".split()
)
# the last two: the peer also reads keys from them, and nobody's key may travel on
_CREDENTIALS = frozenset(
    "authorization litellm-user-api-key x-api-key api-key cookie x-goog-api-key ocp-apim-subscription-key".split()
)
_PROXIES = frozenset("forwarded x-real-ip via true-client-ip x-client-ip cf-connecting-ip fly-client-ip".split())
_ORDERS = frozenset(
    "x-http-method x-http-method-override x-method-override x-original-url x-original-uri x-rewrite-url".split()
)
_SIGNER = frozenset(("host", "date", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"))
_FRAMING = frozenset(("content-length", "expect", "accept-encoding"))
_DROPPED = _HOP_BY_HOP | _CREDENTIALS | _PROXIES | _ORDERS | _SIGNER | _FRAMING
# What a call is judged by, or AWS guards it by: RFC 9110 would have it dropped where Connection names it, and then AWS
# would get another call than the one that was judged.
_JUDGED = ("content-type", "x-amz-", "x-amzn-")
# What the gateway says of a call, to the caller alone; an endpoint that is another gateway says it of its own call.
_OURS = ("x-litellm-", "x-outcrop-")
_DROPPED_PREFIXES = ("x-forwarded-", "amz-sdk-", *_OURS)

# gunicorn writes its own Date and Server, and two of either is one too many; callers' cookies do not go to AWS, and
# AWS's must not be kept for whatever else is served from this host
_REPLY_DROPPED = _HOP_BY_HOP | {"date", "server", "set-cookie"}
# names nothing that is not dropped anyway
_KEEP_ALIVE = "keep-alive"
_NONE: frozenset[str] = frozenset()


def to_aws(headers: Iterable[tuple[str, str]]) -> Headers:
    """The caller's headers as AWS gets them, in order. Raises MalformedRequest.

    `Accept-Encoding` becomes `identity`: a compressed answer would blind the meter.
    """
    headers = [(name.lower(), value) for name, value in headers]
    kept = []
    connection = []
    for name, value in headers:
        if name == "connection" and value != _KEEP_ALIVE:
            connection.append(value)
        if name in _DROPPED or name.startswith(_DROPPED_PREFIXES):
            continue
        if not (value.isascii() and value.isprintable()):
            _refuse_unsendable(name, value)
        kept.append((name, value))
    if connection:
        named = _tokens(connection)
        for name, _ in headers:
            if name in named and name.startswith(_JUDGED):
                raise MalformedRequest(f"Connection names {name}, which is part of the call: it cannot be left out.")
        kept = [header for header in kept if header[0] not in named]
    kept.append(("Accept-Encoding", "identity"))
    return tuple(kept)


def to_caller(headers: Iterable[tuple[str, str]]) -> Headers:
    """AWS's headers as the caller gets them, in order. Raises UpstreamBroke."""
    kept = []
    connection = []
    chunked = False
    for header in headers:
        written, value = header
        name = written.lower()
        if not _is_token(name) or (not (value.isascii() and value.isprintable()) and _CONTROL.search(value)):
            raise UpstreamBroke("AWS answered with a header that cannot be sent on. The model may have run.")
        if name == "connection" and value != _KEEP_ALIVE:
            connection.append(value)
        chunked = chunked or name == "transfer-encoding"
        if name not in _REPLY_DROPPED and not name.startswith(_OURS):
            kept.append((name, header))
    dropped = _tokens(connection) if connection else _NONE
    if chunked:
        # chunks overrule a length (RFC 9112 section 6.3), and the server that relays them must not count by it
        dropped |= {"content-length"}
    return tuple([header for name, header in kept if name not in dropped])


@lru_cache(maxsize=256)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def _refuse_unsendable(name: str, value: str) -> None:
    if _CONTROL.search(value):
        raise MalformedRequest(f"The header {name} has a control character.")
    # a signature is made over UTF-8 and a header is sent as Latin-1: only ASCII is the same in both
    if not value.isascii() and (name == "content-type" or name.startswith("x-amz-")):
        raise MalformedRequest(f"The header {name} is signed, so it must be ASCII.")


def _tokens(connection: list[str]) -> frozenset[str]:
    """What the headers Connection name."""
    return frozenset(token.strip().lower() for value in connection for token in value.split(","))
