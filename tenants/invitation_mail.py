"""The mail of an invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from tenants import mail
from tenants.models import Invitation

if TYPE_CHECKING:
    from datetime import datetime


def send(invitation: Invitation, *, url: str, at: datetime) -> str:
    """Send it, and note how that went. Returns "" or why it did not go; it can be sent again."""
    message = mail.compose(
        invitation.tenant,
        to=invitation.email,
        subject=f"Join {invitation.tenant.name}",
        template="invitation",
        invitation=invitation,
        url=url,
    )
    problem = mail.send(message)
    sent_at = F("sent_at") if problem else at
    Invitation.objects.filter(pk=invitation.pk).update(problem=problem, sent_at=sent_at)
    return problem
