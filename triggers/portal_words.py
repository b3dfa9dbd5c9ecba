"""What an execution did, in words for the owner of a gym: no names of modules, no stack traces. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logs.vocabulary import LIMITS, plural
from triggers.choices import ExecutionStatus, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triggers.models import Execution

LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A status as a pill says it; the word stands beside the colour."""

    tone: str
    symbol: str
    word: str


STATUSES = {
    ExecutionStatus.QUEUED: Said("wait", "○", "Waiting"),
    ExecutionStatus.RUNNING: Said("busy", "▸", "Running"),
    ExecutionStatus.SUCCEEDED: Said("good", "✓", "Done"),
    ExecutionStatus.PARTIAL: Said("warn", "◐", "Partly done"),
    ExecutionStatus.FAILED: Said("bad", "✕", "Failed"),
    ExecutionStatus.BISECTED: Said("quiet", "⋔", "Split"),
    ExecutionStatus.CANCELLED: Said("quiet", "⊘", "Cancelled"),
}
RETRY = Said("wait", "↻", "Will try again")
# What kept it from succeeding, by its code or the part of it before the dot.
_CAUSES = {
    "governor.host-not-allowed": "It may not reach the address it asked for",
    "governor.egress-refused": "It may not reach the address it asked for",
    "governor.timeout": "A service it needs did not answer in time",
    "governor.ai-timeout": "The AI service did not answer in time",
    "governor.ai-malformed": "The AI service gave an answer that cannot be used",
    "script.callout-failed": "Could not reach a service it needs",
    "script.answer-does-not-fit": "The AI service gave an answer that cannot be used",
    "judgment.blocked": "A safety check stopped it",
    "lpr.bad-settings": "The scoring settings cannot be used",
    "script.bad-settings": "The settings cannot be used",
    "triggers.misfit": "What came in does not fit",
    "governor": "It was stopped before it could end",
}
# Errors whose sentence is meant for whoever can mend them.
_TELLING = frozenset({"lpr.bad-settings", "script.bad-settings", "judgment.blocked", "triggers.misfit"})
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")


def title_of(trigger: str) -> str:
    """``ContactTrigger.score_new_leads`` as ``Score new leads``."""
    words = _WORDS.findall(trigger.rpartition(".")[2]) or [trigger]
    return " ".join([words[0].capitalize(), *(word.lower() for word in words[1:])])


def records_of(count: int, obj: str) -> str:
    """``3 contacts``; an object that is no plain word is a record."""
    noun = " ".join(word.lower() for word in _WORDS.findall(obj)) or "record"
    if count != 1 and noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return plural(count, noun)


def pill_of(execution: Execution) -> Said:
    """How it stands."""
    if execution.next_attempt_at and execution.status == ExecutionStatus.QUEUED and execution.attempts:
        return RETRY
    return STATUSES.get(ExecutionStatus(execution.status), Said("quiet", "·", str(execution.status)))


def line_of(execution: Execution, entries: Iterable[Mapping[str, Any]] = ()) -> str:
    """One sentence: what it did or why not. ``entries`` are its log, with the shipped agents' figures."""
    what = records_of(execution.size, execution.object)
    title = title_of(execution.trigger)
    status = execution.status
    if status == ExecutionStatus.QUEUED:
        if execution.attempts and execution.error_code:
            return f"{cause_of(execution)}; it will be tried again."
        return f"{title}: {what} waiting for a turn."
    if status == ExecutionStatus.RUNNING:
        return f"{title}: working on {what} now."
    if status == ExecutionStatus.BISECTED:
        return f"{title}: split {what} in two to find the one that fails."
    if status == ExecutionStatus.CANCELLED:
        return f"{title}: cancelled before it ran."
    if status == ExecutionStatus.FAILED:
        return f"{cause_of(execution)}. Nothing was changed for {what}."
    done = _figures(execution, entries)
    if status == ExecutionStatus.PARTIAL:
        count = records_of(execution.failed, execution.object)
        return f"{done or f'{title}: {execution.ok:,} of {what} done'}; {count} failed."
    if done:
        return f"{done}."
    if execution.skipped and execution.skipped == execution.size:
        return f"{title}: looked at {what}, nothing to do."
    return f"{title}: {what} done."


def cause_of(execution: Execution) -> str:
    """Why it failed, without its last full stop."""
    if execution.limit_name:
        label = LIMITS.get(execution.limit_name, (execution.limit_name.replace("_", " "), ""))[0]
        return f"Stopped at a limit ({label if label[:2].isupper() else label.lower()})"
    code = execution.error_code
    cause = _CAUSES.get(code) or _CAUSES.get(code.partition(".")[0]) or "The agent's script failed"
    if code in _TELLING and execution.error_detail:
        detail = " ".join(execution.error_detail.split()).rstrip(".")
        return f"{cause}: {detail[:LONGEST_DETAIL]}"
    return cause


def _figures(execution: Execution, entries: Iterable[Mapping[str, Any]]) -> str:
    """The figures that the shipped agents log, in words."""
    for entry in entries:
        data = entry.get("data")
        if not isinstance(data, dict):
            continue
        if entry.get("message") == "scored" and _are_numbers(data, "leads", "hot"):
            verb = "Would score" if execution.mode == Mode.DRY else "Scored"
            hot = f"{data['hot']:,} hot" if data["hot"] else "none hot"
            return f"{verb} {plural(data['leads'], 'lead')}: {hot}"
        if entry.get("message") == "outcomes recorded" and _are_numbers(data, "won", "lost"):
            return f"Noted opportunities: {data['won']:,} won, {data['lost']:,} lost"
    return ""


def _are_numbers(data: Mapping[str, Any], *names: str) -> bool:
    return all(type(data.get(name)) is int for name in names)
