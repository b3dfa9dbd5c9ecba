"""Which IP addresses a callout may reach: public ones, however they are written, and those on a list."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A range that carries IPv4 addresses inside IPv6 ones, and how far right they stand. On Python 3.11
# ``is_global`` calls a private address "global" when it is wrapped so.
_WRAPPING = (
    (ipaddress.ip_network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.ip_network("64:ff9b:1::/48"), 0),
    (ipaddress.ip_network("2002::/16"), 80),  # 6to4
    (ipaddress.ip_network("::/96"), 0),  # IPv4-compatible
)
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "2001::/32",
        "fec0::/10",
        "64:ff9b:1::/48",
    )
)


def is_allowed(address: str, host: str, *, port: int, allowed: Iterable[str]) -> bool:
    """Whether this IP address may be connected to; ``allowed`` names hosts, ``host:port``s and networks."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    for entry in allowed:
        if entry in (host, f"{host}:{port}", address):
            return True
        try:
            if ip in ipaddress.ip_network(entry):
                return True
        except ValueError:
            continue
    return _is_public(ip)


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if any(ip.version == network.version and ip in network for network in _NEVER):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return _is_public(ip.ipv4_mapped)
        for network, shift in _WRAPPING:
            if ip in network:
                return _is_public(ipaddress.IPv4Address((int(ip) >> shift) & 0xFFFFFFFF))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
