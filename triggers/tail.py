"""The live tail: executions as they come and as they end, with what they logged.

A watcher hands back the cursor it got. It names the newest execution seen, those seen shortly before it
(a key is drawn before its row is committed, so an older one may appear late), and those not ended yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logs import entries
from logs.vocabulary import status_of
from tenants.errors import CodedError
from tenants.models import Tenant
from triggers import history
from triggers.choices import FINISHED, ExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.models import Execution

MOST = 200  # executions looked at at once
REACH = 60  # keys before the newest seen that may still appear
MOST_OPEN = 200
LARGEST = 2**63 - 1
LONGEST = 200
STATUSES = (*ExecutionStatus.values, "with-errors")


class BadTail(CodedError):
    """The tail cannot be watched like this."""

    code = "triggers.bad-tail"


@dataclass(frozen=True)
class Wanted:
    """What a watcher wants to see."""

    tenant: Tenant | None = None
    trigger: str = ""
    status: str = ""
    level: str = ""
    text: str = ""

    @property
    def is_of_lines(self) -> bool:
        return bool(self.level or self.text)


@dataclass(frozen=True)
class Cursor:
    """Where a watcher stands."""

    last: int = 0
    seen: frozenset[int] = frozenset()
    still_open: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return "~".join(
            (str(self.last), *(".".join(map(str, sorted(keys))) for keys in (self.seen, self.still_open)))
        )


@dataclass(frozen=True)
class Row:
    """An execution with the lines that were asked for."""

    execution: Execution
    lines: list[entries.Entry] = field(default_factory=list)

    @property
    def word(self) -> str:
        return status_of(self.execution)


@dataclass(frozen=True)
class Look:
    """What came since the last look, oldest first; ``is_behind``: more came than was looked at."""

    came: list[Row]
    ended: list[Row]
    cursor: Cursor
    is_behind: bool = False


def wanted(query: Mapping[str, Any]) -> Wanted:
    """What a query string or a command line asks for. Raises ``BadTail``."""
    said = {
        name: str(query.get(name) or "").strip() for name in ("tenant", "trigger", "status", "level", "text")
    }
    if any("\x00" in text or len(text) > LONGEST for text in said.values()):
        raise BadTail(f"A filter has at most {LONGEST} characters, none of them NUL.")
    tenant = Tenant.objects.filter(slug=said["tenant"]).first() if said["tenant"] else None
    if said["tenant"] and tenant is None:
        raise BadTail(f"There is no tenant {said['tenant']!r}.")
    if said["status"] and said["status"] not in STATUSES:
        raise BadTail(f"{said['status']!r} is no status; write one of {', '.join(STATUSES)}.")
    if said["level"] and said["level"] not in entries.LEVELS:
        raise BadTail(f"{said['level']!r} is no level; write one of {', '.join(entries.LEVELS)}.")
    return Wanted(tenant, said["trigger"], said["status"], said["level"], said["text"])


def cursor_of(text: str) -> Cursor:
    """The cursor a watcher handed back. Raises ``BadTail``."""
    try:
        last, *rest = text.split("~")
        seen, still_open = (
            frozenset(int(part) for part in keys.split(".")[:MOST_OPEN] if part) for keys in rest
        )
        found = Cursor(int(last), seen, still_open)
    except ValueError:
        raise BadTail("The tail's cursor is not one of ours; reload the page.") from None
    if not all(0 <= key <= LARGEST for key in (found.last, *seen, *still_open)):
        raise BadTail("The tail's cursor is not one of ours; reload the page.")
    return found


def begin(asked: Wanted, *, most: int, query: str = "") -> Look:
    """The newest that fit, and a cursor from there."""
    found = _in_scope(asked)
    if asked.status == "with-errors":
        shown = found.filter(status=ExecutionStatus.SUCCEEDED, with_errors=True)
    else:
        shown = found.filter(status=asked.status) if asked.status else found
    if query:
        shown = shown.filter(history.matching(query))
    newest = list(found.order_by("-pk").values_list("pk", "status")[:MOST])
    last = newest[0][0] if newest else 0
    at_most = MOST if asked.is_of_lines else most
    rows = _rows(list(shown.filter(pk__lte=last).order_by("-pk")[:at_most]), asked)[:most]
    cursor = Cursor(
        last,
        frozenset(pk for pk, _ in newest if pk > last - REACH),
        frozenset(pk for pk, status in newest if status not in FINISHED),
    )
    return Look(rows[::-1], [], cursor)


def look(asked: Wanted, cursor: Cursor, *, query: str = "") -> Look:
    """What came and what ended since the cursor was given: three queries."""
    found = _in_scope(asked)
    if query:
        found = found.filter(history.matching(query))
    later = found.filter(pk__gt=cursor.last - REACH).exclude(pk__in=cursor.seen | cursor.still_open)
    # From the newest: a watcher that fell behind sees what happens now.
    came = list(later.order_by("-pk")[:MOST])[::-1]
    ended = list(found.filter(pk__in=cursor.still_open, status__in=FINISHED).order_by("pk"))
    last = max([cursor.last, *(one.pk for one in came)])
    seen = {pk for pk in cursor.seen | {one.pk for one in came} if pk > last - REACH}
    still_open = cursor.still_open - {one.pk for one in ended}
    still_open |= {one.pk for one in came if one.status not in FINISHED}
    rows = {row.execution.pk: row for row in _rows([*came, *ended], asked) if _has_status(row, asked)}
    return Look(
        [rows[one.pk] for one in came if one.pk in rows],
        [rows[one.pk] for one in ended if one.pk in rows],
        Cursor(last, frozenset(seen), frozenset(sorted(still_open)[-MOST_OPEN:])),
        is_behind=len(came) == MOST,
    )


def _in_scope(asked: Wanted) -> Any:
    found = history.executions()
    if asked.tenant is not None:
        found = found.filter(tenant=asked.tenant)
    return found.filter(trigger=asked.trigger) if asked.trigger else found


def _has_status(row: Row, asked: Wanted) -> bool:
    return not asked.status or asked.status in (row.word, row.execution.status)


def _rows(executions: list[Execution], asked: Wanted) -> list[Row]:
    """The executions with their lines; when lines are asked for, only those that have one."""
    finished = [one for one in executions if one.status in FINISHED]
    if not finished:
        lines = {}
    else:
        since = min(one.started_at or one.created_at for one in finished)
        codes = [one.code for one in finished]
        lines = entries.of(codes, since=since, level=asked.level or "debug", text=asked.text)
    rows = [Row(one, lines.get(one.code, [])) for one in executions]
    if not asked.is_of_lines:
        return rows
    needle = asked.text.lower()
    return [
        row
        for row in rows
        if row.lines
        or (
            needle
            and not asked.level
            and needle in f"{row.execution.trigger} {row.execution.error_code}".lower()
        )
    ]
