"""The portal's data page: what is kept for how long, a copy of it, and erasing a contact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.scope import tenant_scope
from tenants.views import for_members, for_owners
from triggers import data_export, erasure
from triggers.models import Erasure
from triggers.retention_shown import retention
from triggers.subject import NoSubject

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponseBase

    from tenants.models import Tenant

LABELS = {
    "records": "Records",
    "events": "Events",
    "executions": "Executions and their traces",
    "journal": "Answers of callouts",
    "outbox": "Writes to the CRM",
    "approvals": "Approvals",
    "refused": "Refused deliveries",
}


@never_cache
@require_GET
@for_members
def data(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """What is kept, and the receipts of what was erased."""
    return render(request, "portal/data.html", _page(tenant))


@never_cache
@require_POST
@for_owners
def look(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """What is held on a contact, and what erasing it would touch. By POST: an address of a page is logged."""
    return _look(request, tenant, request.POST.get("contact", ""))


@never_cache
@require_POST
@for_owners
def export_contact(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The copy of everything on a contact."""
    at = now()
    try:
        content = data_export.of_contact(
            tenant, request.POST.get("contact", ""), actor=request.user.get_username(), at=at
        )
    except CodedError as error:
        messages.error(request, str(error))
        return redirect("portal-data")
    return _file(content, f"{tenant.slug}-contact-{at:%Y%m%d-%H%M%S}.json")


@never_cache
@require_POST
@for_owners
def export_all(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """All records, as lines of JSON."""
    at = now()
    lines = data_export.all_records(tenant, actor=request.user.get_username(), at=at)
    response: HttpResponseBase = StreamingHttpResponse(
        lines,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{tenant.slug}-records-{at:%Y%m%d}.jsonl"'},
    )
    return response  # type: ignore[return-value]  # a stream is no HttpResponse to the stubs


@never_cache
@require_POST
@for_owners
def erase(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Erase a contact, once it was typed again."""
    contact = request.POST.get("contact", "")
    try:
        receipt = erasure.erase(
            tenant,
            contact,
            confirmation=request.POST.get("confirmation", ""),
            actor=request.user.get_username(),
            at=now(),
        )
    except NoSubject as error:
        messages.error(request, str(error))
        return redirect("portal-data")
    except CodedError as error:
        return _look(request, tenant, contact, problem=str(error))
    messages.success(request, f"The contact was erased. The receipt is {receipt.code}.")
    return redirect("portal-data")


@never_cache
@require_GET
@for_owners
def receipt(request: HttpRequest, tenant: Tenant, *, code: UUID) -> HttpResponse:
    """The receipt of an erasure as a file."""
    with tenant_scope(tenant.pk):
        found = Erasure.objects.select_related("tenant").filter(code=code).first()
    if found is None:
        raise Http404
    content = json.dumps(erasure.document(found), indent=1).encode()
    return _file(content, f"erasure-{found.code}.json")


def _look(request: HttpRequest, tenant: Tenant, contact: str, *, problem: str = "") -> HttpResponse:
    try:
        preview = erasure.preview(tenant, contact)
    except CodedError as error:
        known = erasure.earlier(tenant, contact) if isinstance(error, NoSubject) else None
        more = f" It was erased on {known.at:%-d %B %Y}, receipt {known.code}." if known else ""
        return render(
            request, "portal/data.html", {**_page(tenant), "problem": f"{error}{more}", "typed": contact}
        )
    context = {
        "page": "data",
        "typed": contact.strip(),
        "problem": problem,
        "is_running": preview.is_running,
        "counts": _labelled(preview.counts),
        "records": preview.subject.records[:100],
    }
    return render(request, "portal/data_contact.html", context, status=400 if problem else 200)


def _page(tenant: Tenant) -> dict[str, Any]:
    shown = [
        {"receipt": each, "counts": [row for row in _labelled(each.counts) if row[1] != "0"]}
        for each in erasure.receipts(tenant)
    ]
    return {"page": "data", "retention": retention(), "receipts": shown}


def _labelled(counts: dict[str, int]) -> list[tuple[str, str]]:
    return [(label, f"{counts[name]:,}") for name, label in LABELS.items() if name in counts]


def _file(content: bytes, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/json", headers=headers)
