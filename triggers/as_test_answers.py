"""The answers an execution was given, in the words of the testing kit: ``api=``, ``ai=`` and ``enrich=``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LEFT_OUT = frozenset(
    {"set-cookie", "date", "server", "content-length", "content-encoding", "transfer-encoding"}
)
_REFUSED_BY_JUDGMENT = frozenset({"governor.egress-refused", "governor.host-not-allowed", "judgment.blocked"})


@dataclass
class Raised:
    """An answer that is an exception."""

    name: str  # of a class of the SDK
    detail: str
    code: str
    data: dict[str, Any]


@dataclass
class Reply:
    """An answer of an API."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Answers:
    """In the order they were asked for."""

    api: dict[str, list[Any]] = field(default_factory=dict)
    ai: list[Any] = field(default_factory=list)
    enrich: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)

    def add(self, effect: Mapping[str, Any], answer: Mapping[str, Any] | None) -> None:
        """Take in one effect with the journal's answer to it; None: it was answered without being sent."""
        args, op = effect.get("args") or {}, effect.get("op")
        error = (answer or {}).get("err") if answer is not None else (effect.get("error") or None)
        if op == "enrich":
            facts = self.enrich.setdefault(str(args.get("source") or "census"), {})
            facts |= {} if error else dict((answer or {}).get("ok") or {})
            return
        value: Any
        if error is not None:
            value = _raised(error)
        elif op == "http":
            value = _reply((answer or {}).get("ok") or {"status": 200, "headers": {}, "body": b"{}"})
        else:
            told = (answer or {}).get("ok") or {}
            value = told.get("object") if told.get("object") is not None else told.get("text", "")
        if op == "ai.ask":
            self.ai.append(value)
            return
        method = str(args.get("method") or "GET").upper()
        self.methods.append(method)
        self.api.setdefault(f"{method} {_pattern(str(args.get('url') or ''))}", []).append(value)

    def mapped(self, of: Callable[[Any], Any]) -> Answers:
        """The same with every value passed through ``of``."""

        def told(value: Any) -> Any:
            if isinstance(value, Raised):
                return Raised(value.name, of(value.detail), value.code, of(value.data))
            if isinstance(value, Reply):
                return Reply(value.status, of(value.body), of(value.headers))
            return of(value)

        return Answers(
            {pattern: [told(value) for value in values] for pattern, values in self.api.items()},
            [told(value) for value in self.ai],
            of(self.enrich),
            self.methods,
        )


def _pattern(url: str) -> str:
    """Where the call went, as ``api=`` matches it: no query, and ``*`` where the trace hides something."""
    plain = re.sub(r"([\[\]])", r"[\1]", url.partition("?")[0].partition("#")[0])
    scheme, separator, rest = plain.partition("://")
    parts = ["*" if "*" in part else part for part in rest.split("/")]
    found = f"{scheme}{separator}{'/'.join(parts)}"
    return f"{found[:-1]}*" if found.endswith("…") else found


def _raised(error: Mapping[str, Any]) -> Raised:
    kind, code = str(error.get("kind") or ""), str(error.get("code") or "")
    names = {"callout": "CalloutError", "record": "RecordError", "judgment": "JudgmentBlocked"}
    name = "JudgmentBlocked" if code in _REFUSED_BY_JUDGMENT else names.get(kind, "CalloutError")
    said = {str(key): value for key, value in (error.get("data") or {}).items()}
    data = {key: value for key, value in said.items() if key not in {"code", "detail"}}
    return Raised("CircuitError" if kind == "error" else name, str(error.get("detail") or ""), code, data)


def _reply(told: Mapping[str, Any]) -> Reply:
    headers = {
        str(name).lower(): str(value)
        for name, value in (told.get("headers") or {}).items()
        if str(name).lower() not in _LEFT_OUT
    }
    body: Any = told.get("body") or b""
    if isinstance(body, bytes):
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return Reply(int(told.get("status") or 200), body, headers)
        body = text
        if "json" in headers.get("content-type", "application/json" if text[:1] in "{[" else ""):
            try:
                found = json.loads(text)
            except ValueError:
                found = text
            # Text and bytes are bodies as they are; anything else is sent as JSON.
            body = text if isinstance(found, str) else found
    return Reply(int(told.get("status") or 200), body, headers)
