"""What can go wrong in a script, each with a stable code; the class says whether it may be caught."""

from __future__ import annotations

from typing import Any


class CircuitError(Exception):
    """A request the platform could not fulfil. ``code`` is stable (``area.what``), ``detail`` a sentence.

    ``data`` holds what the code needs to be acted upon, for example ``{"fields": [...]}``.
    """

    code = "script.error"

    def __init__(self, detail: str = "", *, code: str | None = None, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data
        if code is not None:
            self.code = code


class LimitExceeded(BaseException):
    """The execution used more than a limit allows. It cannot go on: every later request raises this again.

    A ``BaseException``, so that ``except Exception`` does not hide it. Nothing the execution asked for is
    committed. ``limit`` is the limit's name, ``used`` and ``max`` are in the limit's own unit. Handed to
    ``on_limit``, it also tells ``at``, the script's ``file:line``, and ``record``, the id it was at.
    """

    code = "governor.limit-exceeded"

    def __init__(self, limit: str, used: float = 0, max: float = 0, detail: str = "") -> None:  # noqa: A002
        self.limit = limit
        self.used = used
        self.max = max
        self.detail = detail or f"The limit {limit} is {max}; this execution came to {used}."
        self.at = ""
        self.record = ""
        self.data = {"limit": limit, "used": used, "max": max}
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.limit, self.used, self.max, self.detail)


class CalloutError(CircuitError):
    """An API or a model could not be reached, answered too late, or answered with an error status.

    ``status`` is the HTTP status, or ``None`` when there was no answer.
    """

    code = "script.callout-failed"

    @property
    def status(self) -> int | None:
        status = self.data.get("status")
        return status if isinstance(status, int) else None


class RecordError(CircuitError):
    """A record request that cannot be right: an unknown object or lookup, a value that cannot be stored."""

    code = "script.bad-record"


class JudgmentBlocked(CircuitError):
    """The Judgment Protocol refused a request or answer; ``data`` names level and rule, not the content."""

    code = "judgment.blocked"


class NoExecution(CircuitError):
    """The SDK was used where no execution runs: at import, or after the handler returned."""

    code = "script.no-execution"


class NotAwaited(CircuitError):
    """An ``async`` handler made a call and never awaited it, so it never happened."""

    code = "script.not-awaited"


class BadSettings(CircuitError):
    """What the tenant set for the trigger does not fit its ``Settings``."""

    code = "script.bad-settings"


class BadScript(CircuitError):
    """A script cannot be loaded; ``data`` has ``file`` and ``line`` where the fault stands."""

    code = "script.does-not-load"


_KINDS: dict[str, type[CircuitError]] = {
    "callout": CalloutError,
    "record": RecordError,
    "judgment": JudgmentBlocked,
    "error": CircuitError,
}


def from_wire(error: dict[str, Any]) -> CircuitError | LimitExceeded:
    """The exception for an ``err`` answer ``{"code", "detail", "kind", "data"}`` of the broker."""
    data = {str(name): value for name, value in (error.get("data") or {}).items()}
    detail = str(error.get("detail") or "")
    if error.get("kind") == "limit":
        return LimitExceeded(
            str(data.get("limit", "unknown")), data.get("used", 0), data.get("max", 0), detail
        )
    for taken in ("detail", "code"):
        data.pop(taken, None)
    kind = _KINDS.get(str(error.get("kind")), CircuitError)
    return kind(detail, code=error.get("code"), **data)
