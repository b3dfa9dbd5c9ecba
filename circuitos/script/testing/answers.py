"""The answers a test prepared: for callouts, the model and enrichment sources."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from circuitos.script.errors import CalloutError, CircuitError
from circuitos.script.fitting import misfits, trimmed
from circuitos.script.plain import strict

# The broker puts these questions a second time; here the second answer is as bad as the first.
ASKED_AGAIN = frozenset({"governor.ai-malformed", "script.answer-does-not-fit"})


class NoAnswer(AssertionError):
    """The script asked for something that no answer was prepared for; ``run`` raises it in any case."""


class Asked(NamedTuple):
    """A request as a prepared function sees it."""

    method: str
    url: str  # with its query
    headers: dict[str, str]
    json: Any
    body: bytes | None


def in_turn(*answers: Any) -> Callable[[Asked], Any]:
    """Answers for ``api``, given one after the other; one request more than there are raises ``NoAnswer``."""
    left = list(answers)

    def answer(request: Asked) -> Any:
        if not left:
            raise NoAnswer(
                f"The script called {request.method} {request.url} {len(answers) + 1} times;"
                f" {len(answers)} answers are prepared."
            )
        return left.pop(0)

    return answer


def asked(args: Mapping[str, Any]) -> Asked:
    """The request behind an ``http`` call."""
    url = args["url"]
    if args["params"]:
        url += ("&" if "?" in url else "?") + urlencode(args["params"], doseq=True)
    return Asked(args["method"], url, dict(args["headers"]), args["json"], args["body"])


def answer_callout(api: Mapping[Any, Any], request: Asked) -> dict[str, Any]:
    """The prepared answer to a callout, as the broker gives it. Raises ``NoAnswer`` or a prepared error."""
    for pattern, prepared in api.items():
        if _matches(pattern, request):
            value = prepared(request) if callable(prepared) else prepared
            return _as_answer(value)
    raise NoAnswer(
        f"The script called {request.method} {request.url}, and no answer is prepared: "
        f'run(…, api={{"{request.method} {request.url.partition("?")[0]}": {{…}}}}).'
    )


def _matches(pattern: Any, request: Asked) -> bool:
    method, url = pattern if isinstance(pattern, tuple) else _split(str(pattern))
    plain = request.url.partition("?")[0]
    return method.upper() in {"*", request.method} and (
        url in {request.url, plain}
        or fnmatch.fnmatchcase(request.url, url)
        or fnmatch.fnmatchcase(plain, url)
    )


def _split(pattern: str) -> tuple[str, str]:
    method, space, url = pattern.partition(" ")
    return (method, url) if space else ("*", pattern)


def _as_answer(value: Any) -> dict[str, Any]:
    """A status, a body, or (status, body) or (status, body, headers) as an answer; an exception is raised."""
    if isinstance(value, BaseException):
        raise value if isinstance(value, CircuitError) else CalloutError(str(value))
    status, body, headers = 200, value, {}
    if isinstance(value, int) and not isinstance(value, bool):
        status, body = value, b""
    elif isinstance(value, tuple):
        status, body, headers = (*value, {})[:3]
    elif isinstance(value, Mapping) and set(value) == {"status", "headers", "body"}:
        status, headers, body = value["status"], value["headers"], value["body"]
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(strict(body, "answer")).encode()
        headers = {"content-type": "application/json", **headers}
    return {"status": status, "headers": dict(headers), "body": body}


def answer_question(ai: Any, number: int, args: Mapping[str, Any]) -> dict[str, Any]:
    """The prepared answer of the model: one for all, one after the other from a list, or a function's."""
    if ai is None:
        if args["schema"] is not None:
            raise NoAnswer(
                "The script asked the model for an object, and no answer is prepared: run(…, ai={…})."
            )
        return {"text": "An offline answer.", "offline": True}
    value = ai
    if isinstance(ai, list):
        if number >= len(ai):
            raise NoAnswer(f"The script asked the model {number + 1} times; {len(ai)} answers are prepared.")
        value = ai[number]
    elif callable(ai) and not hasattr(ai, "model_dump"):
        value = ai(args["prompt"], args["data"])
    if isinstance(value, BaseException):
        raise value
    schema = args["schema"]
    if schema is None:
        return {"text": value, "offline": False} if isinstance(value, str) else {"object": strict(value)}
    return {"object": _fitting(value, schema), "offline": False}


def _fitting(value: Any, schema: Mapping[str, Any]) -> Any:
    """The object in an answer. Raises what the broker tells when a second attempt brings no better one."""
    found = strict(value)
    if isinstance(value, str):
        try:
            found = strict(json.loads(value))
        except (ValueError, RecursionError, CircuitError):
            raise CalloutError(
                "The model answered something that is no JSON we can take.", code="governor.ai-malformed"
            ) from None
    if fields := misfits(schema, found):
        name = schema.get("title") or "answer"
        raise CircuitError(
            f"The model's answer does not fit {name}.", code="script.answer-does-not-fit", fields=fields
        )
    return trimmed(schema, found)


ACTIVITY = "activity"  # told from the mirror: no call


def answer_enrichment(
    enrich: Mapping[str, Any], source: str, records: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a prepared source knows: a function of the records, or facts by record id or postal code."""
    known = enrich.get(source)
    if known is None:
        if source in {"census", ACTIVITY}:
            return {}
        raise NoAnswer(f"The script asked the source {source!r}: run(…, enrich={{{source!r}: {{…}}}}).")
    if callable(known):
        return dict(known(records))
    found = {}
    for record in records:
        facts = known.get(record["id"], known.get(record["postal_code"]))
        if facts is not None:
            found[record["id"]] = dict(facts)
    return found
