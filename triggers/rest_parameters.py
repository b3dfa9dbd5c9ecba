"""The filters of the REST API's lists, as its OpenAPI schema tells them (``triggers.filters`` reads them)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter

from tenants.openapi import MOMENT_OR_EMPTY, PAGING, TENANT
from triggers.choices import EventStatus, ExecutionStatus, Mode, Operation
from triggers.filters import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT = {"type": "string", "maxLength": LONGEST}


def _some_of(values: Iterable[str], *alone: str) -> dict[str, Any]:
    word = "|".join(values)
    pattern = rf"({word})(,({word}))*" + "".join(f"|{name}" for name in alone)
    return {"type": "string", "pattern": f"^({pattern})?$", "maxLength": LONGEST}


def _parameter(name: str, description: str, schema: dict[str, Any] | None = None) -> OpenApiParameter:
    return OpenApiParameter(name, schema or _TEXT, description=description)


def _range(name: str, what: str) -> list[OpenApiParameter]:
    moment = "An ISO 8601 time, such as `2026-03-02T12:00:00Z`, or a day."
    return [
        _parameter(f"{name}_after", f"{what} then or later. {moment}", MOMENT_OR_EMPTY),
        _parameter(f"{name}_before", f"{what} before then. {moment}", MOMENT_OR_EMPTY),
    ]


_OPERATION = _parameter(
    "operation", "What happened to the record; several with commas.", _some_of(Operation.values)
)
EVENTS = [
    _parameter(
        "status",
        "Several with commas; `parked` (its lane is held) stands alone.",
        _some_of(EventStatus.values, "parked"),
    ),
    _parameter("object", "The object, such as `Contact`."),
    _OPERATION,
    _parameter("record", "The CRM's id of the record, whole."),
    _parameter("kind", "The CRM's name of the event, such as `ContactCreate`."),
    _parameter("crm", "The CRM, such as `gohighlevel` or `pipedrive`."),
    _parameter("reason", "Why it was skipped, or the code of its error."),
    *_range("received", "Received"),
    TENANT,
    *PAGING,
]
EXECUTIONS = [
    _parameter("q", "Finds by execution id, record id, e-mail address or phone number, each whole."),
    _parameter(
        "status",
        "Several with commas; `with-errors` (it succeeded, but the script logged an error) stands alone.",
        _some_of(ExecutionStatus.values, "with-errors"),
    ),
    _parameter("trigger", "The trigger's name, whole: `ContactTrigger.score_new_leads`."),
    _parameter("release", "The release that ran."),
    _parameter("mode", "Several with commas.", _some_of(Mode.values)),
    _parameter("object", "The object, such as `Contact`."),
    _OPERATION,
    _parameter("record", "The CRM's id of a record of the batch, whole."),
    _parameter("error_code", "The code of its error, such as `governor.limit-exceeded`."),
    _parameter("limit_name", "The limit that stopped it, such as `api_calls`."),
    *_range("created", "Created"),
    *_range("started", "Started"),
    TENANT,
    *PAGING,
]
