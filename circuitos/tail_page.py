"""The live tail in the operators' console: a page, and the rows it asks for every two seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from logs import entries
from logs.vocabulary import duration, word
from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers import tail

if TYPE_CHECKING:
    from django.http import HttpRequest

FIRST = 50  # rows a page begins with
_FILTERS = ("tenant", "trigger", "status", "level", "text")


def page(request: HttpRequest) -> HttpResponse:
    """The newest executions; the filters stand in the address."""
    _check(request)
    problem, look = "", None
    try:
        with every_tenant():
            look = tail.begin(tail.wanted(request.GET), most=FIRST)
    except CodedError as error:
        problem = str(error)
    said = {name: request.GET.get(name, "")[: tail.LONGEST] for name in _FILTERS}
    context = {
        **admin.site.each_context(request),
        "title": "Live tail",
        "said": said,
        "is_filtered": any(said.values()),
        "problem": problem,
        "statuses": [(name, word(name).label) for name in tail.STATUSES],
        "levels": entries.LEVELS,
        **(_shown(look, request) if look else {}),
    }
    return render(request, "console/tail.html", context)


def rows(request: HttpRequest) -> HttpResponse:
    """What came since the cursor: rows for the top of the list, rows that changed, and the next cursor."""
    _check(request)
    try:
        with every_tenant():
            asked = tail.wanted(request.GET)
            look = tail.look(asked, tail.cursor_of(request.GET.get("since", "")))
    except CodedError as error:
        return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
    return render(request, "console/_tail_look.html", _shown(look, request))


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("triggers.view_execution"):
        raise PermissionDenied


def _shown(look: tail.Look, request: HttpRequest) -> dict[str, Any]:
    kept = {name: text for name in _FILTERS if (text := request.GET.get(name, "").strip())}
    return {
        "came": [_row(row) for row in reversed(look.came)],
        "ended": [_row(row) for row in look.ended],
        "is_behind": look.is_behind,
        "next": f"{reverse('tail-rows')}?{urlencode({**kept, 'since': str(look.cursor)})}",
    }


def _row(row: tail.Row) -> dict[str, Any]:
    one = row.execution
    return {
        "code": one.code,
        "trigger": one.trigger,
        "tenant": one.tenant,
        "word": word(row.word),
        "why": one.error_code or one.limit_name,
        "ok": one.ok,
        "size": one.size,
        "took": duration(one.wall_ms),
        "at": one.started_at or one.created_at,
        "lines": [
            {"word": word(line.level), "message": line.message, "data": line.data} for line in row.lines
        ],
    }
