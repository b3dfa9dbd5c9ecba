"""How operators narrow the list of limits and quotas: by name, by scope, by whether they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.timezone import now
from unfold.contrib.filters.admin import DropdownFilter

from governor.allowances import ALLOWANCES
from governor.limits import LIMITS

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from governor.models import Override


class NameFilter(DropdownFilter):  # type: ignore[misc]  # unfold ships no types
    """By limit or quota."""

    title = "limit or quota"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        limits = [(each.name, each.label) for each in LIMITS.values()]
        return limits + [(each.name, each.label) for each in ALLOWANCES.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Override]) -> QuerySet[Override]:
        return queryset.filter(name=self.value()) if self.value() else queryset


class ScopeFilter(DropdownFilter):  # type: ignore[misc]
    """By what it is for."""

    title = "scope"
    parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("platform", "Platform"), ("tier", "Tier"), ("tenant", "Tenant"), ("trigger", "Trigger")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Override]) -> QuerySet[Override]:
        wanted = {
            "platform": Q(tier=None, tenant=None, trigger=""),
            "tier": Q(tier__isnull=False),
            "tenant": Q(tenant__isnull=False, trigger=""),
            "trigger": ~Q(trigger=""),
        }.get(self.value() or "")
        return queryset.filter(wanted) if wanted else queryset


class StateFilter(DropdownFilter):  # type: ignore[misc]
    """By whether it holds now."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in-force", "In force"), ("lapsed", "Lapsed"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Override]) -> QuerySet[Override]:
        at = now()
        wanted = {
            "in-force": Q(until=None, ended_at=None) | Q(until__gt=at, ended_at=None),
            "lapsed": Q(until__lte=at, ended_at=None),
            "ended": Q(ended_at__isnull=False),
        }.get(self.value() or "")
        return queryset.filter(wanted) if wanted else queryset
