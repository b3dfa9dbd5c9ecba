"""The second factor: codes of an authenticator app, and recovery codes for when it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from django.db import transaction
from django.utils.timezone import now

from circuitos.env import env
from tenants import audit, lockout
from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
    from django.http import HttpRequest

_CONTEXT = "second-factor:0:"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Seals what allauth would store readable."""

    def encrypt(self, text: str) -> str:
        return seal(text.encode(), context=_CONTEXT).hex()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(bytes.fromhex(encrypted_text), context=_CONTEXT).decode()

    def get_totp_label(self, user: User) -> str:
        return str(user.get_username())


def is_required(user: User | AnonymousUser | AbstractBaseUser) -> bool:
    """Staff need one in production."""
    return bool(getattr(user, "is_staff", False)) and env().environment == "production"


def has(user: User | AnonymousUser | AbstractBaseUser) -> bool:
    """Whether the person has an authenticator app set up."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists())


def accepts(request: HttpRequest, user: User, code: str) -> bool:
    """Whether the code is the app's of now, or an unused recovery code. Each opens once; failures count."""
    if lockout.is_locked(request, user):
        request.axes_locked_out = True  # type: ignore[attr-defined]
        return False
    typed = code.replace(" ", "").replace("-", "")[:40]
    for factor in Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN):
        if typed and factor.wrap().validate_code(typed):
            factor.record_usage()
            lockout.passed(request, user)
            if factor.type == Authenticator.Type.RECOVERY_CODES:
                left = len(factor.wrap().get_unused_codes())
                _note(user.get_username(), "used a recovery code of", user, left=left)
            return True
    lockout.failed(request, user)
    return False


def new_secret() -> str:
    """A secret to show before it is kept."""
    return str(generate_totp_secret())


def address(user: User, secret: str) -> str:
    """What the QR code says."""
    adapter = Adapter()
    adapter.get_totp_issuer = lambda: f"CircuitOS {env().environment}"
    return str(adapter.build_totp_url(user, secret))


def enrol(user: User, *, secret: str, code: str) -> list[str] | None:
    """Keep the secret when the app shows its code, and return recovery codes; None when the code is wrong."""
    if not validate_totp_code(secret, code.replace(" ", "")[:40]):
        return None
    with transaction.atomic():
        Authenticator.objects.filter(user=user).delete()
        TOTP.activate(user, secret)
        codes: list[str] = RecoveryCodes.activate(user).generate_codes()
        _note(user.get_username(), "set up the second factor of", user)
    return codes


def reset(user: User, *, actor: str) -> bool:
    """Forget a lost factor, and with it lockouts; in production the next sign-in asks for a new one."""
    with transaction.atomic():
        found, _ = Authenticator.objects.filter(user=user).delete()
        lockout.lift(user)
        _note(actor, "reset the second factor of", user)
    return bool(found)


def _note(actor: str, verb: str, user: User, **data: object) -> None:
    audit.record(actor=actor, verb=verb, target=f"person {user}", data=data, at=now())
