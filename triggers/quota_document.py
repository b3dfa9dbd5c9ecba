"""The API's document of a quota report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from governor.models import UpgradeRequest
    from triggers.quota_report import Meter, Parked, PeriodReport, QuotaReport, Upgrade

MOST_RUNS = 31  # days of an estimate that are told one by one


def quota_document(report: QuotaReport, *, tenant: str, tier: str) -> dict[str, Any]:
    """What ``GET quota/`` answers. None as an allowed amount: there is no limit."""
    return {
        "tenant": tenant,
        "tier": tier,
        "timezone": report.timezone,
        "is_over": report.refusal is not None,
        "reason": report.refusal.sentence if report.refusal else "",
        "today": _period(report.day),
        "month": _period(report.month),
        "concurrency": {
            "running": report.running,
            "allowed": report.allowances["concurrent_executions"].value,
        },
        "weight": report.allowances["weight"].value,
        "parked": _parked(report.parked) if report.parked else None,
        "upgrade": _upgrade(report.upgrade) if report.upgrade else None,
    }


def request_document(asked: UpgradeRequest) -> dict[str, Any]:
    """A tenant's wish for another plan."""
    return {
        "id": str(asked.code),
        "tier": asked.tier_id,
        "status": asked.status,
        "requested_by": asked.requested_by,
        "requested_at": asked.requested_at,
    }


def _period(period: PeriodReport) -> dict[str, Any]:
    meters = {name: _meter(meter) for name, meter in period.meters.items()}
    return {
        "starts_on": period.starts_on,
        "starts_at": period.starts_at,
        "resets_at": period.resets_at,
        **meters,
    }


def _meter(meter: Meter) -> dict[str, Any]:
    expected = meter.forecast
    return {
        "used": meter.used,
        "held": meter.held,
        "allowed": None if meter.is_unlimited else meter.allowed,
        "left": None if meter.is_unlimited else meter.left,
        "percent": None if meter.is_unlimited else meter.percent,
        "forecast": {"expected": expected.expected, "exhausted_at": expected.exhausted_at}
        if expected
        else None,
    }


def _parked(parked: Parked) -> dict[str, Any]:
    runs = parked.estimate.runs[:MOST_RUNS]
    return {
        "reason": parked.reason,
        "since": parked.since,
        "until": parked.until,
        "events": parked.events,
        "is_cut": parked.is_cut,
        "oldest_at": parked.oldest_at,
        "waiting": [
            {
                "object": group.object,
                "operation": group.operation,
                "events": group.events,
                "oldest_at": group.oldest_at,
            }
            for group in parked.groups
        ],
        "estimate": {
            "executions": parked.estimate.executions,
            "executions_at_best": parked.estimate.at_best,
            "runs": [{"on": run.on, "executions": run.executions} for run in runs],
            "done_at": parked.estimate.done_at,
        },
    }


def _upgrade(upgrade: Upgrade) -> dict[str, Any]:
    return {
        "tier": upgrade.tier.slug,
        "name": upgrade.tier.name,
        "executions_per_day": upgrade.tier.executions_per_day,
        "api_calls_per_day": upgrade.tier.api_calls_per_day,
        "url": upgrade.url,
        "requested": request_document(upgrade.request) if upgrade.request else None,
    }
