"""What the console's executions offer beside replays: saved views, the trace as a file, and a test of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now

from tenants.errors import CodedError
from triggers import saved_views

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.urls import URLPattern

LIST = "admin:triggers_execution_changelist"


class ExecutionVerbs:
    """Mixed into the admin of executions."""

    admin_site: Any

    if TYPE_CHECKING:

        def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...

    def verbs(self) -> list[URLPattern]:
        """Its addresses, to stand before the admin's own."""
        wrap = self.admin_site.admin_view
        return [
            path("views/save/", wrap(self.save_view), name="triggers_execution_save_view"),
            path("views/<uuid:code>/delete/", wrap(self.delete_view_), name="triggers_execution_delete_view"),
        ]

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """POST keeps the list's filters under a name."""
        if refusal := self._refuse(request):
            return refusal
        query = request.POST.get("query", "")
        try:
            view = saved_views.save(
                owner=request.user,
                name=request.POST.get("name", ""),
                query=query,
                is_shared=bool(request.POST.get("shared")),
                at=now(),
            )
        except CodedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(_list(query))
        seen = "everybody sees it" if view.is_shared else "only you see it"
        messages.success(request, f"The view “{view.name}” is saved; {seen}.")
        return HttpResponseRedirect(_list(view.query))

    def delete_view_(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST takes a view of one's own away."""
        if refusal := self._refuse(request):
            return refusal
        try:
            name = saved_views.delete(owner=request.user, code=code, at=now())
        except CodedError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The view “{name}” is deleted.")
        return HttpResponseRedirect(_list(request.POST.get("query", "")))

    def _refuse(self, request: HttpRequest) -> HttpResponse | None:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return None if self.has_view_permission(request) else HttpResponse(status=403)


def _list(query: str) -> str:
    try:
        kept = saved_views.normal(urlsplit(f"?{query.lstrip('?')}").query)
    except ValueError:
        kept = ""
    return f"{reverse(LIST)}?{kept}" if kept else reverse(LIST)
