"""The state of an install under way: signed, for ten minutes, for one session and one use."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core import signing

from tenants.errors import CodedError

if TYPE_CHECKING:
    from django.http import HttpRequest

SECONDS = 600
_SALT = "triggers.oauth-state"
_KEY = "installs"  # of the session: nonces and when they were made
_MOST = 5  # installs one person has begun and not ended


class BadState(CodedError):
    """The answer belongs to no install that this person began here just now."""

    code = "triggers.bad-state"


@dataclass(frozen=True, slots=True)
class State:
    """What was begun, where, and for whom."""

    crm: str
    tenant: str  # its slug; "" = an operator installs for an agency
    origin: str  # scheme and host that have the session
    nonce: str
    user: int


def begin(request: HttpRequest, *, crm: str, tenant: str) -> str:
    """Note an install in the session, and make its state."""
    nonce = secrets.token_urlsafe(18)
    now = time.time()
    held: dict[str, Any] = request.session.get(_KEY, {})
    fresh = sorted(((at, name) for name, at in held.items() if now - at < SECONDS), reverse=True)
    request.session[_KEY] = {nonce: now, **{name: at for at, name in fresh[: _MOST - 1]}}
    said = {
        "c": crm,
        "t": tenant,
        "o": f"{request.scheme}://{request.get_host()}",
        "n": nonce,
        "u": request.user.pk,
    }
    return signing.dumps(said, salt=_SALT, compress=True)


def read(text: str) -> State:
    """What a state says, if it is ours and in time. Raises ``BadState``."""
    if not text:
        raise BadState("This install was not begun here. Open Connections in your portal and begin there.")
    try:
        said = signing.loads(text, salt=_SALT, max_age=SECONDS)
        return State(said["c"], said["t"], said["o"], said["n"], said["u"])
    except signing.SignatureExpired:
        raise BadState("It took longer than ten minutes. Begin again.") from None
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        raise BadState("This is not the answer to an install that was begun here. Begin again.") from None


def use(request: HttpRequest, state: State) -> None:
    """Use the state up. Raises ``BadState`` for another's, and for one that was used."""
    held: dict[str, Any] = request.session.get(_KEY, {})
    is_own = request.user.is_authenticated and request.user.pk == state.user
    if not is_own or state.nonce not in held:
        raise BadState("This answer was used already, or is for somebody else. Begin again.")
    request.session[_KEY] = {name: at for name, at in held.items() if name != state.nonce}
    # Stored before the code is exchanged: a second answer finds it used.
    request.session.save()
