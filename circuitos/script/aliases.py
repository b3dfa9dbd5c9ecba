"""The camelCase spellings: one rule, in one place, for every public name and keyword of the SDK.

``context.newRecords`` is ``context.new_records`` and ``CircuitDB.query("Contact", orderBy="name")`` is
``order_by="name"``. Snake case is the spelling of the docs; the other is accepted everywhere.
"""

from __future__ import annotations

import functools
from typing import Any, TypeVar, cast

T = TypeVar("T", bound=type)
F = TypeVar("F")


def camel(name: str) -> str:
    """``new_records`` → ``newRecords``."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def snake(name: str) -> str:
    """``newRecords`` → ``new_records``; a name without capitals stays as it is."""
    if name.islower():
        return name
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def camel_keywords(function: F) -> F:
    """Let ``function`` take its keyword arguments in camelCase too."""
    code = getattr(function, "__code__", None)
    count = code.co_argcount + code.co_kwonlyargcount if code else 0
    names = {
        camel(name): name for name in (code.co_varnames[:count] if code else ()) if "_" in name.strip("_")
    }
    if not names:
        return function

    @functools.wraps(cast("Any", function))
    def spelled(*args: Any, **keywords: Any) -> Any:
        if keywords:
            keywords = {names.get(name, name): value for name, value in keywords.items()}
        return cast("Any", function)(*args, **keywords)

    return cast("F", spelled)


def camel_case(cls: T) -> T:
    """Give the public names of ``cls`` their camelCase twins, and its methods camelCase keywords."""
    for name, value in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        twin: Any = value
        if isinstance(value, staticmethod):
            twin = staticmethod(camel_keywords(value.__func__))
        elif isinstance(value, classmethod):
            twin = classmethod(camel_keywords(value.__func__))
        elif callable(value):
            twin = camel_keywords(value)
        if twin is not value:
            setattr(cls, name, twin)
        if "_" in name:
            setattr(cls, camel(name), twin)
    if not hasattr(cls, "__getattr__"):
        cls.__getattr__ = _get_spelled  # type: ignore[attr-defined]
    return cls


def _get_spelled(self: object, name: str) -> Any:
    spelled = snake(name)
    if name.startswith("_") or spelled == name:
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
    return getattr(self, spelled)
