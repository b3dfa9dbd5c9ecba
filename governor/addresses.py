"""Which IP addresses a callout may reach: public ones, however they are written, and those on a list."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from governor.targets import is_private_name

if TYPE_CHECKING:
    from collections.abc import Iterable

# Ranges that carry an IPv4 address inside an IPv6 one, and how far right it stands: it is what is reached.
_WRAPPING = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)
# Only here are addresses of the public Internet; what is outside is local, reserved, or wraps another.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NEVER_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo and ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NEVER_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "168.63.129.16/32",  # public by its number, a cloud's own machine to those inside it
    )
)
_ISATAP = frozenset(
    {0x0000_5EFE, 0x0200_5EFE}
)  # in the middle of an address that tunnels to the IPv4 at its end


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
    return _is_public(ip) and not is_private_name(host)


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        is_never = any(ip in network for network in _NEVER_V4)
    else:
        for wrapping, shift in _WRAPPING:
            if ip in wrapping:
                return _is_public(ipaddress.IPv4Address((int(ip) >> shift) & 0xFFFF_FFFF))
        is_never = (
            ip not in _PUBLIC_V6
            or any(ip in network for network in _NEVER_V6)
            or (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP
        )
    return not is_never and ip.is_global and not ip.is_multicast and not ip.is_reserved
