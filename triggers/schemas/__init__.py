"""The normalised objects: their documented fields, and the check that values have the types they should."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tenants.errors import CodedError
from triggers.schemas.objects import Appointment, Contact, Message, Note, Opportunity, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS: dict[str, Any] = {
    "Contact": Contact,
    "Opportunity": Opportunity,
    "Appointment": Appointment,
    "Message": Message,
    "Task": Task,
    "Note": Note,
}
# Every documented field of each object; objects we do not know have none.
FIELDS: dict[str, tuple[str, ...]] = {name: tuple(model.__annotations__) for name, model in MODELS.items()}

_STRICT = ConfigDict(strict=True)
for _model in MODELS.values():
    _model.__pydantic_config__ = _STRICT
_VALIDATORS = {name: TypeAdapter(model).validator for name, model in MODELS.items()}

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
    validator = _VALIDATORS.get(name)
    if validator is None:
        return fields
    try:
        checked: dict[str, Any] = validator.validate_python(fields)
    except ValidationError as error:
        reasons = [
            {"field": ".".join(map(str, fault["loc"])), "reason": fault["msg"]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        named = ", ".join(dict.fromkeys(reason["field"] for reason in reasons))
        raise Misfit(f"{name} does not fit its schema: {named}.", fields=reasons) from None
    return checked


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
