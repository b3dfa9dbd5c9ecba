"""Proof without a signature: a secret that both sides know, compared in constant time.

It is worth less than a signature: whoever reads one delivery can send another. So a connection that can
have signatures never takes it, and each event says by its CRM and kind how it was proven.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from triggers.crm.adapter import BadSignature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Where a sender that cannot sign may put the secret, the first being the best: addresses end up in logs.
HEADER = "x-circuitos-secret"
QUERY = ":query"  # the address's query, named as no header can be
PEER = ":peer"  # who calls; there only when the connection lists its senders, and this is one of them

_MOST_PARAMETERS = 20
_LONGEST = 2_000


def prove(offered: Iterable[str], secrets: Sequence[str], *, what: str) -> None:
    """Return when one of ``offered`` is one of ``secrets``. Raises ``BadSignature``, which names ``what``."""
    proven = is_there = False
    for text in offered:
        if not text or len(text) > _LONGEST:
            continue
        is_there = True
        given = text.encode(errors="backslashreplace")
        for secret in secrets:
            if secret:  # an empty one, anybody knows
                proven |= hmac.compare_digest(secret.encode(), given)
    if not is_there:
        raise BadSignature(f"{what} is missing.")
    if not proven:
        raise BadSignature(f"{what} is not the connection's.")


def parameter(headers: Mapping[str, str], name: str) -> str:
    """A parameter of the address's query; "" when it is not there, or more than once."""
    query = headers.get(QUERY, "")
    if not query or len(query) > _LONGEST:
        return ""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return ""
    found = [value for key, value in pairs if key == name]
    return found[0] if len(found) == 1 else ""
