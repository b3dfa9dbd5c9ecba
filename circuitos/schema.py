"""What the OpenAPI schema says beyond the views: how one proves who one is, refusals, headers, examples."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drf_spectacular.openapi import AutoSchema

# Real requests and answers by operation; tests/triggers/test_openapi.py records them, and checks them.
EXAMPLES = Path(__file__).parent / "api_examples.json"
JSON = "application/json"
_ERROR = {"$ref": "#/components/schemas/Error"}
_WAIT = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
_RATE = {
    "X-RateLimit-Limit": "Requests that the token may make in a minute.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "Seconds until the minute ends.",
}
# Status -> what it means, a code and sentence as they come.
REFUSALS = {
    "400": (
        "It cannot be read, or asks for what cannot be.",
        "api.invalid",
        "Some fields are not valid.",
    ),
    "401": (
        "No token, or one that is not known.",
        "api.not-authenticated",
        "Authentication credentials were not provided.",
    ),
    "403": (
        "Only an operator's token may.",
        "api.permission-denied",
        "You do not have permission to perform this action.",
    ),
    "404": ("Not there, or not for this token.", "api.not-found", "There is no such tenant."),
    "406": (
        "Only JSON is spoken.",
        "api.not-acceptable",
        "Could not satisfy the request Accept header.",
    ),
    "409": (
        "It does not fit how things stand.",
        "triggers.not-replayable",
        "This execution has not ended yet; replay it when it has.",
    ),
    "413": ("The body is too long.", "api.too-large", "A body may have 1,048,576 bytes."),
    "415": (
        "The body is not JSON.",
        "api.unsupported-media-type",
        'Unsupported media type "text/plain" in request.',
    ),
    "429": (
        "Too many requests in this minute.",
        "api.rate-limited",
        "At most 600 requests a minute; go on in 21 seconds.",
    ),
    "503": (
        "The database does not answer just now.",
        "api.unavailable",
        "The database does not answer just now. Try again in a few seconds.",
    ),
}
_ALWAYS = ("400", "401", "404", "406", "429", "503")
_WITH_BODY = ("413", "415")


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """``Authorization: Bearer …``."""

    target_class = "tenants.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "cos_…"}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to each operation what holds for all, and its examples."""
    asked: set[str] = set()
    for operation in operations(result):
        responses = operation["responses"]
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
        asked.add(body.get("schema", {}).get("$ref", ""))
        for status in (*_ALWAYS, *(_WITH_BODY if body else ())):
            responses.setdefault(status, {"content": {JSON: {"schema": _ERROR}}})
        for status, response in responses.items():
            if status in REFUSALS:
                _explain(status, response)
            else:
                response["headers"] = {
                    name: {"schema": {"type": "integer"}, "description": said} for name, said in _RATE.items()
                }
        operation["responses"] = dict(sorted(responses.items()))
        _exemplify(operation, body)
    shapes = result["components"]["schemas"]
    asked |= {"Filter", "FilterRequest"} & shapes.keys()  # stands in a body
    for name in asked - {""}:
        # What is not named is refused (``tenants.strict``).
        shapes[name.rpartition("/")[2]]["additionalProperties"] = False
    return result


def operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each operation of the schema."""
    for path in schema["paths"].values():
        for method, operation in path.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield operation


@cache
def examples() -> dict[str, Any]:
    """The recorded requests and answers, by operation."""
    found: dict[str, Any] = json.loads(EXAMPLES.read_text()) if EXAMPLES.exists() else {}
    return found


def _explain(status: str, response: dict[str, Any]) -> None:
    meaning, code, detail = REFUSALS[status]
    response["description"] = response.get("description") or meaning
    content = response["content"][JSON]
    content.setdefault("examples", {code: {"value": {"code": code, "detail": detail}}})
    if status in {"429", "503"}:
        response["headers"] = _WAIT


def _exemplify(operation: dict[str, Any], body: dict[str, Any]) -> None:
    known = examples().get(operation["operationId"])
    if known is None:
        return
    if "request" in known and body:
        body["examples"] = {"example": {"value": known["request"]}}
    response = operation["responses"].get(str(known["status"]), {})
    if JSON in response.get("content", {}):
        response["content"][JSON]["examples"] = {"example": {"value": known["response"]}}
