"""Lists as files: streamed in batches, so that neither memory nor a transaction grows with the table."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.timezone import now

from tenants import audit
from tenants.scope import every_tenant
from tenants.slots import database_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponseBase
    from django.urls import URLPattern

MOST_ROWS = 100_000
BATCH = 1_000
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_OF_THE_PAGE = ("p", "o", "all")  # of the list's address; the file has all pages


def harmless(text: str) -> str:
    """``text`` as a spreadsheet shows it and never computes it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def rows(
    queryset: QuerySet[Any], columns: Mapping[str, str], *, most: int
) -> Iterator[dict[str, Any] | None]:
    """Rows as names and values, newest first; a None at the end says that there are more than ``most``.

    Each batch is a query of its own by key, with a connection it gives back: a slow reader holds nothing.
    """
    wanted = queryset.order_by("-pk").values_list("pk", *columns.values())
    last, told = None, 0
    while True:
        with database_slot(), every_tenant():
            batch = list((wanted if last is None else wanted.filter(pk__lt=last))[:BATCH])
        for pk, *values in batch:
            if told == most:
                yield None
                return
            last, told = pk, told + 1
            yield dict(zip(columns, values, strict=True))
        if len(batch) < BATCH:
            return


def as_csv(found: Iterator[dict[str, Any] | None], columns: Mapping[str, str], *, most: int) -> Iterator[str]:
    """Lines of CSV; a last one says so when the file was cut."""
    yield _line(columns)
    for row in found:
        yield (
            _line([f"cut after {most:,} rows: narrow the filters for the rest"])
            if row is None
            else _line(_cell(value) for value in row.values())
        )


def as_json(found: Iterator[dict[str, Any] | None]) -> Iterator[str]:
    """One document: ``{"results": […], "is_cut": …}``."""
    yield '{"results": ['
    is_cut, gap = False, "\n"
    for row in found:
        if row is None:
            is_cut = True
            continue
        yield gap + json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
        gap = ",\n"
    yield f'\n], "is_cut": {json.dumps(is_cut)}}}\n'


def _line(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    elif hasattr(value, "isoformat"):
        value = value.isoformat()
    # A number below zero is one; a text that looks like one is still a text.
    return str(value) if isinstance(value, (int, float)) else harmless(str(value))


class Exported:
    """Gives a list of the console *Download CSV / JSON*, with the filters that are on."""

    export_columns: Mapping[str, str] = {}  # heading -> field
    export_masked: Callable[[Any], Any] | None = None
    list_after_template = "console/export.html"
    most_exported = MOST_ROWS

    def get_urls(self: Any) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = path("export/<slug:form>/", self.admin_site.admin_view(self.export_view), name=name)
        return [view, *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self: Any, request: HttpRequest, extra_context: Any = None) -> Any:
        query = request.GET.copy()
        for name in _OF_THE_PAGE:
            query.pop(name, None)
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_export"
        links = [
            (form.upper(), f"{reverse(name, args=[form])}?{query.urlencode()}".rstrip("?")) for form in TYPES
        ]
        shown = {**(extra_context or {}), "export_links": links, "most_exported": self.most_exported}
        return super().changelist_view(request, shown)  # type: ignore[misc]

    def export_view(self: Any, request: HttpRequest, form: str) -> HttpResponseBase:
        """The rows the list would show, all pages of it, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in TYPES:
            raise Http404
        try:
            with every_tenant():
                queryset = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return HttpResponseRedirect(f"{back}?{ERROR_FLAG}=1")
        mask = type(self).export_masked or (lambda value: value)
        audit.record(
            actor=request.user.get_username(),
            verb="exported",
            target=str(self.opts.verbose_name_plural),
            data={"form": form, "filter": mask(dict(request.GET.lists()))},
            at=now(),
        )
        most = self.most_exported
        found = (row if row is None else mask(row) for row in rows(queryset, self.export_columns, most=most))
        text = as_csv(found, self.export_columns, most=most) if form == "csv" else as_json(found)
        name = f"{self.opts.model_name}s-{now():%Y%m%d-%H%M%S}.{form}"
        return StreamingHttpResponse(
            (piece.encode() for piece in text),
            content_type=TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"},
        )
