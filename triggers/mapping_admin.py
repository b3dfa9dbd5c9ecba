"""The mapping of a connection in the console: its rules, a preview over quarantined events, and the verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now

from logs.search import as_uuid
from tenants.errors import CodedError
from tenants.models import Connection
from tenants.scope import every_tenant
from triggers import mapping
from triggers.choices import EventStatus
from triggers.models import PastEvent
from triggers.schemas import tolerance

if TYPE_CHECKING:
    from django.http import QueryDict
    from django.urls import URLPattern

MAY_MEND = "triggers.change_event"
MOST = 5  # events of a preview
VERBS = (("convert", "Convert to"), ("rename", "Take it as"), ("ignore", "Leave it out"))
_ASKED = ("object", "field", "verb", "to")


class MappingPages:
    """The page of a connection's mapping, for the admin class of events."""

    def mapping_urls(self: Any) -> list[URLPattern]:
        return [
            path("mapping/", self.admin_site.admin_view(self.mapping_view), name="triggers_event_mapping")
        ]

    def mapping_view(self: Any, request: HttpRequest) -> HttpResponse:
        """GET shows the rules and a preview; POST puts a rule in force, or removes one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        if not given.get("connection"):
            return HttpResponseRedirect(reverse("admin:triggers_event_quarantine"))
        code = as_uuid(given["connection"])
        linked = Connection.objects.select_related("tenant").filter(code=code).first() if code else None
        if linked is None:
            raise Http404
        asked = {name: given.get(name, "")[:120] for name in _ASKED}
        problem = "".join(each for each in given.get("problem", "")[:40] if each.isalnum())
        if request.method == "POST":
            return _change(request, linked, asked, problem)
        shown: dict[str, Any] = {}
        if asked["verb"]:
            try:
                rule = mapping.rule_of(asked)
                with every_tenant():
                    shown = {
                        "previews": mapping.preview(linked, rule, _sample(linked, asked)),
                        "is_previewed": True,
                    }
            except CodedError as error:
                shown = {"wrong": str(error)}
        answer: HttpResponse = self.page(
            request,
            "console/mapping.html",
            **{"title": "Mapping", "connection": linked, "asked": asked, "problem": problem, **shown},
            verbs=VERBS,
            kinds=", ".join(tolerance.KINDS),
            most=MOST,
            may_decide=request.user.has_perm(MAY_MEND),
        )
        return answer


def _change(request: HttpRequest, linked: Connection, asked: dict[str, str], problem: str) -> HttpResponse:
    if not request.user.has_perm(MAY_MEND):
        raise PermissionDenied
    actor = request.user.get_username()
    back = f"{reverse('admin:triggers_event_mapping')}?" + urlencode(
        {"connection": str(linked.code), "problem": problem}
    )
    try:
        if request.POST.get("remove"):
            mapping.remove(linked, obj=asked["object"], name=asked["field"], actor=actor, at=now())
            messages.success(request, "The rule is removed; what comes is taken as it is.")
            return HttpResponseRedirect(back)
        mapping.add(linked, mapping.rule_of(asked), actor=actor, at=now())
    except CodedError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)
    messages.success(
        request, "The rule is in force. Run the problem's events again, and they are read with it."
    )
    page = reverse("admin:triggers_event_quarantine")
    return HttpResponseRedirect(f"{page}?problem={problem}" if problem else back)


def _sample(linked: Connection, asked: dict[str, str] | QueryDict) -> list[PastEvent]:
    rows = PastEvent.objects.filter(
        tenant=linked.tenant_id, status=EventStatus.QUARANTINED, connection=linked, object=asked["object"]
    )
    return list(rows.order_by("-id")[:MOST])
