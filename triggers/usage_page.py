"""What the portal's usage page shows, made ready for its template."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from governor.calendar import day_of, month_of, zone
from governor.models import Notice
from governor.quotas import WORDS
from tenants.scope import tenant_scope
from triggers import parked_estimate, usage_report, usage_words
from triggers.limits_report import rows
from triggers.quota_report import QuotaReport, quota_report
from triggers.usage_chart import chart
from triggers.usage_report import Days, Sums

if TYPE_CHECKING:
    from datetime import datetime

    from governor.choices import Period
    from tenants.models import Tenant
    from triggers.quota_report import Meter, PeriodReport

CHART_DAYS = 30
MOST_TRIGGERS = 20
MOST_NOTICES = 20
MOST_IN_LINE = 10
NOTICES_OF = timedelta(days=30)


def usage_page(tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """The page's context: a fixed number of queries, five more while events wait."""
    report = quota_report(tenant, at=at)
    today = day_of(at, report.timezone)
    month = Days(month_of(today), today)
    used = usage_report.by_trigger(tenant, month, most=MOST_TRIGGERS + 1)
    days = usage_report.by_day(tenant, Days(today - timedelta(days=CHART_DAYS - 1), today))
    return {
        "page": "usage",
        "tenant": tenant,
        "plan": report.tier,
        "timezone": report.timezone,
        "periods": [_period(report, report.day, "Today"), _period(report, report.month, "This month")],
        "parked": _parked(tenant, report) if report.parked else None,
        "upgrade": _upgrade(report),
        "chart": chart(days, allowed=report.day.meters["executions"].allowed),
        "days": [(f"{on:%a %-d %b}", _sums(sums)) for on, sums in reversed(days.items())],
        "triggers": [(name, _sums(sums)) for name, sums in used[:MOST_TRIGGERS]],
        "are_triggers_cut": len(used) > MOST_TRIGGERS,
        "has_ai": any(sums.ai_tokens for _, sums in used),
        "notices": _notices(tenant, report.timezone, at=at),
        "running": report.running,
        "lanes": report.allowances["concurrent_executions"].value,
        "limits": [{**row, "text": f"{row['value']:,} {row['unit']}".strip()} for row in rows(report.limits)],
    }


def _period(report: QuotaReport, period: PeriodReport, title: str) -> dict[str, Any]:
    ends = usage_words.moment(period.resets_at, report.timezone, at=report.at)
    return {
        "title": title,
        "reset": f"Resets {ends}, in {usage_words.span(period.resets_at - report.at)}",
        "meters": [
            _meter(meter, period.period, report)
            for meter in period.meters.values()
            # AI tokens are of no interest where they are neither limited nor used.
            if meter.resource != "ai_tokens" or meter.used or not meter.is_unlimited
        ],
    }


def _meter(meter: Meter, period: Period, report: QuotaReport) -> dict[str, Any]:
    tone = usage_words.tone(meter.percent)
    held = 0
    if not meter.is_unlimited and meter.allowed:
        held = max(0, min(100 - meter.percent, meter.held * 100 // meter.allowed))
    label = WORDS[meter.resource]
    return {
        "label": label[0].upper() + label[1:],
        "used": f"{meter.used:,}",
        "allowed": "" if meter.is_unlimited else f"{meter.allowed:,}",
        "percent": meter.percent,
        "share": min(100, meter.percent),
        "held": held,
        "held_text": f"{meter.held:,} held by what runs now" if meter.held else "",
        "tone": tone,
        "standing": usage_words.STANDINGS[tone],
        "outlook": usage_words.outlook(meter, period, timezone=report.timezone, at=report.at),
    }


def _parked(tenant: Tenant, report: QuotaReport) -> dict[str, Any]:
    parked = report.parked
    assert parked is not None
    first = parked_estimate.first_in_line(tenant.pk, most=MOST_IN_LINE)
    timezone, at = report.timezone, report.at
    count = f"{parked.events:,}{'+' if parked.is_cut else ''}"
    return {
        "title": "1 event waits" if count == "1" else f"{count} events wait",
        "sentence": usage_words.waiting(parked, timezone=timezone, at=at),
        "drained": usage_words.drained(
            parked.estimate, a_day=_a_day(report.day.meters["executions"]), timezone=timezone, at=at
        ),
        "kept_days": parked.kept_days,
        "groups": [
            (
                group.object,
                group.operation,
                group.events,
                usage_words.moment(group.oldest_at, timezone, at=at),
            )
            for group in parked.groups
        ],
        "first": [
            (name, operation, record, usage_words.moment(received_at, timezone, at=at))
            for name, operation, record, received_at in first
        ],
        "more": max(0, parked.events - len(first)),
    }


def _a_day(meter: Meter) -> str:
    return "unlimited executions" if meter.is_unlimited else f"{meter.allowed:,} executions"


def _upgrade(report: QuotaReport) -> dict[str, Any] | None:
    offer = report.upgrade
    if offer is None:
        return None
    asked = offer.request
    return {
        "name": offer.tier.name,
        "executions": f"{offer.tier.executions_per_day:,}",
        "api_calls": f"{offer.tier.api_calls_per_day:,}",
        "url": offer.url,
        "is_urgent": report.is_close,
        "asked": usage_words.moment(asked.requested_at, report.timezone, at=report.at) if asked else "",
        "asked_by": asked.requested_by if asked else "",
    }


def _notices(tenant: Tenant, timezone: str, *, at: datetime) -> list[dict[str, Any]]:
    with tenant_scope(tenant.pk):
        found = list(Notice.objects.filter(created_at__gt=at - NOTICES_OF).order_by("-pk")[:MOST_NOTICES])
    return [
        {
            "notice": notice,
            "at": usage_words.moment(notice.created_at, timezone, at=at),
            "sent": f"{notice.sent_at.astimezone(zone(timezone)):%-d %b, %H:%M}" if notice.sent_at else "",
        }
        for notice in found
    ]


def _sums(sums: Sums) -> dict[str, str]:
    return {
        "executions": f"{sums.executions:,}",
        "api_calls": f"{sums.api_calls:,}",
        "ai_tokens": f"{sums.ai_tokens:,}",
        "ai_cost": f"${sums.ai_cost_micros / 10**6:,.2f}",
    }
