"""The journal: a callout's intent is committed before it is sent, its answer before the script gets it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import msgspec
from django.db import connection

from governor.models import JournalEntry
from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_canonical = msgspec.msgpack.Encoder(order="sorted")

_EARLIER = """
SELECT fingerprint, occurrence, idempotency_key, answered_at IS NOT NULL
FROM public.governor_journalentry WHERE root = %s AND tenant_id = %s
"""
_INTEND = """
INSERT INTO public.governor_journalentry
    (tenant_id, root, execution, fingerprint, occurrence, op, idempotency_key, intended_at)
SELECT %s, %s, %s, new.fingerprint, new.occurrence, new.op, new.key, %s
FROM unnest(%s::text[], %s::smallint[], %s::text[], %s::uuid[]) AS new (fingerprint, occurrence, op, key)
ON CONFLICT (root, fingerprint, occurrence) DO UPDATE SET intended_at = excluded.intended_at
"""
_READ = """
SELECT answer FROM public.governor_journalentry WHERE root = %s AND fingerprint = %s AND occurrence = %s
"""
_ANSWER = """
UPDATE public.governor_journalentry entry
SET answered_at = %s, answer = new.answer
FROM unnest(%s::text[], %s::smallint[], %s::bytea[]) AS new (fingerprint, occurrence, answer)
WHERE entry.root = %s AND entry.fingerprint = new.fingerprint AND entry.occurrence = new.occurrence
"""
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Intent:
    """A callout that is about to be made. Its ``key`` stays the same however often it is sent."""

    op: str
    fingerprint: str
    occurrence: int
    key: UUID
    has_answer: bool = False  # of an earlier attempt


class Journal:
    """The callouts of one execution and of the attempts and halves that share its root."""

    def __init__(self, *, tenant_id: int, root: UUID, execution: UUID) -> None:
        self._tenant_id = tenant_id
        self._root = root
        self._execution = execution
        self._seen: Counter[str] = Counter()
        self._earlier: dict[tuple[str, int], tuple[UUID, bool]] | None = None

    def name(self, op: str, args: Mapping[str, Any], *, record: str = "") -> Intent:
        """The callout's name in the journal: what is asked, for which record, and the how-manieth time."""
        fingerprint = fingerprint_of(op, args, record=record)
        occurrence = self._seen[fingerprint]
        self._seen[fingerprint] += 1
        key, has_answer = self._known().get((fingerprint, occurrence)) or (uuid4(), False)
        return Intent(op, fingerprint, occurrence, key, has_answer)

    def earlier_answer(self, intent: Intent) -> dict[str, Any] | None:
        """What an earlier attempt was answered, if that may stand; a failure is worth another try."""
        if not intent.has_answer:
            return None
        with connection.cursor() as cursor:
            cursor.execute(_READ, [self._root, intent.fingerprint, intent.occurrence])
            rows = cursor.fetchall()
        if not rows or rows[0][0] is None:
            return None
        answer = _open(rows[0][0], self._context(intent))
        if "err" in answer:
            return None
        status = answer["ok"].get("status") if intent.op == "http" else None
        is_final = status is None or (status < 500 and status not in _WORTH_ANOTHER_TRY)
        return answer if is_final else None

    def intend(self, intents: Sequence[Intent]) -> None:
        """Commit what is about to be sent, in one statement."""
        with connection.cursor() as cursor:
            cursor.execute(
                _INTEND,
                [
                    self._tenant_id,
                    self._root,
                    self._execution,
                    datetime.now(UTC),
                    [intent.fingerprint for intent in intents],
                    [intent.occurrence for intent in intents],
                    [intent.op for intent in intents],
                    [intent.key for intent in intents],
                ],
            )

    def answer(self, answers: Sequence[tuple[Intent, Mapping[str, Any]]]) -> None:
        """Commit answers, sealed."""
        sealed = [
            seal(msgspec.msgpack.encode(answer), context=self._context(intent)) for intent, answer in answers
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                _ANSWER,
                [
                    datetime.now(UTC),
                    [intent.fingerprint for intent, _ in answers],
                    [intent.occurrence for intent, _ in answers],
                    sealed,
                    self._root,
                ],
            )

    def _known(self) -> dict[tuple[str, int], tuple[UUID, bool]]:
        if self._earlier is None:
            with connection.cursor() as cursor:
                cursor.execute(_EARLIER, [self._root, self._tenant_id])
                self._earlier = {
                    (fingerprint, occurrence): (key, has_answer)
                    for fingerprint, occurrence, key, has_answer in cursor.fetchall()
                }
        return self._earlier

    def _context(self, intent: Intent) -> str:
        return _context(self._tenant_id, self._root, intent.fingerprint, intent.occurrence)


def fingerprint_of(op: str, args: Mapping[str, Any], *, record: str = "") -> str:
    """SHA-256 of what is asked, and for which record; how long one would wait for it is no part of that.

    Without the record, a part of a split batch would take the answer of another part's record for its own,
    where a script asks the same for each.
    """
    asked = {name: value for name, value in args.items() if name != "timeout"}
    return hashlib.sha256(_canonical.encode([op, asked, record] if record else [op, asked])).hexdigest()


def place_of(fingerprint: str, occurrence: int) -> str:
    """Where an answer stands in its execution's journal, short enough for a trace."""
    return f"{fingerprint[:24]}:{occurrence}"


def read_answers(*, root: UUID) -> dict[tuple[str, int], dict[str, Any]]:
    """The journal of an earlier execution, for a run in recorded mode. Needs its tenant in scope."""
    rows = JournalEntry.objects.filter(root=root, answer__isnull=False).values_list(
        "tenant_id", "fingerprint", "occurrence", "answer"
    )
    return {
        (fingerprint, occurrence): _open(answer, _context(tenant_id, root, fingerprint, occurrence))
        for tenant_id, fingerprint, occurrence, answer in rows
    }


def _context(tenant_id: int, root: UUID, fingerprint: str, occurrence: int) -> str:
    return f"journal:{tenant_id}:{root}:{fingerprint}:{occurrence}"


def _open(answer: bytes | memoryview, context: str) -> dict[str, Any]:
    opened: dict[str, Any] = msgspec.msgpack.decode(unseal(answer, context=context))
    return opened
