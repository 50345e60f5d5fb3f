"""Addresses of callers, and whether a list of CIDR ranges admits one. IPv4 in IPv6's clothes is IPv4."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# ::ffff:0:0/96, where IPv4 is mapped into IPv6 (RFC 4291 section 2.5.5.2)
_MAPPED_BITS = 96


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone; None if it is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def parse_range(text: str) -> IPv4Network | IPv6Network:
    """A range such as 10.0.0.0/8, or one address. Raises ValueError."""
    found = ip_network(text)
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is not None and found.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))
    return found


@lru_cache(maxsize=4096)
def admits(ranges: tuple[str, ...], address: str | None) -> bool:
    """Whether one of the ranges has the address. An unknown address is in none."""
    found = parse_address(address) if address is not None else None
    return found is not None and any(found in network for network in _networks(ranges))


@lru_cache(maxsize=1024)
def _networks(ranges: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for text in ranges:
        try:
            networks.append(parse_range(text))
        except ValueError:
            continue  # what is no range admits nobody
    return tuple(networks)
