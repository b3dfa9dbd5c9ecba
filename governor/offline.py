"""The offline writer: answers in the place of a model, always the same for the same question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTICE = "Draft of the offline writer; no language model is configured."
_DEPTH = 8
_FACTS = 8


def write(prompt: str, *, data: Any = None, schema: Mapping[str, Any] | None = None) -> Any:
    """A text that says what it is, or a value of the JSON ``schema``, from ``data`` where names agree."""
    if schema is not None:
        facts = data if isinstance(data, Mapping) else {}
        return _value(schema, schema, facts, name="", depth=0)
    task = prompt.strip().split("\n", 1)[0][:200]
    lines = [NOTICE, f"Task: {task}"]
    if isinstance(data, Mapping):
        lines += [f"{name}: {_short(value)}" for name, value in list(data.items())[:_FACTS]]
    elif data is not None:
        lines.append(f"About: {_short(data)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def _value(
    schema: Mapping[str, Any], root: Mapping[str, Any], facts: Mapping[str, Any], *, name: str, depth: int
) -> Any:
    schema = _resolved(schema, root)
    if "default" in schema:
        return schema["default"]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        known = facts.get(name)
        return known if known in schema["enum"] else schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" and depth < _DEPTH:
        properties = schema.get("properties") or {}
        return {
            key: _value(part, root, facts, name=key, depth=depth + 1)
            for key, part in properties.items()
            if key in schema.get("required", properties)
        }
    if kind == "array":
        least = int(schema.get("minItems", 0))
        return [_value(schema.get("items") or {}, root, facts, name=name, depth=depth + 1)] * min(least, 20)
    if kind in {"integer", "number"}:
        return _number(schema, facts.get(name), is_whole=kind == "integer")
    if kind == "boolean":
        known = facts.get(name)
        return known if isinstance(known, bool) else False
    return None if kind == "null" else _text(schema, facts.get(name))


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself: references followed, the first branch of an alternative that is not null."""
    for _ in range(_DEPTH):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            schema = (root.get("$defs") or {}).get(reference[8:], {})
            continue
        branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if not branches or "default" in schema:
            break
        schema = next((branch for branch in branches if branch.get("type") != "null"), branches[0])
    return schema


def _number(schema: Mapping[str, Any], known: Any, *, is_whole: bool) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = known if isinstance(known, (int, float)) and not isinstance(known, bool) else 0
    if low is not None and value <= low:
        value = low + (1 if "exclusiveMinimum" in schema else 0)
    if high is not None and value >= high:
        value = high - (1 if "exclusiveMaximum" in schema else 0)
    return int(value) if is_whole else value


def _text(schema: Mapping[str, Any], known: Any) -> str:
    text = str(known) if isinstance(known, (str, int, float)) else NOTICE
    most = schema.get("maxLength")
    text = text[:most] if isinstance(most, int) else text
    return text.ljust(int(schema.get("minLength", 0)), ".")
