"""Field names: the CRM's spelling to ours, and a tenant's names for custom fields."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from triggers.schemas import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ODD = re.compile(r"[^A-Za-z0-9]+")


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """``firstName``, ``First Name`` and ``first-name`` as ``first_name``."""
    return _ODD.sub("_", _HUMP.sub("_", name)).strip("_").lower() or name


@lru_cache(maxsize=4096)
def pascal(name: str) -> str:
    """``sales_order`` and ``sales.order`` as ``SalesOrder``; a capital inside stays."""
    return "".join(part[0].upper() + part[1:] for part in _ODD.split(name) if part)


def custom_fields(value: Any, tenant_settings: Mapping[str, Any]) -> Any:
    """``[{id, value}, …]`` or a map, as one map under the tenant's names. Anything else comes back as is."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = [_pair(item) for item in value if isinstance(item, dict)]
        if len(pairs) != len(value):
            return value
    else:
        return value
    names = field_map(tenant_settings)
    return {names.get(key, key): plain(item) for key, item in pairs if isinstance(key, str) and key}


def field_map(tenant_settings: Mapping[str, Any]) -> dict[str, str]:
    """The tenant's readable names by the CRM's custom field id or label."""
    names = tenant_settings.get("field_map")
    if not isinstance(names, dict):
        return {}
    return {str(key): name for key, name in names.items() if isinstance(name, str) and name}


def _pair(item: Mapping[str, Any]) -> tuple[Any, Any]:
    if "value" in item and (usual := item.get("id")):
        return usual, item["value"]
    key = next((item[name] for name in ("id", "key", "fieldKey", "name") if item.get(name)), None)
    names = ("value", "fieldValue", "field_value", "fieldValueString", "valueString")
    return key, next((item[name] for name in names if name in item), None)
