"""The quarantine in the console: look at what was set aside, and release, reject or run it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from logs.search import as_uuid
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers import quarantine, quarantine_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.urls import URLPattern

    from triggers.quarantine import Decided

MAY_DECIDE = "triggers.change_event"
_VERBS = {
    "release": (quarantine.release, "released: it runs now, and this verdict does not stop it again"),
    "rerun": (quarantine.rerun, "run again with the mapping as it is now"),
    "reject": (quarantine.reject, "rejected: it never runs, and its reason is kept"),
}


class QuarantinePages:
    """Pages of the quarantine, for the admin class of events."""

    def quarantine_urls(self: Any) -> list[URLPattern]:
        site = self.admin_site
        return [
            path("quarantine/", site.admin_view(self.quarantine_view), name="triggers_event_quarantine"),
            path(
                "quarantine/decide/",
                site.admin_view(require_POST(self.decide_view)),
                name="triggers_event_decide",
            ),
        ]

    def quarantine_view(self: Any, request: HttpRequest) -> HttpResponse:
        """What was set aside, by reason."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        with every_tenant():
            shown = quarantine_page.page(request.GET)
        answer: HttpResponse = self.page(
            request,
            "console/quarantine.html",
            may_decide=request.user.has_perm(MAY_DECIDE),
            **{"title": "Quarantine", **shown},
        )
        return answer

    def decide_view(self: Any, request: HttpRequest) -> HttpResponse:
        """POST decides of the chosen events, or of those of one problem."""
        if not request.user.has_perm(MAY_DECIDE):
            raise PermissionDenied
        query = request.POST.get("query", "")
        back = reverse("admin:triggers_event_quarantine") + (f"?{query}" if query else "")
        try:
            verb = request.POST.get("verb", "")
            if verb not in _VERBS:
                raise quarantine.BadDecision("There is no such verb.")
            deed, said = _VERBS[verb]
            actor = request.user.get_username()
            decided = deed(_chosen(request), actor=actor, at=now(), note=request.POST.get("note", ""))
        except CodedError as error:
            messages.error(request, str(error))
        else:
            _tell(request, decided, said)
        return HttpResponseRedirect(back)


def _chosen(request: HttpRequest) -> set[UUID]:
    if request.POST.get("all"):
        with every_tenant():
            return set(quarantine_page.of_problem(request.POST["all"][:40]))
    known = (as_uuid(text) for text in request.POST.getlist("event")[: quarantine.MOST + 1])
    return {code for code in known if code}


def _tell(request: HttpRequest, decided: Decided, said: str) -> None:
    if decided.done:
        messages.success(request, f"{plural(decided.done, 'event')} {said}. Audited.")
    for why, count in decided.refused.items():
        messages.warning(request, f"{plural(count, 'event')} left as it was: {why}.")
