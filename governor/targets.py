"""Which addresses a callout may be written to: one plain spelling of a host, and none that hides another."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import httpx2

from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
LONGEST_URL = 16_384
LONGEST_HOST = 253  # no name is longer
# Names that mean a machine of ours wherever they are asked for (RFC 6761, 6762, 8375, 9476), and clouds' own.
_OUR_NAMES = frozenset({"localhost", "metadata", "instance-data", "kubernetes", "wpad"})
_OUR_ENDINGS = (
    "localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private",
    "home.arpa",
)  # fmt: skip
# Ports of services that would take an HTTP request for commands: the Fetch standard's list, and databases.
_PORTS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 445, 465, 512,
    513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1433,
    1521, 1719, 1720, 1723, 2049, 2375, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 6000, 6379,
    6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017,
})  # fmt: skip
_FORM = re.compile(r"(https?)://([^/?#]*)([/?#].*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@%\s\\]+)(?::([0-9]{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_DOTTED = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_PATTERN = re.compile(r"(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::([0-9]{1,5}))?")
# Of the connection, not of the message: they would send it to another host than the one that was checked, or
# let two servers read it differently.
_OURS = frozenset({"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_DOTS = "。．｡․"


# The CRMs' own addresses. Any other host may be one that a stranger wrote into a form.
PROVIDERS = (
    "*.hubapi.com", "*.leadconnectorhq.com", "*.salesforce.com", "*.force.com", "*.pipedrive.com",
    "*.zohoapis.com",
)  # fmt: skip


class EgressRefused(CodedError):
    """The request may not leave: its address, scheme or form is not allowed."""

    code = "governor.egress-refused"
    status = 403


class HostNotAllowed(EgressRefused):
    """The tenant's own list of hosts does not name this one."""

    code = "governor.host-not-allowed"


def check_url(
    method: str, url: str, *, allowed: Iterable[str] = (), is_operators: bool = False
) -> httpx2.URL:
    """The address, if it is one we may call. Raises ``EgressRefused``.

    ``allowed`` names the private hosts that the operator opened: they, and those that are the operator's own,
    may have any port. What a name resolves to is checked when it is connected to.
    """
    if method not in METHODS:
        raise EgressRefused(f"{method} is no method for a callout.")
    form = _FORM.fullmatch(url) if isinstance(url, str) and len(url) <= LONGEST_URL else None
    if form is None or not form[2]:
        raise EgressRefused("Callouts go to http:// and https:// addresses only.")
    if _CONTROL.search(url):
        raise EgressRefused("An address must not hold control or invisible characters.")
    if "@" in form[2]:
        raise EgressRefused("An address must not carry a user name or password; use a header with a secret.")
    if _AUTHORITY.fullmatch(form[2]) is None:
        raise EgressRefused("The host of an address is a name or an IP address, and may have a port.")
    try:
        target = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise EgressRefused(f"This is no address: {error}") from None
    written = form[2].partition("]")[0].lstrip("[") if "[" in form[2] else form[2].partition(":")[0]
    _check_host(written)
    port = port_of(target)
    host = _name(target)
    if is_operators or not {host, f"{host}:{port}"}.isdisjoint(allowed):
        return target
    if port in _PORTS or port > 65_535:
        raise EgressRefused(f"Port {port} is not one that callouts go to.")
    return target


def is_private_name(host: str) -> bool:
    """Whether the name means a machine of ours wherever it is asked for."""
    host = host.lower().rstrip(".")
    return host in _OUR_NAMES or any(host == end or host.endswith(f".{end}") for end in _OUR_ENDINGS)


def port_of(target: httpx2.URL) -> int:
    """The port, also when the address leaves it to its scheme."""
    return target.port if target.port is not None else {"http": 80}.get(target.scheme, 443)


def host_of(target: httpx2.URL) -> str:
    """The name under which a host is known to us: ``host:port``."""
    return f"{_name(target)}:{port_of(target)}"


def _name(target: httpx2.URL) -> str:
    return target.raw_host.decode("ascii").lower().rstrip(".")


def check_listed(target: httpx2.URL, patterns: Any) -> None:
    """Raises ``HostNotAllowed`` when a tenant's ``egress_hosts`` do not name the address's host.

    No list means any public host; a pattern that cannot be read allows nothing.
    """
    if not patterns:
        return
    listed: Sequence[Any] = patterns if isinstance(patterns, list | tuple) else ()
    host, port = _name(target), port_of(target)
    if not any(_fits(pattern, host, port) for pattern in listed):
        raise HostNotAllowed(
            f"{host} is not among the hosts this tenant may call; an operator can add it to egress_hosts in"
            " the tenant's settings."
        )


def is_provider(host: str, patterns: Any) -> bool:
    """Whether a tenant's work depends on ``host:port``: a CRM's, or one on its ``egress_hosts``."""
    name, _, port = host.rpartition(":")
    listed: Sequence[Any] = patterns if isinstance(patterns, list | tuple) else ()
    return any(_fits(pattern, name, int(port)) for pattern in (*PROVIDERS, *listed))


def check_headers(headers: Mapping[str, Any]) -> None:
    """Raises ``EgressRefused`` when one of them is not a script's to set."""
    for name in headers:
        plain = name.strip().lower()
        if plain in _OURS or plain.startswith("proxy-"):
            raise EgressRefused(f"A callout must not carry the header {plain}: it follows from its address.")


def _fits(pattern: Any, host: str, port: int) -> bool:
    read = _PATTERN.fullmatch(pattern.strip().lower()) if isinstance(pattern, str) else None
    if read is None or (read[3] and int(read[3]) != port):
        return False
    if read[1]:
        return "." in read[2] and host.endswith(f".{read[2]}")
    return host == read[2]


def _check_host(written: str) -> None:
    """Refuse a host that becomes an address only after somebody rewrote it: each reader does so otherwise."""
    if any(dot in written for dot in _DOTS) or unicodedata.normalize("NFKC", written) != written:
        raise EgressRefused("The host of an address must be written in plain letters, digits and dots.")
    if len(written) > LONGEST_HOST:
        raise EgressRefused(f"The host of an address has at most {LONGEST_HOST} characters.")
    if written.startswith((".", "-")) or ".." in written:
        raise EgressRefused("The host of an address has an empty part.")
    if not written.isascii() or ":" in written:
        return
    if re.fullmatch(r"[A-Za-z0-9._-]+", written) is None:
        raise EgressRefused("The host of an address is a name or an IP address, and may have a port.")
    last = written.rstrip(".").rpartition(".")[2]
    if _NUMBER.fullmatch(last) and _DOTTED.fullmatch(written) is None:
        raise EgressRefused("An IP address is written as four decimal numbers, or in brackets.")
