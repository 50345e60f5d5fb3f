"""Without a strong master key the gateway serves this machine only: every condition, alone."""

import pytest

from app.core.errors import AccessDenied
from app.web.access import LoopbackOnly, caller_address

LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:4000"}


def reason(**changes: str | None) -> str | None:
    """Why such a request is refused; None if it is not. A None takes a variable away."""
    environ = {name: value for name, value in {**LOCAL, **changes}.items() if value is not None}
    try:
        LoopbackOnly().check(environ)
    except AccessDenied as refused:
        return refused.message
    return None


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.53", "127.255.255.254", "::1", "::ffff:127.0.0.1"])
def test_peers_on_this_machine_are_served(peer: str) -> None:
    """IPv4, IPv6, and IPv4 in IPv6's clothes."""
    assert reason(REMOTE_ADDR=peer) is None


@pytest.mark.parametrize(
    "peer",
    [
        "126.255.255.255",
        "128.0.0.1",
        "10.0.0.1",
        "192.168.1.7",
        "0.0.0.0",
        "169.254.169.254",
        "203.0.113.9",
        "::",
        "::2",
        "fe80::1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "localhost",
        "",
        None,
    ],
)
def test_other_peers_are_refused(peer: str | None) -> None:
    """Neighbours of the loopback ranges, private networks, and what is no address."""
    assert "another machine" in (reason(REMOTE_ADDR=peer) or "")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:4000",
        "127.0.0.1",
        "127.0.0.1:4000",
        "127.1.2.3:80",
        "[::1]",
        "[::1]:4000",
        "[::ffff:127.0.0.1]:4000",
        "0.0.0.0",
        "0.0.0.0:4000",
    ],
)
def test_hosts_that_mean_this_machine_are_served(host: str) -> None:
    """With and without a port."""
    assert reason(HTTP_HOST=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "localhost.example.com",
        "localhost@example.com",
        "localhost.",
        "127.0.0.1.nip.io",
        "127.0.0.1.example.com:4000",
        "127.0.0.1@example.com",
        "10.0.0.1:4000",
        "[::2]:4000",
        "[::1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "",
        None,
    ],
)
def test_other_hosts_are_refused(host: str | None) -> None:
    """DNS rebinding: the page's own host name leads here, and stands in Host."""
    assert "Host is not localhost" in (reason(HTTP_HOST=host) or "")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:4000", "http://localhost:4000"),
        ("localhost:4000", "http://localhost:3000"),
        ("127.0.0.1:4000", "https://127.0.0.1"),
        ("[::1]:4000", "http://[::1]:4000"),
    ],
)
def test_pages_of_the_same_host_are_served(host: str, origin: str) -> None:
    """On whatever port: the admin's own pages, and a developer's."""
    assert reason(HTTP_HOST=host, HTTP_ORIGIN=origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://localhost.example.com",
        "http://example.com:4000",
        "http://127.0.0.1:4000",
        "http://localhost@example.com",
        "null",
        "",
        "localhost:4000",
        "http://[::1",
    ],
)
def test_pages_of_other_hosts_are_refused(origin: str) -> None:
    """Simple cross-origin requests need no permission to be sent; a sandboxed page says null."""
    assert "Origin is another host" in (reason(HTTP_ORIGIN=origin) or "")


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_FORWARDED",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_SERVER",
        "HTTP_X_FORWARDED_ANYTHING",
        "HTTP_X_REAL_IP",
        "HTTP_VIA",
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_what_came_through_a_proxy_is_refused(name: str, value: str) -> None:
    """Whoever stands behind it is not this machine, also when it says nothing about them."""
    assert "through a proxy" in (reason(**{name: value}) or "")


@pytest.mark.parametrize("name", ["HTTP_X_FORWARDE", "HTTP_X_AMZN_VIA", "HTTP_REFERER", "X_FORWARDED_FOR"])
def test_other_headers_do_not_matter(name: str) -> None:
    """Names that only look alike."""
    assert reason(**{name: "x"}) is None


def test_the_refusal_says_what_to_set() -> None:
    """It is read by an operator who wonders why the deploy does not answer."""
    told = reason(REMOTE_ADDR="203.0.113.9") or ""

    assert "LITELLM_MASTER_KEY" in told
    assert "openssl rand" in told


def address(hops: int, forwarded: str | None = None, peer: str = "198.51.100.9") -> str | None:
    """Where such a request came from."""
    environ = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    return caller_address(environ, hops)


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unix:", None),
    ],
)
def test_without_proxies_the_caller_is_the_peer(peer: str, found: str | None) -> None:
    """Whatever it says of itself."""
    assert address(0, peer=peer) == found
    assert address(0, "203.0.113.1", peer) == found


@pytest.mark.parametrize(
    ("hops", "forwarded", "found"),
    [
        (1, None, None),
        (1, "", None),
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "10.0.0.1, 203.0.113.1", "203.0.113.1"),
        (1, "10.0.0.1,203.0.113.1 ", "203.0.113.1"),
        (2, "203.0.113.1", None),
        (2, "203.0.113.1, 192.0.2.2", "203.0.113.1"),
        (2, "10.0.0.1, 203.0.113.1, 192.0.2.2", "203.0.113.1"),
        (3, "10.0.0.1, 203.0.113.1, 192.0.2.2", "10.0.0.1"),
        (4, "10.0.0.1, 203.0.113.1, 192.0.2.2", None),
        (1, "203.0.113.1,", None),
        (1, "10.0.0.1, unknown", None),
        (1, "10.0.0.1, _hidden", None),
        (2, "localhost, 192.0.2.2", None),
    ],
)
def test_behind_proxies_the_caller_is_who_the_outermost_of_them_saw(
    hops: int, forwarded: str | None, found: str | None
) -> None:
    """What stands further left was written by the caller; the peer is a proxy and says nothing."""
    assert address(hops, forwarded) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("203.0.113.1:8080", "203.0.113.1"),
        ("[2001:db8::1]:8080", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("[::ffff:203.0.113.1]:80", "203.0.113.1"),
        ("203.0.113.1:", None),
        ("203.0.113.1:123456", None),
        ("203.0.113.256", None),
        ("203.0.113.01", None),
        ("[2001:db8::1", None),
        ("2001:db8::1]:80", None),
        ('"203.0.113.1"', None),
        ("203.0.113.1 203.0.113.2", None),
    ],
)
def test_an_address_may_have_its_port(written: str, found: str | None) -> None:
    """As load balancers write them; what is no address is unknown."""
    assert address(1, written) == found
