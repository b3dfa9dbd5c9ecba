"""Level 6, the bounds: how deep, how many and how long a record's values are. Schemas stand elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from governor.judgment.findings import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL = 6
DEEPEST = 20
MOST_NODES = 2_000
LONGEST_NAME = 200  # of a field
LONGEST_TEXT = 500_000  # of one value; judged in slices long before that

_SCALARS = frozenset({int, float, bool, type(None)})
_SMALL = _SCALARS | {str}


def strings(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each string of ``fields`` with its place, as in ``tags[2]`` or ``address.city``."""
    for name, value in fields.items():
        if type(value) is str:
            yield name, value
        elif isinstance(value, Mapping | list | tuple | str):
            yield from _strings(value, str(name), 1)


def findings(fields: Mapping[str, Any]) -> list[Finding]:
    """What breaks the bounds; such a record waits for a person, and the others go on."""
    if _is_small(fields):
        return []
    nodes = 0
    found = []
    layer: list[tuple[str, Any]] = [("", fields)]
    for depth in range(DEEPEST + 2):
        below: list[tuple[str, Any]] = []
        for place, value in layer:
            nodes += 1
            if isinstance(value, str):
                if len(value) > LONGEST_TEXT:
                    found.append(_bad("text_too_long", place))
            elif isinstance(value, Mapping):
                for name, item in value.items():
                    if len(str(name)) > LONGEST_NAME:
                        found.append(_bad("name_too_long", place))
                    below.append((place or str(name)[:LONGEST_NAME], item))
            elif isinstance(value, list | tuple):
                below += [(place, item) for item in value]
        if nodes + len(below) > MOST_NODES:
            return [*found, _bad("too_many_nodes", "")]
        if not below:
            return found
        if depth >= DEEPEST:
            return [*found, _bad("too_deep", below[0][0])]
        layer = below
    return found


def replaced(value: Any, texts: Mapping[str, str], place: str = "", depth: int = 0) -> Any:
    """A copy of ``value`` in which the strings at the places of ``texts`` are those."""
    if depth > DEEPEST:
        return value
    if isinstance(value, str):
        return texts.get(place, value)
    if isinstance(value, Mapping):
        return {
            name: replaced(item, texts, f"{place}.{name}" if place else str(name), depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [replaced(item, texts, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
    return value


def _strings(value: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST:
        return
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _strings(item, f"{place}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _strings(item, f"{place}[{index}]", depth + 1)


def _is_small(fields: Mapping[str, Any]) -> bool:
    """As nearly every record is: few fields, at most lists or mappings of plain values among them."""
    if len(fields) > 100:
        return False
    for name, value in fields.items():
        if len(name) > LONGEST_NAME:
            return False
        kind = type(value)
        if kind is str:
            if len(value) > LONGEST_TEXT:
                return False
        elif kind is list:
            if len(value) > 15 or any(type(item) is not str or len(item) > LONGEST_TEXT for item in value):
                return False
        elif kind is dict:
            if len(value) > 15 or any(type(item) not in _SMALL for item in value.values()):
                return False
            if any(len(name) > LONGEST_NAME for name in value):
                return False
            if any(type(item) is str and len(item) > LONGEST_TEXT for item in value.values()):
                return False
        elif kind not in _SCALARS:
            return False
    return True


def _bad(rule: str, place: str) -> Finding:
    return Finding(LEVEL, rule, place, 0.0, Verdict.QUARANTINE)
