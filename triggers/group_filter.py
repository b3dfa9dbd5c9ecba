"""The executions list by the group of dead letters that its failures belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tenants.operators import ExactFilter
from triggers.models import DeadLetterGroup

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class GroupFilter(ExactFilter):
    """By the group's id; another one finds nothing."""

    title = "dead letters"
    parameter_name = "group"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        try:
            group = DeadLetterGroup.objects.filter(code=UUID(text)).first()
        except ValueError:
            group = None
        return queryset.filter(dead_letter=group) if group else queryset.none()
