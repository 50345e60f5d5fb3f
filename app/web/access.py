"""Who may use which route. Written where a route is registered, also when it is "anyone", so that no route is open
because it was forgotten; tests/test_wiring.py walks them all.

And the one rule above all routes: without a strong master key the gateway serves this machine only. Binding to
loopback is not enough, as a browser on this machine can be made to call it by any page (DNS rebinding, simple
cross-origin requests), and a proxy on it by anyone: hence each condition of LoopbackOnly.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from app.core.address_ranges import parse_address
from app.core.errors import AccessDenied


def requires_virtual_key() -> None:
    """The passage's doorman looks at the credential of every call, before anything else."""


def requires_admin_key() -> None:
    """The admin routes' gate (admin_api/routes.py) looks at the credential, and at what each route says of access."""


def requires_no_auth() -> None:
    """Anyone may: the route says nothing worth hiding."""


# as proxies write an address with its port: 192.0.2.1:8080, [2001:db8::1]:8080, [2001:db8::1]
_WITH_PORT = re.compile(r"(?P<ipv4>[0-9.]+):[0-9]{1,5}|\[(?P<ipv6>[^\]]*)\](:[0-9]{1,5})?")


def caller_address(environ: Mapping[str, str], trusted_hops: int) -> str | None:
    """Where a request came from; None where that cannot be known.

    `trusted_hops`: how many proxies stand in front, each of which adds to X-Forwarded-For whom it was called by. What
    stands further left was written by the caller.
    """
    if not trusted_hops:
        return _address(environ.get("REMOTE_ADDR", ""))
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return _address(forwarded[-trusted_hops].strip(" \t")) if len(forwarded) >= trusted_hops else None


@lru_cache(maxsize=1024)
def _address(text: str) -> str | None:
    with_port = _WITH_PORT.fullmatch(text)
    found = parse_address(with_port["ipv4"] or with_port["ipv6"] if with_port else text)
    return str(found) if found else None


_PROXY_HEADERS = (
    "HTTP_FORWARDED HTTP_X_REAL_IP HTTP_VIA HTTP_TRUE_CLIENT_IP HTTP_X_CLIENT_IP HTTP_CF_CONNECTING_IP "
    "HTTP_FLY_CLIENT_IP".split()
)


class LoopbackOnly:
    """Refuses every request that may come from elsewhere than this machine."""

    def check(self, environ: Mapping[str, str]) -> None:
        """Raises AccessDenied."""
        host = _hostname(f"//{environ.get('HTTP_HOST', '')}")
        if not _is_loopback(environ.get("REMOTE_ADDR", "")):
            raise self._refused("it came from another machine")
        if host is None or not (host in {"localhost", "0.0.0.0"} or _is_loopback(host)):  # noqa: S104  # the page's URL
            raise self._refused("its Host is not localhost")
        if "HTTP_ORIGIN" in environ and _hostname(environ["HTTP_ORIGIN"]) != host:
            raise self._refused("its Origin is another host")
        if any(name in environ for name in _PROXY_HEADERS) or any(
            name.startswith("HTTP_X_FORWARDED_") for name in environ
        ):
            raise self._refused("it came through a proxy")

    def _refused(self, reason: str) -> AccessDenied:
        return AccessDenied(
            f"Refused, because {reason}: without a strong LITELLM_MASTER_KEY this gateway serves this machine only. "
            'Set one of at least 20 characters, such as "sk-$(openssl rand -hex 32)".'
        )


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(address: str) -> bool:
    found = parse_address(address)
    return found is not None and found.is_loopback
