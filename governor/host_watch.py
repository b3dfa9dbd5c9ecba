"""What one execution sees of the hosts it calls: what may be sent now, and whether its failure was theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from governor import hosts
from governor.targets import is_provider

if TYPE_CHECKING:
    from governor.job import RunError

CIRCUIT_OPEN = "governor.circuit-open"
RATE_LIMITED = "governor.rate-limited"
PROVIDER_DOWN = "governor.provider-down"
LONGEST_WAIT = 10.0  # seconds that a callout may wait for a host that asked to be left alone
# With that many openings a circuit was open for about half an hour.
PATIENCE = 10
_FAULT = 500
_FAILURES = frozenset({"governor.unreachable", "governor.timeout", "governor.broken-answer"})
_RAISED = "script.callout-failed"  # by raise_for_status


@dataclass(frozen=True, slots=True)
class Tried:
    """What one request came to: a status, or the code of why there is none."""

    host: str
    status: int = 0
    code: str = ""
    is_sent: bool = True
    hold: float | None = None  # seconds that the host asked for

    @property
    def is_failure(self) -> bool:
        """Whether it speaks of the host's health: a refusal of this very request does not."""
        return self.status >= 500 or self.code in _FAILURES

    @property
    def is_answered(self) -> bool:
        """Whether the host was there and did its work."""
        return self.code == "governor.answer-too-large" or 0 < self.status < 500

    @property
    def problem(self) -> str:
        return f"It answered {self.status}." if self.status else self.code


@dataclass(frozen=True, slots=True)
class Passed:
    """A request may be sent, after so many seconds."""

    wait: float = 0.0
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """A request may not be sent."""

    code: str
    detail: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Trouble:
    host: str
    code: str
    status: int = 0
    is_held: bool = False  # nothing can be sent to it for a while

    def explains(self, error: RunError) -> bool:
        """Whether the script raised what it was told of this."""
        return self.code == error.code and (self.code != _RAISED or self.status == error.data.get("status"))


class HostWatch:
    """The hosts of one execution. Used from the thread that owns the database."""

    def __init__(self, tenant_id: int, *, listed: Any = None) -> None:
        """``listed`` are the hosts that the tenant says it calls."""
        self.has_recovered = False  # a circuit closed: what waits for it may go on
        self._listed = listed
        self._tenant_id = tenant_id
        self._troubles: list[_Trouble] = []
        self._at_work: set[str] = set()  # hosts that are no longer excused

    def admit(self, host: str, *, seconds_left: float) -> Passed | Stopped:
        """Whether a request to the host may be sent. Claims the probe when it is time for one."""
        known = hosts.known(self._tenant_id, host)
        hold = known.hold_in or 0.0
        if hold > min(LONGEST_WAIT, seconds_left):
            return self._stop(RATE_LIMITED, host, hold, "has had enough requests for now")
        if known.is_closed:
            return Passed(hold)
        if not known.probe_in and hosts.claim_probe(self._tenant_id, host):
            return Passed(hold, is_probe=True)
        wait = hosts.known(self._tenant_id, host).waits
        return self._stop(CIRCUIT_OPEN, host, wait, "has failed too often and is left alone")

    def saw(self, tried: Tried, *, is_probe: bool) -> None:
        """Note what a request came to; what it tells is shared with all workers."""
        if tried.hold:
            hosts.hold(self._tenant_id, tried.host, seconds=tried.hold, problem=tried.problem)
        is_open = False
        if tried.is_failure:
            found = hosts.failed(self._tenant_id, tried.host, problem=tried.problem, is_probe=is_probe)
            is_open = not found.is_closed
            if is_probe and found.openings > PATIENCE and self._may_be_the_records(tried):
                self._at_work.add(tried.host)
        elif tried.is_answered:
            self.has_recovered |= hosts.succeeded(self._tenant_id, tried.host)
        elif is_probe:
            self.gave_up(tried.host)
        if tried.is_failure or tried.status == 429:
            is_held = is_open or bool(tried.hold)
            self._troubles.append(_Trouble(tried.host, tried.code or _RAISED, tried.status, is_held))

    def _may_be_the_records(self, tried: Tried) -> bool:
        """Whether the failure may be one record's own: such a one must not hold its lane for ever.

        A host that answers 500 is alive, and at fault with what it was sent; one that nobody listed may be
        an address that a stranger wrote into a form, and dead.
        """
        return tried.status == _FAULT or not is_provider(tried.host, self._listed)

    def gave_up(self, host: str) -> None:
        """The probe was not sent."""
        hosts.unclaim_probe(self._tenant_id, host)

    def excuse(self, error: RunError | None) -> RunError | None:
        """The error of a run; one that was a host's doing may be tried again.

        Only what this watch saw itself counts: a script may raise any code.
        """
        if error is None or error.limit:
            return error
        seen = [trouble for trouble in self._troubles if trouble.explains(error)]
        if not seen:
            return error
        held = [trouble for trouble in seen if trouble.is_held and trouble.host not in self._at_work]
        if not held:
            return replace(error, is_retryable=True)
        host = held[-1].host
        until = datetime.now(UTC) + timedelta(seconds=hosts.known(self._tenant_id, host).waits)
        return replace(
            error,
            code=PROVIDER_DOWN,
            detail=f"{host} is down or asked to be left alone: {error.detail}",
            is_retryable=True,
            data={"host": host, "until": until.isoformat()},
        )

    def _stop(self, code: str, host: str, wait: float, why: str) -> Stopped:
        self._troubles.append(_Trouble(host, code, is_held=True))
        until = datetime.now(UTC) + timedelta(seconds=wait)
        return Stopped(code, f"{host} {why}; nothing was sent.", {"host": host, "until": until.isoformat()})
