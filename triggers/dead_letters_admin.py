"""Dead letters in the console: groups of failures by their fault, and who sees to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from tenants.errors import CodedError
from tenants.operators import HistoryAdmin
from tenants.scope import every_tenant
from triggers import dead_letters, dead_letters_page, replay_verbs
from triggers.models import DeadLetterGroup

if TYPE_CHECKING:
    from uuid import UUID

    from django.urls import URLPattern

MAY_CHANGE = "triggers.change_deadlettergroup"
MOST_PEOPLE = 200
_VERBS = {
    "ignore": (dead_letters.ignore, "Ignored: it goes on being counted, and opens no more."),
    "resolve": (dead_letters.resolve, "Resolved. If it fails again, it opens again and says so."),
    "reopen": (dead_letters.reopen, "Open again."),
}


@admin.register(DeadLetterGroup)
class DeadLetterGroupAdmin(HistoryAdmin):
    """Groups are made by the sweep; people decide what becomes of them."""

    list_title = "Dead letters"

    def get_urls(self) -> list[URLPattern]:
        decide = require_POST(self.decide_view)
        verb = path(
            "<uuid:code>/decide/", self.admin_site.admin_view(decide), name="triggers_deadlettergroup_decide"
        )
        return [verb, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        with every_tenant():
            shown = dead_letters_page.groups_page(request.GET)
        return self.page(request, "console/dead_letters.html", title="Dead letters", **shown)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        group = self.get_object(request, object_id)
        if group is None:
            raise Http404
        may_change = request.user.has_perm(MAY_CHANGE)
        with every_tenant():
            shown = dead_letters_page.group_page(group)
        people = User.objects.filter(is_staff=True, is_active=True).order_by("username")
        return self.page(
            request,
            "console/dead_letter.html",
            title=str(group),
            may_change=may_change,
            may_replay=replay_verbs.may_replay(request),
            people=people.values_list("username", flat=True)[:MOST_PEOPLE] if may_change else (),
            **shown,
        )

    def decide_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST assigns, ignores, resolves or opens a group."""
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        group = DeadLetterGroup.objects.filter(code=code).first()
        if group is None:
            raise Http404
        verb, actor = request.POST.get("verb", ""), request.user.get_username()
        try:
            if verb == "assign":
                said = self._assign(request, group)
            elif verb in _VERBS:
                deed, said = _VERBS[verb]
                deed(group, note=request.POST.get("note", ""), actor=actor, at=now())
            else:
                raise dead_letters.BadDecision("There is no such verb.")
        except CodedError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, said)
        return HttpResponseRedirect(reverse("admin:triggers_deadlettergroup_change", args=[code]))

    def _assign(self, request: HttpRequest, group: DeadLetterGroup) -> str:
        name = request.POST.get("assignee", "").replace("\x00", "")[:150]
        to = User.objects.filter(username=name).first() if name else None
        if name and to is None:
            raise dead_letters.BadDecision("There is no such operator.")
        dead_letters.assign(group, to=to, actor=request.user.get_username(), at=now())
        return f"Assigned to {to.get_username()}." if to else "Assigned to nobody."
