"""Whether something is a JSON schema that can be read: what its words hold has the shape it must have."""

from __future__ import annotations

from typing import Any

DEEPEST = 40
MOST_STEPS = 20_000
_SCHEMAS = frozenset({"items", "additionalProperties", "not"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs", "patternProperties"})
_TEXTS = frozenset({"$ref", "pattern", "title", "description", "format"})
_SIZES = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})


def fault_of(schema: Any) -> str:
    """What keeps this from being a schema, as a sentence; empty when nothing does."""
    steps = 0
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        part, depth = waiting.pop()
        steps += 1
        if depth > DEEPEST or steps > MOST_STEPS:
            return "The schema is too large, or nested too deep."
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            return f"Where a schema should stand in the schema, there is a {type(part).__name__}."
        for word, value in part.items():
            if not isinstance(word, str) or not _fits(word, value):
                return f"{str(word)[:40]!r} of the schema does not hold what it should."
            inner = [value] if word in _SCHEMAS else value if word in _LISTS else ()
            inner = value.values() if word in _NAMED else inner
            waiting += [(item, depth + 1) for item in inner]
    return ""


def _fits(word: str, value: Any) -> bool:
    if word in _LISTS:
        return isinstance(value, list) and bool(value)
    if word in _NAMED:
        return isinstance(value, dict)
    if word in _TEXTS:
        return isinstance(value, str)
    if word in _SIZES:
        return type(value) is int and value >= 0
    if word in _BOUNDS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if word == "enum":
        return isinstance(value, list) and bool(value)
    if word == "required":
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if word == "type":
        kinds = value if isinstance(value, list) else [value]
        return bool(kinds) and all(isinstance(kind, str) for kind in kinds)
    return True
