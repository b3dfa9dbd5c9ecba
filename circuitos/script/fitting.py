"""Whether a value fits a JSON schema, and where it does not: bounded, whatever value and schema hold."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEEPEST = 40
MOST_STEPS = 100_000
MOST_REASONS = 20
_LEAD = 20  # references that lead to references
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int, float),
    "number": (int, float),
}
Reason = dict[str, str]


def misfits(schema: Mapping[str, Any], value: Any) -> list[Reason]:
    """Each place where ``value`` does not fit, as ``{"field", "reason"}``; empty when it fits.

    Knows types, ``enum`` and ``const``, ranges, lengths, patterns (those that need no backtracking),
    properties, items, ``anyOf``, ``oneOf`` (as ``anyOf``), ``allOf`` and local references. Formats are left
    to pydantic.
    """
    return _Fitting(schema).reasons(schema, value, "", 0)[:MOST_REASONS]


def trimmed(schema: Mapping[str, Any], value: Any) -> Any:
    """``value`` without the fields that a schema which names its properties says nothing of."""
    return _Fitting(schema).trimmed(schema, value, 0)


def follow(schema: Any, root: Mapping[str, Any]) -> Any:
    """The schema that a local ``$ref`` leads to; ``None`` when it leads nowhere."""
    for _ in range(_LEAD):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return schema
        schema = root
        for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema.get(name) if isinstance(schema, dict) else None
    return None


class _Fitting:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._steps = 0

    def reasons(self, schema: Any, value: Any, place: str, depth: int) -> list[Reason]:
        self._steps += 1
        if depth > DEEPEST or self._steps > MOST_STEPS:
            return [_reason(place, "is nested too deep, or too large, to be checked")]
        if schema is True or schema == {}:
            return []
        if "$ref" in schema if isinstance(schema, dict) else False:
            target = follow(schema, self._root)
            beside = {name: part for name, part in schema.items() if name != "$ref"}
            found = self.reasons(target, value, place, depth + 1)
            return found or self.reasons(beside, value, place, depth + 1)
        if not isinstance(schema, dict):
            return [_reason(place, "is not allowed here")]
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if isinstance(kinds, list) and not any(_is(kind, value) for kind in kinds):
            return [_reason(place, f"is no {' or '.join(map(str, kinds))}")]
        if "const" in schema and not _same(schema["const"], value):
            return [_reason(place, f"is not {_short(schema['const'])}")]
        if isinstance(schema.get("enum"), list) and not any(_same(one, value) for one in schema["enum"]):
            return [_reason(place, f"is none of {_short(schema['enum'])}")]
        return [
            *[_reason(place, sentence) for sentence in _bounds(schema, value)],
            *self._inside(schema, value, place, depth),
            *self._branches(schema, value, place, depth),
        ]

    def _inside(self, schema: dict[str, Any], value: Any, place: str, depth: int) -> list[Reason]:
        found: list[Reason] = []
        if isinstance(value, list):
            first = schema.get("prefixItems") or []
            for number, item in enumerate(value):
                part = first[number] if number < len(first) else schema.get("items", True)
                found += self.reasons(part, item, _join(place, str(number)), depth + 1)
                if len(found) >= MOST_REASONS:
                    break
        elif isinstance(value, dict):
            properties = schema.get("properties") or {}
            found += [
                _reason(_join(place, name), "is missing")
                for name in schema.get("required") or ()
                if name not in value
            ]
            others = schema.get("additionalProperties", True)
            for name, item in value.items():
                part = properties.get(name, others)
                found += self.reasons(part, item, _join(place, name), depth + 1)
                if len(found) >= MOST_REASONS:
                    break
        return found

    def _branches(self, schema: dict[str, Any], value: Any, place: str, depth: int) -> list[Reason]:
        found: list[Reason] = []
        for part in schema.get("allOf") or ():
            found += self.reasons(part, value, place, depth + 1)
        for word in ("anyOf", "oneOf"):
            branches = schema.get(word)
            if branches and self._branch(branches, value, depth) is None:
                found.append(_reason(place, "fits none of the alternatives"))
        return found

    def _branch(self, branches: list[Any], value: Any, depth: int) -> Any:
        return next((part for part in branches if not self.reasons(part, value, "", depth + 1)), None)

    def trimmed(self, schema: Any, value: Any, depth: int) -> Any:
        schema = follow(schema, self._root)
        if not isinstance(schema, dict) or depth > DEEPEST:
            return value
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self.trimmed(self._branch(branches, value, depth), value, depth + 1)
        if isinstance(value, list):
            items = schema.get("items", True)
            return [self.trimmed(items, item, depth + 1) for item in value]
        properties = schema.get("properties")
        if not isinstance(value, dict) or not properties or "additionalProperties" in schema:
            return value
        return {
            name: self.trimmed(properties[name], item, depth + 1)
            for name, item in value.items()
            if name in properties
        }


def _is(kind: object, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(kind, str) and isinstance(value, _TYPES.get(kind, ()))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _bounds(schema: dict[str, Any], value: Any) -> list[str]:
    """What ranges and lengths say against a value."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [say.format(schema[word]) for word, say, test in _NUMBERS if _fails(schema, word, value, test)]
    size = len(value)
    words = _SIZES.get(type(value).__name__, ("minProperties", "maxProperties"))
    told = []
    if isinstance(schema.get(words[0]), int) and size < schema[words[0]]:
        told.append(f"has {size}, fewer than {schema[words[0]]}")
    if isinstance(schema.get(words[1]), int) and size > schema[words[1]]:
        told.append(f"has {size}, more than {schema[words[1]]}")
    if isinstance(value, str) and isinstance(schema.get("pattern"), str):
        test = _matcher(schema["pattern"])
        if test is not None and not test(value):
            told.append(f"does not match {_short(schema['pattern'])}")
    if isinstance(value, list) and schema.get("uniqueItems"):
        written = [json.dumps(item, sort_keys=True, default=str) for item in value]
        if len(set(written)) < len(written):
            told.append("holds something twice")
    return told


_SIZES = {"str": ("minLength", "maxLength"), "list": ("minItems", "maxItems")}
_NUMBERS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", "is less than {}", lambda value, bound: value < bound),
    ("maximum", "is more than {}", lambda value, bound: value > bound),
    ("exclusiveMinimum", "is not more than {}", lambda value, bound: value <= bound),
    ("exclusiveMaximum", "is not less than {}", lambda value, bound: value >= bound),
    (
        "multipleOf",
        "is no multiple of {}",
        lambda value, step: abs(value - round(value / step) * step) > 1e-9,
    ),
)


def _is_multiple(value: float, step: float) -> bool:
    try:
        return abs(value - round(value / step) * step) <= 1e-9
    except OverflowError:  # the one is too great, the other too small
        return True


def _fails(schema: dict[str, Any], word: str, value: Any, test: Callable[[Any, Any], bool]) -> bool:
    bound = schema.get(word)
    if not isinstance(bound, int | float) or isinstance(bound, bool) or (word == "multipleOf" and bound <= 0):
        return False
    return bool(test(value, bound))


@lru_cache(maxsize=64)
def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """A test that takes linear time, or None where the pattern cannot be had so."""
    from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None

    def test(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return test


def _reason(place: str, sentence: str) -> Reason:
    return {"field": place, "reason": sentence}


def _join(place: str, name: str) -> str:
    name = name[:80]
    return f"{place}.{name}" if place else name


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:119]}…"
