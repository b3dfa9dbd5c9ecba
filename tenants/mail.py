"""E-mail to a tenant's people, in the tenant's name and look."""

from __future__ import annotations

import logging
import smtplib
from concurrent.futures import Future, ThreadPoolExecutor, wait
from email.utils import formataddr, parseaddr
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string

from tenants.accents import on_light, text_on
from tenants.models import Branding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.models import Tenant

logger = logging.getLogger(__name__)

DEFAULT_ACCENT = "0b6b2a"
# Codes and links to a new password: who asked for one must not learn from the answer's delay whether there
# is such a person.
_post = ThreadPoolExecutor(max_workers=2, thread_name_prefix="mail")
_on_the_way: set[Future[str]] = set()


def is_there() -> bool:
    """Whether mail goes anywhere at all; without ``EMAIL_URL`` it does not."""
    return "dummy" not in settings.EMAIL_BACKEND


def folder() -> str:
    """In development: where mail is written instead of sent."""
    return str(settings.EMAIL_FILE_PATH) if "filebased" in settings.EMAIL_BACKEND else ""


def compose(tenant: Tenant, *, to: str, subject: str, template: str, **context: Any) -> EmailMessage:
    """A mail of the tenant, from ``templates/mail/<template>.txt`` and ``.html``."""
    look = _look(tenant)
    accent = on_light(look.accent or DEFAULT_ACCENT)
    shown = {**context, "tenant": tenant, "accent": f"#{accent}", "on_accent": f"#{text_on(accent)}"}
    message = EmailMultiAlternatives(
        # A name may have what no header may.
        " ".join(subject.split()),
        render_to_string(f"mail/{template}.txt", shown),
        _sender(look),
        [to],
        reply_to=_reply_to(look),
    )
    message.attach_alternative(render_to_string(f"mail/{template}.html", shown), "text/html")
    return message


def plain(tenant: Tenant, *, to: Sequence[str], subject: str, text: str) -> EmailMessage:
    """A mail of the tenant that is text alone: its sender, and whom to answer."""
    look = _look(tenant)
    return EmailMessage(" ".join(subject.split()), text, _sender(look), list(to), reply_to=_reply_to(look))


def send(message: EmailMessage) -> str:
    """Send now. Returns "" or, in a sentence, why it did not go; the request's work stands all the same."""
    if not is_there():
        return "No mail server is set (EMAIL_URL)."
    try:
        message.send()
    except (OSError, smtplib.SMTPException, BadHeaderError, UnicodeError) as error:
        logger.warning("Mail could not be sent: %s: %s", type(error).__name__, error)
        return "The mail server did not take it."
    return ""


def send_later(message: EmailMessage) -> None:
    """Send beside the request, which is answered at once; what goes wrong stands in the log."""
    sending = _post.submit(send, message)
    _on_the_way.add(sending)
    sending.add_done_callback(_on_the_way.discard)


def settle(seconds: float = 10.0) -> None:
    """Wait for what is on the way."""
    wait(set(_on_the_way), timeout=seconds)


def _look(tenant: Tenant) -> Branding:
    return Branding.objects.filter(tenant=tenant).select_related("tenant").first() or Branding(tenant=tenant)


def _sender(look: Branding) -> str:
    return formataddr((" ".join((look.sender_name or look.tenant.name).split()), _address(look)))


def _reply_to(look: Branding) -> list[str] | None:
    return [look.reply_to] if look.reply_to else None


def _address(look: Branding) -> str:
    return look.sender_address or parseaddr(settings.DEFAULT_FROM_EMAIL)[1] or settings.DEFAULT_FROM_EMAIL
