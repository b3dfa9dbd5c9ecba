"""From a CRM's fields to our objects: known ones under our names, the tenant's own, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triggers.schemas import FIELDS, check, plain
from triggers.schemas.naming import field_map, snake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Written as text by CRMs that know no other type; our schemas are strict.
FLAGS = frozenset({"dnd", "completed"})
NUMBERS = frozenset({"monetary_value", "call_duration", "amount", "total", "amount_paid", "amount_due"})
_WORDS = {"true": True, "false": False}


def fit(
    name: str,
    values: Mapping[str, Any],
    *,
    names: Mapping[str, str],
    tenant_settings: Mapping[str, Any],
    is_custom: Callable[[str], bool] = lambda key: False,
    envelope: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """``values`` as fields of the object ``name``, checked. Raises ``Misfit``.

    ``names`` are our names of the CRM's; ``envelope`` its keys that are no fields. An object that has no
    schema keeps all its fields.
    """
    if name not in FIELDS:
        return {snake(key): plain(value) for key, value in values.items() if key not in envelope}
    readable = field_map(tenant_settings)
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in values.items():
        if key in envelope:
            continue
        ours = names.get(key)
        if ours is not None:
            fields[ours] = typed(ours, plain(value))
        elif key in readable or is_custom(key):
            custom[readable.get(key, key)] = plain(value)
        elif snake(key) in FIELDS[name] and snake(key) not in {"custom_fields", "extra"}:
            fields.setdefault(snake(key), typed(snake(key), plain(value)))
        else:
            extra[snake(key)] = plain(value)
    if custom:
        fields["custom_fields"] = custom
    if extra:
        fields["extra"] = extra
    return check(name, fields)


def typed(field: str, value: Any) -> Any:
    """``value`` in the type of our field, where the CRM writes texts; "" is none. Ids become texts."""
    if value == "":
        return None
    if type(value) is str:
        if field in FLAGS:
            return _WORDS.get(value.lower(), value)
        if field in NUMBERS:
            return number(value)
        return [tag.strip() for tag in value.split(",") if tag.strip()] if field == "tags" else value
    if type(value) is int and (field.endswith("_id") or field == "assigned_to"):
        return str(value)
    return value


def number(text: str) -> Any:
    """The number ``text`` writes; the text itself when it writes none."""
    try:
        return plain(float(text)) if len(text) <= 40 else text
    except ValueError:
        return text


def identity(value: Any) -> str:
    """A CRM's id, a text or a whole number, as text; "" when it is neither."""
    if type(value) is int:
        return str(value) if -(2**63) <= value < 2**64 else ""
    return value if type(value) is str else ""
