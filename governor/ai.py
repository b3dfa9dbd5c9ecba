"""One question to a language model; without a key a deterministic offline writer answers, and says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from circuitos.env import env
from circuitos.script.fitting import misfits
from circuitos.script.tokens import estimate
from governor import offline
from governor.ai_answer import NoAnswer, Written, does_not_fit, read_answer
from governor.ai_prompt import compose
from governor.ai_schema import form_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from governor.ai_prompt import Question
    from governor.ai_schema import Form

__all__ = [
    "MARGIN_SECONDS",
    "MOST_OUTPUT",
    "MOST_SECONDS",
    "NoAnswer",
    "Written",
    "ask",
    "is_offline",
    "weigh",
]

MOST_SECONDS = 12.0
# Left of the execution's time for the script to do something with the answer.
MARGIN_SECONDS = 1.0
# Tokens of one answer, where the execution's limit leaves more.
MOST_OUTPUT = 4_096


def is_offline() -> bool:
    """Whether there is no model to ask."""
    return not env().openai_api_key


def weigh(prompt: str, *, data: Any = None, schema: Mapping[str, Any] | None = None) -> int:
    """About the tokens that a question comes to, before it is sent."""
    return _question(prompt, data, form_of(schema) if schema is not None else None).tokens


def ask(
    prompt: str,
    *,
    data: Any = None,
    schema: Mapping[str, Any] | None = None,
    model: str | None = None,
    timeout: float = MOST_SECONDS,
    most_output: int = MOST_OUTPUT,
) -> Written:
    """Ask once, without retry: the caller counts attempts. Raises ``NoAnswer``."""
    if is_offline():
        return _offline(prompt, data, schema)
    from governor import ai_wire

    model = model or env().openai_model
    form = form_of(schema) if schema is not None else None
    question = _question(prompt, data, form)
    body = ai_wire.complete(
        key=env().openai_api_key,
        base_url=env().openai_base_url,
        model=model,
        seconds=max(0.1, min(timeout, MOST_SECONDS)),
        prompt_tokens=question.tokens,
        messages=question.messages,
        max_completion_tokens=most_output,
        response_format=form.for_request() if form is not None else {"type": "text"},
    )
    written = read_answer(
        body,
        question=question,
        model=model,
        most_output=most_output,
        schema=schema,
        form=form,
        keys=_keys(),
    )
    return replace(written, remarks=(*_remarks(question, form), *written.remarks))


def _offline(prompt: str, data: Any, schema: Mapping[str, Any] | None) -> Written:
    made = offline.write(prompt, data=data, schema=schema)
    if schema is not None and (fields := misfits(schema, made)):
        raise does_not_fit(schema, fields)
    text = made if isinstance(made, str) else json.dumps(made, sort_keys=True)
    return Written(text, None if schema is None else made, model="offline", is_offline=True)


def _question(prompt: str, data: Any, form: Form | None) -> Question:
    overhead = estimate(json.dumps(form.schema)) if form is not None else 0
    return compose(prompt, data, keys=_keys(), overhead=overhead)


def _keys() -> tuple[str, ...]:
    return (env().openai_api_key,) if env().openai_api_key else ()


def _remarks(question: Question, form: Form | None) -> list[str]:
    told = []
    if form is not None and form.loose:
        told.append(f"schema not strict: {form.loose}")
    if question.hidden:
        told.append(f"{question.hidden} secret{'s'[: question.hidden > 1]} hidden in the question")
    return told
