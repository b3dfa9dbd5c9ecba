"""``CircuitAI``: one question to the language model, through the broker, which judges both ways."""

from __future__ import annotations

import re
from typing import Any

from circuitos.script.errors import CircuitError
from circuitos.script.plain import strict
from circuitos.script.schema import fault_of
from circuitos.script.session import call

_MODEL = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,79}\Z", re.ASCII)


class CircuitAI:
    """Ask a model. It has no tools, sees only what it is given, and its answer is never trusted blindly."""

    @staticmethod
    def ask(prompt: str, *, data: Any = None, schema: Any = None, model: str | None = None) -> Any:
        """The model's text; with ``schema``, a pydantic model class, a validated object of it.

        ``data`` is untrusted material (a review, a message): it is handed over as data, apart from
        ``prompt``, so put nothing a stranger wrote into ``prompt``. Costs 1 API call an attempt, and AI
        tokens; where nothing was answered, or it did not fit, the broker asks a second time. Without a key
        a deterministic offline writer answers. Raises ``CalloutError`` when no answer comes,
        ``JudgmentBlocked`` when question or answer is refused, ``CircuitError``
        (``script.answer-does-not-fit``) when the answer does not fit ``schema``.
        """
        is_model = isinstance(schema, type) and hasattr(schema, "model_json_schema")
        if schema is not None and not is_model and not isinstance(schema, dict):
            raise CircuitError(
                "schema must be a pydantic model class or a JSON schema.", code="script.bad-schema"
            )
        if model is not None and not is_model_name(model):
            raise CircuitError(
                "model is the name of a model: at most 80 characters, no spaces.", code="script.bad-model"
            )
        asked = _json_schema(schema) if is_model else schema
        if asked is not None and (fault := fault_of(asked)):
            raise CircuitError(fault, code="script.bad-schema")
        args = {
            "prompt": strict(prompt, "prompt"),
            "data": strict(data, "data"),
            "schema": asked,
            "model": model,
        }

        def then(answer: Any) -> Any:
            if schema is None:
                return answer.get("text") or ""
            found = answer.get("object")
            return _fitted(schema, found) if is_model else found

        return call("ai.ask", args, what="CircuitAI.ask", then=then)


def is_model_name(name: Any) -> bool:
    """Whether this is the plain name of a model, as ``gpt-4o-mini`` or ``org/model:tag``."""
    return isinstance(name, str) and _MODEL.match(name) is not None


def _json_schema(model: Any) -> dict[str, Any]:
    from pydantic.errors import PydanticUserError

    try:
        schema: dict[str, Any] = model.model_json_schema()
    except PydanticUserError as error:
        raise CircuitError(
            f"{model.__name__} has no JSON schema: {error}", code="script.bad-schema"
        ) from error
    return schema


def _fitted(schema: Any, found: Any) -> Any:
    from pydantic import ValidationError

    try:
        return schema.model_validate(found)
    except ValidationError as error:
        fields = [
            {"field": ".".join(str(part) for part in wrong["loc"]), "reason": str(wrong["msg"])}
            for wrong in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise CircuitError(
            f"The model's answer does not fit {schema.__name__}.",
            code="script.answer-does-not-fit",
            fields=fields,
        ) from error
