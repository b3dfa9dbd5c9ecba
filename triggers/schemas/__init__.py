"""The normalised objects: their documented fields, and the check that values have the types they should."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tenants.errors import CodedError
from triggers.schemas import mending, tolerance
from triggers.schemas.objects import (
    Appointment,
    Campaign,
    Contact,
    Flag,
    Invoice,
    Message,
    Note,
    Number,
    Opportunity,
    Order,
    Review,
    Task,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS: dict[str, Any] = {
    "Contact": Contact,
    "Opportunity": Opportunity,
    "Appointment": Appointment,
    "Message": Message,
    "Task": Task,
    "Note": Note,
    "Review": Review,
    "Campaign": Campaign,
    "Order": Order,
    "Invoice": Invoice,
}
# Every documented field of each object; objects we do not know have none.
FIELDS: dict[str, tuple[str, ...]] = {name: tuple(model.__annotations__) for name, model in MODELS.items()}

_STRICT = ConfigDict(strict=True)
for _model in MODELS.values():
    _model.__pydantic_config__ = _STRICT
_VALIDATORS = {name: TypeAdapter(model).validator for name, model in MODELS.items()}

_IDS = frozenset({"phone", "mobile_phone", "postal_code", "number", "invoice_number"})


def _kind(name: str, annotation: Any) -> str:
    """What a field is, as ``tolerance`` calls it; lists and maps have only their emptiness in common."""
    if name.endswith("_at") or name == "date_of_birth":
        return "time"
    return {Text: "text", Number: "number", Flag: "flag"}.get(annotation, "other")


# As the annotations are written; under ``from __future__`` they are text until pydantic reads them.
_HINTS = {name: get_type_hints(model, include_extras=True) for name, model in MODELS.items()}
_KINDS = {name: {key: _kind(key, hint) for key, hint in hints.items()} for name, hints in _HINTS.items()}
_TIMES = {name: [key for key, kind in kinds.items() if kind == "time"] for name, kinds in _KINDS.items()}

_LARGEST = 2**63 - 1  # what a database, a runner and a spreadsheet all take


class Misfit(CodedError):
    """The event does not fit its object's schema: it is quarantined, with a reason for each field."""

    code = "triggers.misfit"

    def __init__(self, reason: str, *, fields: list[dict[str, str]] | None = None) -> None:
        super().__init__(reason, fields=fields or [])
        self.reason = reason
        self.fields = fields or []


def check(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` of the object ``name`` when each has its type; absent ones stay so. Raises ``Misfit``."""
    fields = mending.mend(name, fields)
    validator = _VALIDATORS.get(name)
    if validator is None:
        return fields
    for key in _TIMES[name]:
        # ISO texts, nearly all of them, cost no more than this look.
        value = fields.get(key)
        if type(value) is str and not (value[4:5] == "-" and value[:4].isdigit()):
            fields = {**fields, key: tolerance.time_of(value)}
    try:
        checked: dict[str, Any] = validator.validate_python(fields)
    except ValidationError as error:
        tolerated = _tolerated(name, fields, error)
        if tolerated is None:
            raise _misfit(name, error) from None
        try:
            checked = validator.validate_python(tolerated)
        except ValidationError as still:
            raise _misfit(name, still) from None
    return checked


def _tolerated(name: str, fields: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """``fields`` with those that did not fit read tolerantly; None when that changes nothing."""
    changed = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        key = str(fault["loc"][0])
        kind = _KINDS[name].get(key, "other")
        value = tolerance.tolerate(fields[key], kind, is_id=key in _IDS or key.endswith("_id"))
        if value is not fields[key]:
            changed[key] = value
    return {**fields, **changed} if changed else None


def _misfit(name: str, error: ValidationError) -> Misfit:
    reasons = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        field, reason = ".".join(map(str, fault["loc"])), fault["msg"]
        if _KINDS[name].get(str(fault["loc"][0])) == "number":
            field, reason = str(fault["loc"][0]), "Input should be a number"
        if (said := {"field": field, "reason": reason}) not in reasons:
            reasons.append(said)
    named = ", ".join(dict.fromkeys(reason["field"] for reason in reasons))
    return Misfit(f"{name} does not fit its schema: {named}.", fields=reasons)


def complete(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` with every documented field of the object ``name``: an absent one is None, a map empty."""
    record: dict[str, Any] = {**_BLANKS.get(name, {}), **fields}
    for mapping in ("custom_fields", "extra"):
        if mapping in record and record[mapping] is None:
            record[mapping] = {}
    return record


_BLANKS: dict[str, dict[str, Any]] = {name: dict.fromkeys(fields) for name, fields in FIELDS.items()}


def plain(value: Any) -> Any:
    """``value`` as every reader can hold it: whole numbers beyond 64 bits become text, exactly as sent."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -_LARGEST - 1 <= value <= _LARGEST else str(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}
    if kind is list:
        return [plain(item) for item in value]
    return value
