"""The questions of one execution: what each may cost, whether it is asked again, what they came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitos.env import env
from circuitos.script.ai import is_model_name
from circuitos.script.schema import fault_of
from governor import ai, prices
from governor.callouts import Reply, error
from governor.ops import BadRequest, LimitReached
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from governor.meter import Meter

ATTEMPTS = 2
# With less time than this an answer is not worth waiting for.
LEAST_SECONDS = 0.5
# An answer of fewer tokens is none.
LEAST_OUTPUT = 16
# What each of many questions asked at once may answer with, when together they could exceed the limit.
SHARED_OUTPUT = 512


class NoTime(CodedError):
    """The execution has no time left for a model to answer."""

    code = "governor.ai-timeout"


@dataclass(slots=True, eq=False)
class Asking:
    """A question that was let through, over its attempts."""

    args: Mapping[str, Any]
    model: str
    weight: int  # tokens of the prompt, as estimated
    output: int = 0  # tokens that the answer may have
    attempts: int = 1
    is_sent: bool = False
    tokens: int = 0
    micros: int | None = 0

    def ask(self, *, seconds: float) -> Reply:
        """One attempt. Called in a thread."""
        self.is_sent = True
        return ask(self.args, seconds=seconds, most_output=self.output)


class Questions:
    """Counts questions on the execution's meter. Used from the main thread."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._under_way: set[Asking] = set()
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost_micros = 0

    def check(self, args: Mapping[str, Any]) -> None:
        """Raise ``BadRequest`` unless these are a question's arguments."""
        if not isinstance(args.get("prompt"), str) or not isinstance(args.get("schema"), dict | None):
            raise BadRequest("A question has a prompt (text) and may have a schema (a JSON schema).")
        if args.get("schema") is not None and (fault := fault_of(args["schema"])):
            raise BadRequest(fault)
        model = args.get("model")
        if model is not None and not is_model_name(model):
            raise BadRequest("model is the name of a model: at most 80 characters, no spaces.")

    def admit(self, args: Mapping[str, Any], *, at: str, seconds_left: float) -> Asking:
        """Count a question that is about to be sent. Raises ``LimitReached`` or ``NoTime``."""
        if seconds_left - ai.MARGIN_SECONDS < LEAST_SECONDS:
            raise NoTime("The execution has no time left for a model to answer.")
        weight = ai.weigh(args["prompt"], data=args.get("data"), schema=args.get("schema"))
        asking = Asking(args, args.get("model") or env().openai_model, weight)
        used = self._meter.used["ai_tokens"] + self._weight_under_way() + weight + LEAST_OUTPUT
        if used > self._meter.max["ai_tokens"]:
            self._meter.exceed("ai_tokens", used, at=at)
            raise LimitReached
        if not self._meter.count("api_calls", 1, at=at):
            raise LimitReached
        self._bound(asking)
        self._under_way.add(asking)
        return asking

    def took(self, asking: Asking, reply: Reply, *, at: str) -> None:
        """Count what an attempt came to, whatever it brought."""
        self._under_way.discard(asking)
        price = prices.price_of(asking.model, env().ai_prices)
        micros = prices.cost_micros(price, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out)
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.cost_micros += micros or 0
        asking.tokens += reply.tokens_in + reply.tokens_out
        asking.micros = None if micros is None or asking.micros is None else asking.micros + micros
        if reply.tokens_in + reply.tokens_out:
            self._meter.count("ai_tokens", reply.tokens_in + reply.tokens_out, at=at)
        reply.note = "; ".join(part for part in (_told(asking), reply.note) if part)

    def ask_again(self, asking: Asking, reply: Reply, *, at: str, seconds_left: float) -> bool:
        """Whether to make a second attempt, which is counted then: if it helps, and every limit has room."""
        meter = self._meter
        has_room = (
            meter.breach is None
            and meter.left("api_calls") >= 1
            and meter.left("ai_tokens") >= self._weight_under_way() + asking.weight + LEAST_OUTPUT
            and seconds_left - ai.MARGIN_SECONDS >= LEAST_SECONDS
        )
        if not reply.is_worth_retry or asking.attempts >= ATTEMPTS or not has_room:
            return False
        meter.count("api_calls", 1, at=at)
        asking.attempts += 1
        asking.is_sent = False
        self._bound(asking)
        self._under_way.add(asking)
        return True

    def abandon(self) -> None:
        """The run is over: of what was sent and not heard of, the prompt was spent."""
        for asking in self._under_way:
            if asking.is_sent:
                price = prices.price_of(asking.model, env().ai_prices)
                self.tokens_in += asking.weight
                self.cost_micros += prices.cost_micros(price, tokens_in=asking.weight, tokens_out=0) or 0
        self._under_way.clear()

    def _weight_under_way(self) -> int:
        return sum(asking.weight for asking in self._under_way)

    def _bound(self, asking: Asking) -> None:
        """Let the answer have what the limit leaves: all of it alone, a share when others are under way."""
        left = int(self._meter.left("ai_tokens")) - self._weight_under_way() - asking.weight
        promised = sum(other.output for other in self._under_way)
        asking.output = min(ai.MOST_OUTPUT, left, max(SHARED_OUTPUT, left - promised))


def ask(args: Mapping[str, Any], *, seconds: float = 0, most_output: int = ai.MOST_OUTPUT) -> Reply:
    """Put one question to the model, once."""
    try:
        written = ai.ask(
            args["prompt"],
            data=args.get("data"),
            schema=args.get("schema"),
            model=args.get("model"),
            timeout=seconds,
            most_output=most_output,
        )
    except ai.NoAnswer as none:
        told = none.data if none.status is None else {"status": none.status, **none.data}
        return Reply(
            error(none.code, none.detail, kind=none.kind, **told),
            tokens_in=none.tokens_in,
            tokens_out=none.tokens_out,
            note=none.code,
            is_worth_retry=none.is_worth_retry,
        )
    ok = {
        "text": written.text,
        "object": written.object,
        "offline": written.is_offline,
        "model": written.model,
        "tokens": written.tokens,
    }
    if written.is_offline:
        return Reply({"ok": ok}, note="offline: no model is configured")
    return Reply(
        {"ok": ok},
        tokens_in=written.tokens_in,
        tokens_out=written.tokens_out,
        note="; ".join(written.remarks),
    )


def _told(asking: Asking) -> str:
    cost = "price unknown" if asking.micros is None else prices.dollars(asking.micros)
    attempts = f", {asking.attempts} attempts" if asking.attempts > 1 else ""
    return f"{asking.model}, {asking.tokens:,} tokens, {cost}{attempts}"
