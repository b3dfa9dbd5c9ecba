"""Mending: how one connection's fields are put right before they are held to their schema.

A rule is made by an operator for a field that the CRM renamed, or sends as another type.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from triggers.schemas import tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_rules: ContextVar[Sequence[Mapping[str, Any]]] = ContextVar("rules", default=())
_APART = ("extra", "custom_fields")


class Rule(BaseModel):
    """What is done with one field of one object: put under another name, made another type, or left out."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    object: str = Field(min_length=1, max_length=60)
    field: str = Field(min_length=1, max_length=120)
    verb: Literal["rename", "convert", "ignore"]
    to: str = Field("", max_length=120)


@contextmanager
def using(rules: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Within it, fields are mended by these rules."""
    token = _rules.set(rules)
    try:
        yield
    finally:
        _rules.reset(token)


def mend(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` of the object ``name`` as the rules in force want them."""
    rules = [rule for rule in _rules.get() if rule["object"] == name]
    if not rules:
        return fields
    mended = {
        key: dict(value) if key in _APART and type(value) is dict else value for key, value in fields.items()
    }
    for rule in rules:
        holder, key = _place(mended, rule["field"])
        if holder is None or key not in holder:
            continue
        if rule["verb"] == "rename":
            if holder[key] not in (None, "", [], {}):
                mended[rule["to"]] = holder.pop(key)
        elif rule["verb"] == "convert":
            holder[key] = tolerance.convert(holder[key], rule["to"])
        else:
            value = holder.pop(key)
            if holder is mended and value is not None:
                # Left out, not lost: it stays with what the schema does not know.
                mended["extra"] = {**(mended.get("extra") or {}), key: value}
    return mended


def _place(fields: dict[str, Any], name: str) -> tuple[dict[str, Any] | None, str]:
    outer, _, inner = name.partition(".")
    if inner and outer in _APART:
        held = fields.get(outer)
        return (held if type(held) is dict else None), inner
    return fields, name
