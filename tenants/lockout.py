"""Lockout: five wrong tries of one name from one address, and neither gets in for 15 minutes.

django-axes counts. It keeps no names and no forms: a keyed hash of the name is enough to count by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.db.models import Q
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.timezone import now

from tenants import audit
from tenants.secrets import blind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.contrib.auth.models import User
    from django.http import HttpRequest

SENTENCE = "Too many wrong tries. For 15 minutes nobody gets in from here with this name; then try again."
# Wrong codes are counted apart, so that the right password does not forget them.
_CODE = "second factor of "
_NAMES = ("username", "email", "login")


def counted_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """What tries are counted by: a keyed hash of the name, so that no table and no log line holds it."""
    return blind(_name(request, credentials))


def parameters(request: HttpRequest, credentials: Mapping[str, Any] | None) -> list[Any]:
    """A name and an address together; for codes the name alone, since who tries one has the password."""
    is_code = bool(credentials) and str((credentials or {}).get("username", "")).startswith(_CODE)
    return ["username"] if is_code else [["username", "ip_address"]]


def is_locked(request: HttpRequest, user: User) -> bool:
    """Whether the person may try no code just now."""
    return not AxesProxyHandler.is_allowed(request, {"username": _CODE + user.get_username()})


def failed(request: HttpRequest, user: User) -> None:
    """Count a wrong second factor as a wrong password is counted."""
    user_login_failed.send(__name__, credentials={"username": _CODE + user.get_username()}, request=request)


def passed(request: HttpRequest, user: User) -> None:
    """Forget the wrong tries: the person has proved who they are."""
    AxesProxyHandler.reset_attempts(
        username=blind(user.get_username()), ip_address=request.META.get("REMOTE_ADDR")
    )
    AxesProxyHandler.reset_attempts(username=blind(_CODE + user.get_username()))


def lift(user: User) -> int:
    """Let a person try again from anywhere. Returns how many addresses had wrong tries."""
    names = (user.get_username(), _CODE + user.get_username())
    return sum(int(AxesProxyHandler.reset_attempts(username=blind(name))) for name in names)


@receiver(pre_save, sender=AccessAttempt)
def _keep_no_forms(instance: AccessAttempt, **_: Any) -> None:
    instance.get_data = instance.post_data = ""


@receiver(user_locked_out)
def _record(request: HttpRequest, **_: Any) -> None:
    # Once, when it begins; tries during the lockout are refused without a word.
    if not getattr(request, "axes_failures_since_start", None):
        return
    name = _name(request, getattr(request, "axes_credentials", None)).removeprefix(_CODE)
    person = (
        get_user_model().objects.filter(Q(username=name) | Q(email__iexact=name)).first() if name else None
    )
    audit.record(
        actor=person.get_username() if person else "somebody",
        verb="was locked out of",
        # What is no name here may be a password in the wrong field.
        target=f"person {person}" if person else "a name nobody has",
        tenant=getattr(request, "tenant", None),
        data={"address": request.META.get("REMOTE_ADDR", ""), "path": request.path[:200]},
        at=now(),
    )


def _name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    said: Mapping[str, Any] = credentials or request.POST
    return next((str(said[name]) for name in _NAMES if said.get(name)), "").replace("\x00", "")[:254]
