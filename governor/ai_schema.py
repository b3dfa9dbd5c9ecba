"""A script's JSON schema as a model's provider takes it: strict, or with the reason why it cannot be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the providers' strict mode allows.
DEEPEST = 10
MOST_PROPERTIES = 5_000
MOST_CHOICES = 1_000
WRAPPER = "answer"  # the field of a schema whose own root is no object
_ANNOTATIONS = frozenset(
    {"title", "examples", "deprecated", "readOnly", "writeOnly", "discriminator", "$schema"}
)
_KEPT = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"}
)
_TOLD = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
    "uniqueItems": "each item once",
    "default": "unless known otherwise {}",
    "format": "format {}",
    "contentMediaType": "content {}",
}
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Form:
    """What is sent: ``schema``, and ``loose``, why it is not strict (empty when it is)."""

    name: str
    schema: dict[str, Any]
    is_wrapped: bool = False
    loose: str = ""

    def for_request(self) -> dict[str, Any]:
        """The request's ``response_format``."""
        named = {"name": self.name, "schema": self.schema, "strict": not self.loose}
        return {"type": "json_schema", "json_schema": named}


class _NotStrict(Exception):
    """The strict subset has no words for this schema."""


def form_of(schema: Mapping[str, Any]) -> Form:
    """The strict form of a schema; where there is none, the schema itself and the reason."""
    name = name_of(schema)
    root = dict(schema)
    is_wrapped = root.get("type") != "object"
    if is_wrapped and isinstance(target := _target(root, root), dict) and target.get("type") == "object":
        # pydantic's way to write a model that contains itself.
        root, is_wrapped = {**target, "$defs": root["$defs"]}, False
    if is_wrapped:
        defs = {word: root.pop(word) for word in ("$defs",) if word in root}
        root = {"type": "object", "properties": {WRAPPER: root}, "required": [WRAPPER], **defs}
    try:
        strict = _Strict(root).whole()
    except _NotStrict as reason:
        return Form(name, root, is_wrapped, str(reason))
    return Form(name, strict, is_wrapped)


def name_of(schema: Mapping[str, Any]) -> str:
    """The schema's title, as a name."""
    return _NO_NAME.sub("", str(schema.get("title", "")))[:64] or "answer"


def _target(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        return None
    return (root.get("$defs") or {}).get(reference.removeprefix("#/$defs/"))


@dataclass(slots=True)
class _Strict:
    root: dict[str, Any]
    properties: int = field(default=0)
    choices: int = field(default=0)

    def whole(self) -> dict[str, Any]:
        strict: dict[str, Any] = self.of(
            {word: part for word, part in self.root.items() if word != "$defs"}, 1
        )
        if defs := self.root.get("$defs"):
            strict["$defs"] = {name: self.of(part, 1) for name, part in defs.items()}
        return strict

    def of(self, schema: Any, depth: int) -> dict[str, Any]:
        if not isinstance(schema, dict) or not schema:
            raise _NotStrict("it leaves open what a value is")
        if depth > DEEPEST:
            raise _NotStrict(f"it is nested more than {DEEPEST} deep")
        if "$ref" in schema:
            if schema["$ref"] != "#" and _target(schema, self.root) is None:
                raise _NotStrict("a reference in it leads nowhere")
            return {"$ref": schema["$ref"]}  # which stands alone, or not at all
        if len(schema.get("allOf") or ()) == 1 and isinstance(schema["allOf"][0], dict):
            schema = {
                **{word: part for word, part in schema.items() if word != "allOf"},
                **schema["allOf"][0],
            }
            return self.of(schema, depth)
        told: list[str] = []
        strict: dict[str, Any] = {}
        for word, value in schema.items():
            self._take(word, value, strict, told, depth)
        self._close(schema, strict)
        if told:
            said = str(schema.get("description") or "").rstrip(".")
            strict["description"] = f"{said}. ({'; '.join(told)})" if said else f"({'; '.join(told)})"
        return strict

    def _take(self, word: str, value: Any, strict: dict[str, Any], told: list[str], depth: int) -> None:
        if word in _ANNOTATIONS or (word == "default" and value is None):
            return
        if word in {"type", "description", *_KEPT} or (word == "format" and value in _FORMATS):
            strict[word] = value
        elif word in _TOLD:
            told.append(_TOLD[word].format(_said(value)))
        elif word in {"anyOf", "oneOf"}:
            strict["anyOf"] = [self.of(part, depth) for part in value]
        elif word in {"enum", "const"}:
            strict["enum"] = value if word == "enum" else [value]
            self.choices += len(strict["enum"])
        elif word == "items":
            strict["items"] = self.of(value, depth + 1)
        elif word == "properties":
            self.properties += len(value)
            strict["properties"] = {name: self.of(part, depth + 1) for name, part in value.items()}
        elif word not in {"required", "additionalProperties"}:
            raise _NotStrict(f"it uses {word[:40]}")
        if self.properties > MOST_PROPERTIES or self.choices > MOST_CHOICES:
            raise _NotStrict("it names more properties or choices than the strict mode takes")

    def _close(self, schema: dict[str, Any], strict: dict[str, Any]) -> None:
        kinds = schema.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "object" in kinds:
            if schema.get("additionalProperties", False) is not False or "properties" not in schema:
                raise _NotStrict("it has an object with fields of any name")
            required = set(schema.get("required") or ())
            for name, part in schema["properties"].items():
                if name not in required and not _may_be_left_out(part):
                    raise _NotStrict(f"the field {name[:60]} may be absent, and has no default")
            strict |= {"required": list(schema["properties"]), "additionalProperties": False}
        elif "array" in kinds and "items" not in strict:
            raise _NotStrict("it has a list of anything")
        elif not (
            {"enum", "anyOf"} & set(strict) or _SCALARS & {kind for kind in kinds if kind} or "array" in kinds
        ):
            raise _NotStrict("it leaves open what a value is")


def _may_be_left_out(part: Any) -> bool:
    """Whether a field that need not be given loses nothing by always being given."""
    if not isinstance(part, dict):
        return False
    kinds = part.get("type")
    nulls = [kinds] if isinstance(kinds, str) else [*(kinds or ())]
    nulls += [branch.get("type") for branch in part.get("anyOf") or () if isinstance(branch, dict)]
    return "default" in part or "null" in nulls


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:199]}…"
