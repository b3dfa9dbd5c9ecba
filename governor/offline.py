"""The offline writer: answers in the place of a model, always the same for the same question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from circuitos.script.fitting import follow, misfits
from governor import offline_text

NOTICE = "Draft of the offline writer; no language model is configured."
_DEPTH = 8
_FACTS = 8
_MOST_ITEMS = 20
_DATA_WORDS = ("default", "const")


def write(prompt: str, *, data: Any = None, schema: Mapping[str, Any] | None = None) -> Any:
    """A text that says what it is, or a value of the JSON ``schema``, from ``data`` where names agree."""
    if schema is not None:
        facts = data if isinstance(data, Mapping) else {}
        return _Writer(schema, facts).value(schema)
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


@dataclass(slots=True)
class _Writer:
    root: Mapping[str, Any]
    facts: Mapping[str, Any]
    _under_way: list[Any] = field(default_factory=list)

    def value(self, schema: Any, name: str = "", number: int = 0) -> Any:
        """A value that fits; ``number`` tells the items of a list of different ones apart."""
        schema = self._whole(schema)
        for word in _DATA_WORDS:
            if word in schema:
                return schema[word]
        known = self.facts.get(name) if name else None
        if known is not None and not number and not misfits({**schema, "$defs": self._defs()}, known):
            return known
        if schema.get("enum"):
            return schema["enum"][number % len(schema["enum"])]
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return self._branch(branches, name, number)
        kinds = schema.get("type")
        kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array":
            return self._list(schema, name)
        if kind in {"integer", "number"}:
            return _number(schema, number, is_whole=kind == "integer")
        if kind == "boolean":
            return False
        return None if kind == "null" else self._text(schema, known, number)

    def _text(self, schema: Mapping[str, Any], known: Any, number: int) -> str:
        if isinstance(known, (str, int, float)):
            cut = str(known)[: schema.get("maxLength")]
            if not misfits(schema, cut):
                return cut
        return offline_text.write(schema, NOTICE, number)

    def _whole(self, schema: Any) -> dict[str, Any]:
        """The schema itself: references followed, what stands beside them and in ``allOf`` joined."""
        found = follow(schema, self.root)
        whole = dict(found) if isinstance(found, Mapping) else {}
        if isinstance(schema, Mapping):
            whole |= {word: part for word, part in schema.items() if word != "$ref"}
        for part in whole.pop("allOf", ()):
            inner = self._whole(part)
            for word, value in inner.items():
                if word in {"properties", "required"} and word in whole:
                    whole[word] = {**whole[word], **value} if word == "properties" else [*whole[word], *value]
                else:
                    whole.setdefault(word, value)
        return whole

    def _defs(self) -> Any:
        return self.root.get("$defs") or {}

    def _branch(self, branches: list[Any], name: str, number: int) -> Any:
        """The first alternative; when it would contain itself for ever, one that ends."""
        plain = [
            branch for branch in branches if not isinstance(branch, dict) or branch.get("type") != "null"
        ]
        for branch in plain:
            if branch not in self._under_way:
                self._under_way.append(branch)
                try:
                    return self.value(branch, name, number)
                finally:
                    self._under_way.pop()
        return (
            None
            if len(plain) < len(branches) or len(self._under_way) > _DEPTH
            else self.value(plain[-1], name)
        )

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if len(self._under_way) > _DEPTH:
            return {}
        required = schema.get("required", ())
        self._under_way.append(schema)
        try:
            return {
                key: self.value(part, key)
                for key, part in (schema.get("properties") or {}).items()
                if key in required
            }
        finally:
            self._under_way.pop()

    def _list(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        first = schema.get("prefixItems") or []
        least = max(int(schema.get("minItems", 0)), len(first))
        parts = [
            first[at] if at < len(first) else schema.get("items", {}) for at in range(min(least, _MOST_ITEMS))
        ]
        return [self.value(part, name, at) for at, part in enumerate(parts)]


def _number(schema: Mapping[str, Any], number: int, *, is_whole: bool) -> float:
    """The number nearest to 0 that fits; further ones for further items of a list."""
    low = max((schema[word] for word in ("minimum", "exclusiveMinimum") if word in schema), default=None)
    high = min((schema[word] for word in ("maximum", "exclusiveMaximum") if word in schema), default=None)
    step = schema.get("multipleOf") or 1
    start = low if low is not None and low > 0 else high if high is not None and high < 0 else 0
    down = high is not None and (start == high or (low is None and high <= 0))
    around = -(-start // step) * step if not down else start // step * step
    tries = [around + (-at if down else at) * step for at in range(number, number + 3)]
    if low is not None and high is not None and not is_whole and "multipleOf" not in schema:
        tries.append(low + (high - low) * (number + 1) / (number + 2))
    fits = [value for value in tries if not misfits({**schema, "type": "number"}, value)]
    value = fits[0] if fits else around
    return int(value) if is_whole else float(value)
