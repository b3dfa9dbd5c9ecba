"""Launching: one execution becomes a job of the jail, under its tenant's limits, and then a result."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection

from governor import on_limit
from governor.job import Job, RunError, RunResult
from governor.limits import ON_LIMIT_BUDGET
from governor.quotas import OVER_QUOTA, Quota
from tenants.errors import CodedError
from triggers import before_writes, bisect, replay, settle
from triggers.choices import Mode
from triggers.rates import ErrorRates
from triggers.registry import UnknownTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from governor.policy import Policies
    from triggers.config import Configuration
    from triggers.lanes import Lease
    from triggers.registry import TriggerSpec
    from triggers.work import Member, Work

WORKER_LOST = "triggers.worker-lost"


class Launcher:
    """Runs the executions of one worker process."""

    def __init__(self, *, run: Callable[..., RunResult], policies: Policies) -> None:
        self._run = run
        self._policies = policies
        self._rates = ErrorRates()

    def launch(
        self,
        lease: Lease,
        current: Work,
        *,
        configuration: Configuration,
        zygote: Any,
        heartbeat: Callable[[], bool],
    ) -> RunResult:
        """Run the execution to its end, its trigger's last word included. Whatever it does, a result."""
        if current.losses > bisect.MOST_LOSSES:
            return not_run(WORKER_LOST, f"{current.losses} workers died while they ran it.")
        batch = [member for member in current.members if member.problem is None]
        if not batch:
            return RunResult()
        current.release = configuration.registry.release
        try:
            spec = configuration.registry.get(current.trigger)
        except UnknownTrigger as error:
            return not_run(error.code, str(error))
        job, lowered = self._job(lease, current, batch, spec, configuration)
        try:
            result = self._run(job, zygote=zygote, heartbeat=heartbeat)
            if result.error is None and before_writes.are_due(result, configuration):
                run = partial(self._run, zygote=zygote, heartbeat=heartbeat)
                with connection.cursor() as cursor:
                    policy = self._policies.of(cursor, lease.tenant_id)
                    return before_writes.ask(
                        cursor, job, result, configuration=configuration, policy=policy, run=run
                    )
        except CodedError as error:
            return not_run(error.code, str(error), is_retryable=True)
        if result.error is not None and result.error.limit in lowered:
            return _over_quota(result, result.error)
        if on_limit.is_due(spec, result) and _is_final(current, result):
            calls = _calls_left(current, result)
            return on_limit.add(job, result, calls=calls, run=self._run, zygote=zygote, heartbeat=heartbeat)
        return result

    def _job(
        self,
        lease: Lease,
        current: Work,
        batch: list[Member],
        spec: TriggerSpec,
        configuration: Configuration,
    ) -> tuple[Job, set[str]]:
        """What the broker runs, and the names of its limits that are lower only for want of quota."""
        tenant_id, trigger = lease.tenant_id, current.trigger
        with connection.cursor() as cursor:
            policy = self._policies.of(cursor, tenant_id)
            limits = {name: each.value for name, each in policy.limits(trigger, declared=spec.limits).items()}
            left = {"api_calls": current.held_calls, "ai_tokens": current.ai_tokens_left}
            given = {name: min(limits[name], most) for name, most in left.items()}
            quota = Quota.of(policy)
            # What a whole day has no room for is no matter of waiting: then it is a limit like any other.
            at_best = {
                "api_calls": quota.most_calls(limits["api_calls"]),
                "ai_tokens": min(limits["ai_tokens"], quota.ai_tokens_per_day),
            }
            is_live = current.mode == Mode.LIVE
            lowered = {name for name in given if is_live and given[name] < at_best[name]}
            job = Job(
                tenant_id=tenant_id,
                schema=lease.schema,
                tenant=lease.tenant,
                execution=current.code,
                root=current.root,
                spec=spec,
                release=current.release,
                mode=current.mode,
                object=lease.object,
                operation=current.operation,
                records=[member.record for member in batch],
                olds=[member.old for member in batch],
                old_known=[member.old_known for member in batch],
                limits=limits | (given if is_live else {}),
                depth=current.depth,
                seed=current.seed,
                now=current.now,
                error_rate=self._rates.of(cursor, tenant_id=tenant_id, trigger=trigger),
                settings=configuration.settings(cursor, tenant_id=tenant_id, trigger=trigger),
                thresholds=policy.thresholds,
                is_stopped=policy.is_stopped,
                recorded=replay.recorded(cursor, current) if current.mode == Mode.RECORDED else None,
            )
        return job, lowered


def not_run(code: str, detail: str, *, is_retryable: bool = False) -> RunResult:
    """The result of an execution that never reached its handler."""
    return RunResult(error=RunError(code=code, type="", detail=detail, is_retryable=is_retryable))


def _over_quota(result: RunResult, error: RunError) -> RunResult:
    """A limit that was lower only because the quota is nearly used up stops nothing: it waits."""
    detail = f"{error.detail} Its tenant's quota has no more left; it runs again when there is more."
    return replace(result, error=replace(error, code=OVER_QUOTA, detail=detail, is_retryable=True))


def _is_final(current: Work, result: RunResult) -> bool:
    """Whether it will be settled as it is: neither tried again nor split."""
    with connection.cursor() as cursor:
        ending = bisect.decide(current, result, family=partial(settle.family, cursor, current))
    return ending.retry_in is None and not ending.parts


def _calls_left(current: Work, result: RunResult) -> int:
    """Of the calls that a live execution holds; any other sends none that counts."""
    if current.mode != Mode.LIVE:
        return ON_LIMIT_BUDGET["api_calls"]
    return max(0, current.held_calls - int(result.usage.get("api_calls", (0, 0))[0]))
