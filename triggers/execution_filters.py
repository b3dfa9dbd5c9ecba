"""The filters of the executions list: all in the address, so that a view can be kept and sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ListFilter
from django.db.models import Q
from django.utils.timezone import now
from unfold.contrib.filters.admin import CheckboxFilter, DropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from governor import calendar
from governor.limits import LIMITS
from tenants.operators import ExactFilter
from triggers import history, moments
from triggers.choices import ExecutionStatus
from triggers.models import Execution

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.models import QuerySet
    from django.http import HttpRequest

RANGES = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last day", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
}
# An id is drawn a moment before or after the time beside it is read.
SLACK = timedelta(seconds=30)
_TIME = ("when", "from", "to", "zone")
_TROUBLE = ~Q(status=ExecutionStatus.SUCCEEDED)


class StatusFilter(CheckboxFilter):  # type: ignore[misc]  # unfold ships no types
    """By one status or several: ``?status=failed&status=partial``, or with commas between."""

    title = "status"
    parameter_name = "status"
    # As other pages link here.
    also = ("status__exact", "status__in")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        for name in self.also:
            params.pop(name, None)
        super().__init__(request, params, model, model_admin)

    def expected_parameters(self) -> list[str]:
        return [self.parameter_name, *self.also]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in ExecutionStatus]

    def value(self) -> list[str]:
        said = [text for name in self.expected_parameters() for text in self.request.GET.getlist(name)]
        return [part for text in said for part in text.split(",") if part]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = sorted(set(self.value()))
        if not wanted:
            return queryset
        known = [status for status in wanted if status in ExecutionStatus.values]
        return queryset.filter(status=known[0]) if len(known) == 1 else queryset.filter(status__in=known)


class LimitFilter(DropdownFilter):  # type: ignore[misc]
    """By the limit that stopped it."""

    title = "limit reached"
    parameter_name = "limit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, limit.label) for name, limit in LIMITS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").replace("\x00", "")
        return queryset.filter(_TROUBLE, limit_name=wanted) if wanted else queryset


class _OrderedFilter(ExactFilter):
    """By one value, as a range from it to itself: see ``ordering``."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").replace("\x00", "").strip()
        return queryset.filter(**{f"{self.field}__range": (wanted, wanted)}) if wanted else queryset


class TriggerFilter(_OrderedFilter):
    """By a trigger's whole name."""

    title = parameter_name = field = "trigger"


class ReleaseFilter(_OrderedFilter):
    """By a release's whole name."""

    title = parameter_name = field = "release"


def ordering(request: HttpRequest) -> list[str]:
    """Newest first. Of one trigger or release, by that and then newest first, which comes to the same.

    With ``release = 'x' ORDER BY id`` PostgreSQL walks the table from its newest row, taking an old release's
    rows to lie anywhere: 2 s among a million. Ordered so, only the index of both can serve it.
    """
    for name in ("trigger", "release"):
        if request.GET.get(name, "").strip():
            return [name, "-id"]
    return ["-id"]


class ErrorFilter(ExactFilter):
    """By error code. What carries one did not succeed: so the index of trouble serves it."""

    title = "error code"
    parameter_name = "error"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").replace("\x00", "").strip()
        return queryset.filter(_TROUBLE, error_code=wanted) if wanted else queryset


class RecordFilter(ExactFilter):
    """By the id of a record it ran over."""

    title = "record"
    parameter_name = "record"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").replace("\x00", "").strip()
        if not wanted:
            return queryset
        return queryset.filter(
            history.is_any_of(Execution.objects.filter(record_ids__contains=[wanted]).values("pk"))
        )


class _TimeForm(forms.Form):
    def __init__(self, data: dict[str, str]) -> None:
        super().__init__(data)
        zone = data["zone"] or "UTC"
        ranges = [("", "Any time"), *((name, label) for name, (label, _) in RANGES.items())]
        hint = {"placeholder": "2026-03-02 09:30, yesterday …"}
        self.fields["when"] = forms.ChoiceField(
            label=" Started ", choices=ranges, required=False, widget=UnfoldAdminSelectWidget
        )
        for name, label in (("from", "From"), ("to", "To")):
            self.fields[name] = forms.CharField(
                label=f" {label} ({zone}) ",
                required=False,
                widget=UnfoldAdminTextInputWidget(attrs=hint),
            )


class TimeFilter(ListFilter):
    """By when it was made: the last so long, or from–to as the reader's clock shows it.

    A script says where the reader is, as ``zone``; it stands in the address, so that a view that is sent
    shows the same executions elsewhere. Without it the times are UTC, and their labels say so.
    """

    title = "time"
    template = "unfold/filters/filters_field.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in _TIME:
            said = params.pop(name, [""])
            text = str(said[-1] if isinstance(said, list) else said).replace("\x00", "").strip()
            if text:
                self.used_parameters[name] = text

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*_TIME]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        data = {name: str(self.used_parameters.get(name, "")) for name in _TIME}
        yield {"form": _TimeForm(data)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        at = now()
        zone = calendar.zone(str(self.used_parameters.get("zone", "UTC")))
        since = until = None
        try:
            if when := self.used_parameters.get("when"):
                since = at - self._length(str(when))
            if text := self.used_parameters.get("from"):
                since = moments.read(str(text), at=at, zone=zone)
            if text := self.used_parameters.get("to"):
                until = moments.read(str(text), at=at, zone=zone, is_end=True)
        except ValueError as error:
            messages.error(request, f"Time: {error}.")
            return queryset.none()
        return queryset.filter(between(since, until))

    def _length(self, when: str) -> timedelta:
        if when not in RANGES:
            raise ValueError(f"{when[:20]!r} is none of {', '.join(RANGES)}")
        return RANGES[when][1]


def between(since: datetime | None, until: datetime | None) -> Q:
    """The executions made in this time.

    No index is kept on the time: ids of executions count up with it, and their public ids begin with it
    (UUIDv7). So the unique index of those says between which ids the time lies: then every filter stops
    reading at its end, instead of walking on to the first execution there ever was.
    """
    wanted = Q()
    if since is not None:
        first = _nearest(Q(code__gte=_floor(since - SLACK)), "code")
        wanted &= Q(created_at__gte=since)
        wanted &= Q(pk__gte=first) if first is not None else Q(pk__in=[])
    if until is not None:
        last = _nearest(Q(code__lte=_floor(until + SLACK)), "-code")
        wanted &= Q(created_at__lt=until)
        wanted &= Q(pk__lte=last) if last is not None else Q(pk__in=[])
    return wanted


# Executions of one moment may have got their keys in another order than their public ids.
_REACH = 500


def _nearest(bound: Q, order: str) -> int | None:
    found = Execution.objects.filter(bound).order_by(order).values_list("pk", flat=True).first()
    if found is None:
        return None
    return int(found) - _REACH if order == "code" else int(found) + _REACH


def _floor(moment: datetime) -> UUID:
    """The least public id of this millisecond."""
    milliseconds = max(0, min(int(moment.timestamp() * 1000), 2**48 - 1))
    return UUID(int=milliseconds << 80)
