"""Reads what a model's provider answered, which may be anything: a clean answer, or a coded refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from circuitos.script.ai import is_model_name
from circuitos.script.fitting import misfits, trimmed
from circuitos.script.plain import DEPTH
from circuitos.script.tokens import BYTES_A_TOKEN, estimate
from governor.ai_schema import WRAPPER, name_of
from governor.judgment.masking import hide_secrets
from governor.judgment.output import leaks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from governor.ai_prompt import Question
    from governor.ai_schema import Form

# A provider's own framing of a question, and the schema, which it counts too.
SLACK_TOKENS = 2_000
_LARGEST = 2**63
_REFUSAL_CHARACTERS = 200
_STOPPED = {"length": "its answer grew too long", "content_filter": "a content filter stopped it"}


class NoAnswer(Exception):
    """The model gave none we can use; ``code`` says why, ``status`` is its HTTP status if it had one."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        kind: str = "callout",
        is_worth_retry: bool = False,
        tokens_in: int = 0,
        tokens_out: int = 0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.kind = kind
        self.is_worth_retry = is_worth_retry  # nothing was answered, or something that does not fit
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out
        self.data = data or {}


@dataclass(frozen=True, slots=True)
class Written:
    """A model's answer: text, and with a schema the object in it."""

    text: str
    object: Any = None
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""
    is_offline: bool = False
    remarks: tuple[str, ...] = ()  # for the trace

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def read_answer(
    body: bytes,
    *,
    question: Question,
    model: str,
    most_output: int,
    schema: Mapping[str, Any] | None = None,
    form: Form | None = None,
    keys: tuple[str, ...] = (),
) -> Written:
    """The answer in a chat completion. Raises ``NoAnswer``; either way the tokens are told."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        answer = None
    tokens_in, tokens_out, is_estimate = _tokens(answer, body, question, most_output)
    try:
        text = _text(_choice(answer), question, model=model, keys=keys)
        _refuse_leak(text, question, model)
        found = None
        if schema is not None:
            found = _object(text, form, model=model)
            text = json.dumps(found, ensure_ascii=False)  # as it reads without escapes
            _refuse_leak(text, question, model)
            if fields := misfits(schema, found):
                raise does_not_fit(schema, fields)
            found = trimmed(schema, _without_secrets(found, keys))
        _refuse_strange(text if schema is None else found, question, model)
    except NoAnswer as none:
        none.tokens_in, none.tokens_out = tokens_in, tokens_out
        raise
    text, hidden = hide_secrets(_clean(text), also=keys)
    answered = answer.get("model")
    answered = answered if is_model_name(answered) else model
    remarks = ["tokens estimated"] if is_estimate else []
    if hidden:
        remarks.append(f"{hidden} secret{'s'[: hidden > 1]} hidden in the answer")
    if not answered.startswith(model):
        remarks.append(f"answered as {answered}")
    return Written(text, found, tokens_in, tokens_out, answered, remarks=tuple(remarks))


def _choice(answer: Any) -> dict[str, Any] | None:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) and isinstance(choice.get("message"), dict) else None


def _text(choice: dict[str, Any] | None, question: Question, *, model: str, keys: tuple[str, ...]) -> str:
    if choice is None:
        detail = f"{model} answered something that is no chat completion, or an empty one."
        raise NoAnswer("governor.ai-malformed", detail, is_worth_retry=True)
    message, reason = choice["message"], choice.get("finish_reason")
    if refusal := message.get("refusal"):
        said = refusal if isinstance(refusal, str) and not question.is_leaked_in(refusal) else ""
        said = hide_secrets(_clean(said), also=keys)[0][:_REFUSAL_CHARACTERS]
        raise NoAnswer("governor.ai-refused", f"{model} refused{': ' + said if said else '.'}")
    if message.get("tool_calls") or message.get("function_call"):
        detail = f"{model} called a tool; it was given none."
        raise NoAnswer("governor.ai-malformed", detail, is_worth_retry=True)
    if reason not in (None, "stop"):
        why = _STOPPED.get(reason) if isinstance(reason, str) else None
        detail = f"{model} stopped early: {why or 'for a reason of its own'}."
        raise NoAnswer("governor.ai-incomplete", detail)
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("governor.ai-malformed", f"{model} gave an empty answer.", is_worth_retry=True)
    return text


def _refuse_leak(text: str, question: Question, model: str) -> None:
    if question.is_leaked_in(text):
        detail = f"{model} repeated what belongs in no answer: our rules, or the marks of the data."
        raise NoAnswer(
            "judgment.prompt-leaked", detail, kind="judgment", is_worth_retry=True, data={"level": 16}
        )


def _refuse_strange(answer: Any, question: Question, model: str) -> None:
    """Of people, links and markup an answer repeats what it was given, and adds none."""
    found = leaks(answer, asked="\n".join(message["content"] for message in question.messages))
    if found:
        raise NoAnswer(
            "judgment.output-refused",
            f"{model} answered what may not go out. {' '.join(leak.sentence for leak in found)}",
            kind="judgment",
            is_worth_retry=True,
            data={"level": 16, "rules": [leak.rule for leak in found]},
        )


def _object(text: str, form: Form | None, *, model: str) -> Any:
    try:
        found = _plain(msgspec.json.decode(text))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        detail = f"{model} answered something that is no JSON we can take."
        raise NoAnswer("governor.ai-malformed", detail, is_worth_retry=True) from None
    is_wrapped = form is not None and form.is_wrapped and isinstance(found, dict) and set(found) == {WRAPPER}
    return found[WRAPPER] if is_wrapped else found


def does_not_fit(schema: Mapping[str, Any], fields: list[dict[str, str]]) -> NoAnswer:
    """As the SDK says it of an answer that does not fit."""
    detail = f"The model's answer does not fit {name_of(schema)}."
    return NoAnswer(
        "script.answer-does-not-fit", detail, kind="error", is_worth_retry=True, data={"fields": fields}
    )


def _plain(value: Any, depth: int = 0) -> Any:
    """The value with nothing in it that a record could not hold. Raises ``ValueError``."""
    if depth > DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _without_secrets(value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return hide_secrets(value, also=keys)[0]
    if isinstance(value, list):
        return [_without_secrets(item, keys) for item in value]
    if isinstance(value, dict):
        return {
            hide_secrets(name, also=keys)[0]: _without_secrets(item, keys) for name, item in value.items()
        }
    return value


def _clean(text: str) -> str:
    return text.replace("\0", "")


def _tokens(answer: Any, body: bytes, question: Question, most_output: int) -> tuple[int, int, bool]:
    """Tokens in and out as the provider counted them, or where that cannot be true, as we estimate them."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    told_in, told_out = (
        (usage.get("prompt_tokens"), usage.get("completion_tokens"))
        if isinstance(usage, dict)
        else (None, None)
    )
    size = sum(len(message["content"].encode("utf-8", "replace")) for message in question.messages)
    most_in = size + question.overhead * BYTES_A_TOKEN + SLACK_TOKENS
    # A token has a byte at least; a question that cost nothing was not counted.
    if _is_count(told_in, 1, most_in) and _is_count(told_out, 0, most_output + SLACK_TOKENS):
        return told_in, told_out, False
    choice = _choice(answer)
    content = choice["message"].get("content") if choice else None
    said = content if isinstance(content, str) else body.decode("utf-8", "replace") if choice is None else ""
    return question.tokens, min(estimate(said), most_output), True


def _is_count(value: Any, least: int, most: int) -> TypeGuard[int]:
    return type(value) is int and least <= value <= most
