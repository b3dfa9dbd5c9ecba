"""What the console's executions offer beside replays: saved views, the trace as a file, and a test of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now

from tenants.errors import CodedError
from tenants.operators import admin_url
from tenants.scope import every_tenant
from triggers import as_test, history, saved_views

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
            path("<uuid:code>/trace.json", wrap(self.trace_view), name="triggers_execution_trace"),
            path("<uuid:code>/test/", wrap(self.test_view), name="triggers_execution_test"),
            path("views/save/", wrap(self.save_view), name="triggers_execution_save_view"),
            path("views/<uuid:code>/delete/", wrap(self.delete_view_), name="triggers_execution_delete_view"),
        ]

    def trace_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """The trace document as a file, masked as it is everywhere."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        try:
            with every_tenant():
                document = history.document_of(history.execution_of(str(code)))
        except CodedError as error:
            return HttpResponse(str(error), status=error.status, content_type="text/plain")
        body = json.dumps(document, indent=2, ensure_ascii=False)
        return _file(body, name=f"trace-{code}.json", kind="application/json")

    def test_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST gives a pytest file that comes to the same outcome; audited."""
        if refusal := self._refuse(request):
            return refusal
        is_real = bool(request.POST.get("real"))
        if is_real and not self.may_reveal(request):
            return HttpResponse(status=403)
        try:
            with every_tenant():
                execution = history.execution_of(str(code))
                text = as_test.make(execution=execution, is_real=is_real, actor=str(request.user), at=now())
        except CodedError as error:
            messages.error(request, f"No test was made: {error}")
            return HttpResponseRedirect(admin_url("triggers.execution", code))
        return _file(text, name=f"test_execution_{str(code)[-12:]}.py", kind="text/x-python")

    def may_reveal(self, request: HttpRequest) -> bool:
        """Whether they may have the real data of people in a file."""
        return bool(request.user.is_active) and request.user.has_perm("triggers.change_execution")

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


def _file(body: str, *, name: str, kind: str) -> HttpResponse:
    answer = HttpResponse(body, content_type=f"{kind}; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _list(query: str) -> str:
    try:
        kept = saved_views.normal(urlsplit(f"?{query.lstrip('?')}").query)
    except ValueError:
        kept = ""
    return f"{reverse(LIST)}?{kept}" if kept else reverse(LIST)
