"""Filters of the REST API's lists: what a query string may ask for, strictly read."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.dateparse import parse_date, parse_datetime

from tenants.errors import CodedError
from triggers import history
from triggers.choices import EventStatus, ExecutionStatus, Mode, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LONGEST = 200  # characters of one filter's value

LONGEST_NAME = 60
_OF_LISTS = frozenset({"tenant", "cursor", "limit"})


class BadFilter(CodedError):
    """A filter has a value we cannot use."""

    code = "api.bad-filter"

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}", filter=name)


def of_executions(query: Mapping[str, str], *, country: str) -> Q:
    """The condition a query string on ``executions/`` stands for. Raises ``BadFilter``."""
    return _conditions(query, {**_EXECUTIONS, "q": partial(history.matching, country=country)})


def of_events(query: Mapping[str, str]) -> Q:
    """The condition a query string on ``events/`` stands for. Raises ``BadFilter``."""
    return _conditions(query, _EVENTS)


def _conditions(query: Mapping[str, str], filters: Mapping[str, Callable[[str], Q]]) -> Q:
    for name in query:
        if name not in filters and name not in _OF_LISTS:
            raise BadFilter(name[:LONGEST_NAME], f"there is no such filter; there are {', '.join(filters)}.")
    wanted = Q()
    for name, condition in filters.items():
        text = query.get(name, "").strip()
        if not text:
            continue
        if len(text) > LONGEST or "\x00" in text:
            raise BadFilter(name, f"write at most {LONGEST} characters, none of them NUL.")
        try:
            wanted &= condition(text)
        except ValueError as error:
            raise BadFilter(name, str(error)) from None
    return wanted


def _exact(field: str) -> Callable[[str], Q]:
    return lambda text: Q(**{field: text})


def _choice(field: str, allowed: Iterable[str]) -> Callable[[str], Q]:
    allowed = tuple(allowed)

    def condition(text: str) -> Q:
        wanted = [part.strip() for part in text.split(",") if part.strip()]
        if not wanted or not set(wanted) <= set(allowed):
            raise ValueError(f"write one or more of {', '.join(allowed)}, separated by commas.")
        return Q(**{f"{field}__in": wanted}) if len(wanted) > 1 else Q(**{field: wanted[0]})

    return condition


def _moment(field: str, lookup: str) -> Callable[[str], Q]:
    return lambda text: Q(**{f"{field}__{lookup}": _parse_moment(text)})


def _parse_moment(text: str) -> datetime:
    # An unescaped "+" of an offset arrives as a space.
    text = text.replace(" ", "+") if "T" in text else text
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError:
        moment = day = None
    if moment is None and day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise ValueError("write an ISO 8601 time, such as 2026-03-02T12:00:00Z, or a day.")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time lies outside the calendar.") from None


def _event_status(text: str) -> Q:
    """``parked``: queued, but the lane is held; or in none, for the connection needs reconnecting."""
    is_held = ~Q(lane__parked_reason="") & Q(lane__isnull=False)
    is_parked = is_held | Q(lane__isnull=True, connection__isnull=False, status=EventStatus.QUEUED)
    if text == "parked":
        return Q(status=EventStatus.QUEUED) & is_parked
    wanted = _choice("status", EventStatus.values)(text)
    return wanted & ~is_parked if text == EventStatus.QUEUED else wanted


def _execution_status(text: str) -> Q:
    if text == "with-errors":
        return Q(status=ExecutionStatus.SUCCEEDED, with_errors=True)
    return _choice("status", ExecutionStatus.values)(text)


def _range(name: str, field: str) -> dict[str, Callable[[str], Q]]:
    return {f"{name}_after": _moment(field, "gte"), f"{name}_before": _moment(field, "lt")}


_EXECUTIONS: dict[str, Callable[[str], Any]] = {
    "status": _execution_status,
    "trigger": _exact("trigger"),
    "release": _exact("release"),
    "mode": _choice("mode", Mode.values),
    "object": _exact("object"),
    "operation": _choice("operation", Operation.values),
    "record": lambda text: Q(record_ids__contains=[text]),
    "error_code": _exact("error_code"),
    "limit_name": _exact("limit_name"),
    **_range("created", "created_at"),
    **_range("started", "started_at"),
}
_EVENTS: dict[str, Callable[[str], Any]] = {
    "status": _event_status,
    "object": _exact("object"),
    "operation": _choice("operation", Operation.values),
    "record": _exact("record_id"),
    "kind": _exact("kind"),
    "crm": _exact("crm"),
    "reason": _exact("reason"),
    **_range("received", "received_at"),
}
EXECUTION_FILTERS = (*_EXECUTIONS, "q")
EVENT_FILTERS = tuple(_EVENTS)
