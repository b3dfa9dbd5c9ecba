"""The approvals queue: an agent asks, a member decides once, and silence means no.

What is approved is done by whoever asked: it reads the decision (``decided``) and the words as they were
approved. An undecided approval expires, and is then as if it had been rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from tenants import audit
from tenants.errors import CodedError
from tenants.ids import new_code
from tenants.scope import every_tenant, tenant_scope
from tenants.secrets import seal, unseal
from triggers.models.approval import Approval, ApprovalStatus

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Tenant

LONGEST_TEXT = 10_000
MOST_EXPIRED = 1_000  # at a time


class BadApproval(CodedError):
    """What is asked, or decided, does not hold."""

    code = "triggers.bad-approval"


class AlreadyDecided(CodedError):
    """Somebody decided before, or its time is over."""

    code = "triggers.already-decided"
    status = 409


class ForOwners(CodedError):
    """Only an owner decides this one."""

    code = "triggers.for-owners"
    status = 403


def ask(
    *,
    tenant: Tenant,
    key: str,
    agent: str,
    subject: str,
    reason: str,
    text: str,
    expires_at: datetime,
    at: datetime,
    for_owner: bool = False,
    record_id: str = "",
    execution: UUID | None = None,
) -> Approval:
    """Let it wait for a person; asked again with the same ``key``, the first one stands, decided or not.

    Raises ``BadApproval`` when nothing is said, too much, or when it would be expired already.
    """
    if not key or not subject.strip() or not text.strip():
        raise BadApproval("An approval needs a key, a subject and the words that are to be approved.")
    if expires_at <= at:
        raise BadApproval("It would be expired before anybody saw it.", field="expires_at")
    code = new_code()
    found: Approval
    with tenant_scope(tenant.pk):
        found, _ = Approval.objects.get_or_create(
            tenant=tenant,
            key=key[:120],
            defaults={
                "code": code,
                "agent": agent[:60],
                "subject": subject[:200],
                "reason": reason[:300],
                "sealed": _sealed(tenant, code, text),
                "for_owner": for_owner,
                "record_id": record_id[:200],
                "execution": execution,
                "created_at": at,
                "expires_at": expires_at,
            },
        )
    return found


def decide(
    *,
    tenant: Tenant,
    code: UUID | str,
    approve: bool,
    is_owner: bool,
    actor: str,
    at: datetime,
    text: str | None = None,
    note: str = "",
) -> Approval:
    """Approve, with changed words if ``text`` is given, or reject. Of two who decide at once, one does.

    Raises ``Approval.DoesNotExist``, ``ForOwners``, ``AlreadyDecided`` and ``BadApproval``.
    """
    found: Approval
    with tenant_scope(tenant.pk), transaction.atomic():
        found = Approval.objects.select_for_update().get(tenant=tenant, code=code)
        if found.for_owner and not is_owner:
            raise ForOwners("Only an owner can decide this one.")
        if found.status != ApprovalStatus.WAITING or found.expires_at <= at:
            raise AlreadyDecided(_why_not(found))
        before = words(found)
        changed = text is not None and text.replace("\r\n", "\n").strip() != before.strip()
        if approve and changed:
            found.sealed = _sealed(tenant, found.code, text or "")
        found.status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
        found.decided_at, found.decided_by, found.note = at, actor[:150], " ".join(note.split())[:300]
        found.save(update_fields=["sealed", "status", "decided_at", "decided_by", "note"])
        audit.record(
            actor=actor,
            verb=f"approval.{found.status}",
            target=f"approval {found.code}",
            tenant=tenant,
            data={"subject": found.subject, "agent": found.agent, "changed": approve and changed},
            at=at,
        )
    return found


def expire(*, at: datetime) -> int:
    """End what waited past its time. Returns how many."""
    with every_tenant():
        due = Approval.objects.filter(status=ApprovalStatus.WAITING, expires_at__lte=at)
        ids = list(due.values_list("pk", flat=True)[:MOST_EXPIRED])
        return Approval.objects.filter(pk__in=ids, status=ApprovalStatus.WAITING).update(
            status=ApprovalStatus.EXPIRED, decided_at=at
        )


def words(approval: Approval) -> str:
    """What would be said or done, as it was asked or approved."""
    return unseal(approval.sealed, context=_context(approval.tenant_id, approval.code)).decode()


def _sealed(tenant: Tenant, code: UUID, text: str) -> bytes:
    if not text.strip():
        raise BadApproval("The words may not be empty.", field="text")
    if len(text) > LONGEST_TEXT or "\x00" in text:
        raise BadApproval(f"The words may have {LONGEST_TEXT:,} characters, of text.", field="text")
    plain = text.replace("\r\n", "\n").strip()
    return seal(plain.encode(), context=_context(tenant.pk, code))


def _context(tenant_id: int, code: UUID) -> str:
    return f"approval:{tenant_id}:{code}"


def _why_not(found: Approval) -> str:
    if found.status in {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}:
        return f"{found.decided_by} has {found.status} it already."
    return "Its time is over: it was not done."
