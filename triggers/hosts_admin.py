"""What operators see of the hosts that scripts call, which are down or ask for rest; and one verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db import connection, transaction
from django.utils.html import format_html
from django.utils.timezone import now

from governor import hosts
from governor.models import HostState
from logs.pills import moment, pill
from tenants import audit
from tenants.operators import HistoryAdmin, TenantFilter, exact
from tenants.scope import every_tenant
from triggers import outage

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_PILLS = {
    HostState.State.CLOSED: ("ok", "Requests pass."),
    HostState.State.OPEN: ("refused", "Nothing is sent until the probe."),
    HostState.State.HALF_OPEN: ("running", "One request is on its way to see whether it is back."),
}


@admin.register(HostState)
class HostStateAdmin(HistoryAdmin):
    """Nobody writes a state by hand; operators may only say that requests may pass again."""

    empty = (
        "No host fails. One that scripts or CRM writes cannot reach stands here while requests to it wait."
    )
    list_display = ["host", "tenant", "circuit", "failures", "probe", "held", "last_problem", "last"]
    list_filter = ["state", ("tenant", TenantFilter), exact("host", "host")]
    list_select_related = ["tenant"]
    fields = [
        "tenant", "host", "state", "failures", "openings", "opened_at", "probe_at", "hold_until",
        "last_problem", "last_at",
    ]  # fmt: skip
    ordering = ["-id"]
    actions = ["close_circuit"]

    def has_close_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("governor.change_hoststate"))

    @admin.action(description="Close the circuit", permissions=["close"])
    def close_circuit(self, request: HttpRequest, queryset: QuerySet[HostState]) -> None:
        """Let requests pass, and the lanes go on that wait for it."""
        with every_tenant(), transaction.atomic(), connection.cursor() as cursor:
            chosen = list(queryset.order_by("pk"))
            for state in chosen:
                hosts.reset(state.tenant_id, state.host)
                outage.resume(cursor, tenant_id=state.tenant_id)
                audit.record(
                    actor=str(request.user),
                    verb="host.close-circuit",
                    target=state.host,
                    tenant=state.tenant,
                    data={"state": state.state, "failures": state.failures},
                    at=now(),
                )
        messages.success(request, f"Requests to {len(chosen)} hosts pass again.")

    @admin.display(description="Circuit", ordering="state")
    def circuit(self, state: HostState) -> str:
        return pill(*_PILLS[HostState.State(state.state)])

    @admin.display(description="Probe")
    def probe(self, state: HostState) -> str:
        return moment(state.probe_at)

    @admin.display(description="Asked for rest until")
    def held(self, state: HostState) -> str:
        is_over = state.hold_until is None or state.hold_until <= now()
        return "" if is_over else format_html("{}", moment(state.hold_until))

    @admin.display(description="Last trouble", ordering="last_at")
    def last(self, state: HostState) -> str:
        return moment(state.last_at)
