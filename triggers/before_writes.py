"""``before`` triggers: asked about our own writes of a CRM's records, which they may change or stop.

They are asked when a handler has returned and before anything of it is stored, so what they say holds for the
mirror and for the CRM alike. What they write themselves passes them too, one level deeper.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from governor import within
from governor.changes import Changes
from governor.job import RunResult
from governor.verdict import LEASE_LOST
from tenants.records import query
from triggers import outbox
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from governor.job import Job, RunError
    from governor.policy import Policy
    from tenants.records.store import Change
    from triggers.config import Configuration, Wanted

    Key = tuple[str, str]  # object, id

FAILED = "triggers.before-failed"
TIMING = "before"
_OPERATIONS = ("insert", "update", "delete")
# They decide about writes; they do not reach out, so nothing is sent for a write that another one stops.
_NO_REACH = {"api_calls": 0, "ai_tokens": 0}
_MISSED = ("skipped", "when")  # the outcome of a record that its ``when=`` did not want


def are_due(result: RunResult, configuration: Configuration) -> bool:
    """Whether any trigger could have a say in what was asked for. Costs no query."""
    objects = {change.object for change in result.changes if outbox.is_of_crm(change.object)}
    known = configuration.registry
    return any(known.for_event(obj, operation, TIMING) for obj in objects for operation in _OPERATIONS)


def ask(
    cursor: Any,
    job: Job,
    result: RunResult,
    *,
    configuration: Configuration,
    policy: Policy,
    run: Callable[[Job], RunResult],
) -> RunResult:
    """The result with its writes as the ``before`` triggers leave them; failed when one of them fails."""
    asking = _Asking(
        cursor=cursor, job=job, result=result, configuration=configuration, policy=policy, run=run
    )
    error = asking.about(result.changes, depth=job.depth + 1)
    whole = asking.result
    if error is not None and error.code == LEASE_LOST:
        return RunResult(error=error)
    if error is not None:
        # As of any failure: said is only what became of records that never reached the handler.
        left_out = {
            record_id: said
            for record_id, said in whole.outcomes.items()
            if said[0] == "quarantined" or said[:2] == _MISSED
        }
        return replace(whole, error=error, changes=[], outcomes=left_out)
    return replace(whole, changes=asking.changes())


class _Asking:
    """One execution's writes, while they are asked about."""

    def __init__(
        self,
        *,
        cursor: Any,
        job: Job,
        result: RunResult,
        configuration: Configuration,
        policy: Policy,
        run: Callable[[Job], RunResult],
    ) -> None:
        self.result = result
        self._cursor = cursor
        self._job = job
        self._configuration = configuration
        self._policy = policy
        self._run = run
        self._pending = Changes()
        self._stopped: set[Key] = set()
        _lay(self._pending, result.changes)

    def changes(self) -> list[Change]:
        return [each for each in self._pending.as_list() if (each.object, each.id) not in self._stopped]

    def about(self, changes: Sequence[Change], *, depth: int) -> RunError | None:
        """Ask about these; then, one level deeper, about what the triggers wrote."""
        made: list[Change] = []
        operations = {(each.object, each.id): each.operation for each in self._pending.as_list()}
        for obj in dict.fromkeys(each.object for each in changes if outbox.is_of_crm(each.object)):
            keys = list(dict.fromkeys(each.id for each in changes if each.object == obj))
            images = query.get(self._cursor, schema=self._job.schema, object=obj, ids=keys)
            for operation in _OPERATIONS:
                ids = [key for key in keys if _plain(operations.get((obj, key)), key in images) == operation]
                for wanted in self._wanted(obj, operation) if ids else ():
                    for batch in _chunks(ids, wanted.spec.batch_size):
                        ran = self._ask(wanted, batch, images, operation=operation, depth=depth)
                        if ran is None:
                            continue
                        if ran.error is not None:
                            return _told(wanted.spec.name, ran.error)
                        made += ran.changes
        if not made:
            return None
        _lay(self._pending, made)
        self._stopped -= {(each.object, each.id) for each in made}
        return self.about(made, depth=depth + 1)

    def _wanted(self, obj: str, operation: str) -> tuple[Wanted, ...]:
        return self._configuration.wanted(
            self._cursor, tenant_id=self._job.tenant_id, obj=obj, operation=operation, timing=TIMING
        )

    def _ask(
        self,
        wanted: Wanted,
        ids: Sequence[str],
        images: dict[str, dict[str, Any]],
        *,
        operation: str,
        depth: int,
    ) -> RunResult | None:
        """Run one trigger over these writes, and heed what it says of each."""
        spec, obj = wanted.spec, wanted.spec.object
        ids = [record_id for record_id in ids if (obj, record_id) not in self._stopped]
        if not ids or self._configuration.is_paused(
            self._cursor, tenant_id=self._job.tenant_id, trigger=spec.name
        ):
            return None
        limits = {
            name: each.value for name, each in self._policy.limits(spec.name, declared=spec.limits).items()
        }
        ran = self._run(
            replace(
                self._job,
                spec=spec,
                object=obj,
                operation=operation,
                timing=TIMING,
                records=[self._record(obj, record_id, images.get(record_id)) for record_id in ids],
                olds=[images.get(record_id) for record_id in ids],
                old_known=[record_id in images for record_id in ids],
                limits=limits | _NO_REACH,
                depth=depth,
                settings=wanted.settings,
                recorded=None,
            )
        )
        self.result = within.joined(self.result, ran, span=f"before: {spec.name}")
        if ran.error is None:
            for record_id, fields in ran.fields.items():
                if operation != "delete":
                    self._pending.add(obj, "update", record_id, fields)
            for record_id, (status, reason, _) in ran.outcomes.items():
                self._heed(spec.name, obj, record_id, status, reason)
        return ran

    def _heed(self, name: str, obj: str, record_id: str, status: str, reason: str) -> None:
        if status == "ok" or (status, reason) == _MISSED:
            return
        self._stopped.add((obj, record_id))
        has_failed = status != "skipped"
        message = f"{name} stopped the write of {obj} {record_id}: {reason}"
        entry = {"level": "warning" if has_failed else "info", "message": message, "data": None, "at": None}
        outcomes = dict(self.result.outcomes)
        if has_failed and obj == self._job.object and record_id in outcomes:
            outcomes[record_id] = ("failed", f"{name}: {reason}", None)
        self.result = replace(
            self.result, entries=[*self.result.entries, {**entry, "line": ""}], outcomes=outcomes
        )

    def _record(self, obj: str, record_id: str, image: dict[str, Any] | None) -> dict[str, Any]:
        """The record as it will be."""
        row = {**dict.fromkeys(FIELDS.get(obj, ())), **(image or {}), "id": record_id}
        if image is None:
            return {**row, **(self._pending.new_row(obj, record_id) or {})}
        (laid,) = self._pending.overlay(obj, [row]) or [row]
        return laid


def _lay(pending: Changes, changes: Iterable[Change]) -> None:
    for each in changes:
        pending.add(each.object, each.operation, each.id, dict(each.fields))


def _plain(operation: str | None, is_known: bool) -> str | None:  # noqa: FBT001
    """An upsert is one of two."""
    if operation == "upsert":
        return "update" if is_known else "insert"
    return operation


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


def _told(name: str, error: RunError) -> RunError:
    """The trigger's error as its execution's: the limit was not that of the handler."""
    if error.code == LEASE_LOST and error.is_retryable:
        return error
    return replace(error, code=FAILED, detail=f"{name}, before the write: {error.detail}", limit="")
