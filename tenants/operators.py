"""The base of the operators' console: history is read-only, and no list counts its table."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter, TextFilter
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from tenants.scope import every_tenant

if TYPE_CHECKING:
    from django.db import models
    from django.http import HttpRequest, HttpResponse


class CodeChangeList(ChangeList):  # type: ignore[misc]  # unfold ships no types
    """Links rows by their public id."""

    def url_for_result(self, result: Any) -> str:
        code = getattr(result, "code", None)
        if code is None:
            return str(super().url_for_result(result))
        return admin_url(self.opts.label_lower, code)


class OperatorAdmin(ModelAdmin):  # type: ignore[misc]
    """Operators see all tenants. Never counts a table; a row's address is its ``code``, where it has one."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    list_disable_select_all = True
    compressed_fields = True
    warn_unsaved_form = True
    list_defer: tuple[str, ...] = ()
    list_title = ""  # where operators call it otherwise than the model's name
    empty = ""  # what an empty list says: why, and the next step

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        with every_tenant():
            queryset: models.QuerySet[Any] = super().get_queryset(request)
        match = getattr(request, "resolver_match", None)
        is_list = bool(match and match.url_name and match.url_name.endswith("_changelist"))
        return queryset.defer(*self.list_defer) if is_list and self.list_defer else queryset

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CodeChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if any(field.name == "code" for field in self.opts.concrete_fields):
            try:
                return self.get_queryset(request).filter(code=UUID(object_id)).first()
            except ValueError:
                pass
        return super().get_object(request, object_id, from_field)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        answer: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "opts": self._titled()}
        )
        return answer

    def _titled(self) -> Any:
        """The model's options for the page's head."""
        if not self.list_title:
            return self.opts
        shown = copy(self.opts)
        shown.verbose_name_plural = self.list_title
        return shown

    def page(self, request: HttpRequest, template: str, *, title: str, **context: Any) -> HttpResponse:
        """A page of our own, in the console's frame."""
        shown = {
            **self.admin_site.each_context(request),
            "opts": self._titled(),
            "title": title,
            "has_view_permission": True,
            **context,
        }
        return TemplateResponse(request, template, shown)


class HistoryAdmin(OperatorAdmin):
    """What happened: nobody adds to it, edits it or deletes from it."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TenantFilter(RelatedDropdownFilter):  # type: ignore[misc]
    """By tenant, in a dropdown."""


class ExactFilter(TextFilter):  # type: ignore[misc]
    """By a text that must match whole: an index serves it, where a part of a text would scan the table."""

    title = ""
    parameter_name = ""
    field = ""

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        wanted = (self.value() or "").replace("\x00", "").strip()
        return queryset.filter(**{self.field: wanted}) if wanted else queryset


def exact(title: str, name: str, field: str = "") -> type[ExactFilter]:
    """An ``ExactFilter`` on one field."""
    return type(
        f"{name.title()}Filter",
        (ExactFilter,),
        {"title": title, "parameter_name": name, "field": field or name},
    )


def admin_url(label: str, code: object) -> str:
    """The page of the row with this public id; ``label`` is ``app.model``."""
    return reverse(f"admin:{label.replace('.', '_')}_change", args=[str(code)])
