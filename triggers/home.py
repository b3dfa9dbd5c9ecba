"""The console's first page: the last hour at a glance, what needs a person, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils.timezone import now

from governor.choices import RequestStatus
from governor.models import UpgradeRequest
from logs.vocabulary import AMBER_FROM, duration, plural, status_of, word
from triggers import figures, history, home_status, pulse_charts, releases, usage_view
from triggers.choices import ExecutionStatus
from triggers.models import Execution, Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART_WORDS = {"ok": "ok", "busy": "running"}
MOST_NEWEST = 8
MOST_TROUBLE = 6
MOST_PARKED = 5
MOST_NEAR = 5
MOST_LANES = 5_000  # parked ones counted by reason
MOST_ASKED = 100
TROUBLE_WITHIN = 20_000  # executions back from the newest; older trouble is found in the list
ERROR_RATE_GOAL = 0.001  # the service's goal for failed executions


def overview_page(*, parts: Mapping[str, str], span: str | None = None) -> dict[str, Any]:
    """The page's context for the tenants in scope: a fixed number of cheap queries.

    ``span`` is what the charts show, "24h" or "7d"; they are of all tenants.
    """
    at = now()
    hour = figures.overview(at)
    newest = list(history.executions().order_by("-pk")[:MOST_NEWEST])
    trouble = []
    if newest:
        trouble = list(
            history.executions()
            .filter(
                status__in=(ExecutionStatus.FAILED, ExecutionStatus.PARTIAL),
                pk__gt=newest[0].pk - TROUBLE_WITHIN,
            )
            .order_by("-pk")[:MOST_TROUBLE]
        )
    parked = list(
        Lane.objects.exclude(parked_reason="").select_related("tenant").order_by("-pk")[:MOST_PARKED]
    )
    newest_parked = Lane.objects.exclude(parked_reason="").order_by("-pk").values("pk")[:MOST_LANES]
    by_reason = (
        Lane.objects.filter(pk__in=newest_parked)
        .values_list("parked_reason")
        .annotate(lanes=Count("pk"))
        .order_by("-lanes")
    )
    asked = len(UpgradeRequest.objects.filter(status=RequestStatus.OPEN).values_list("pk")[:MOST_ASKED])
    times = figures.latency(at)
    reasons = list(by_reason)
    highest = max((total for total, _ in hour.buckets), default=0)
    return {
        "at": at,
        "pulse": pulse_charts.charts(span, at=at),
        "pulse_spans": list(pulse_charts.SPANS.values()),
        "p50_text": duration(times.p50),
        "p95_text": duration(times.p95),
        "p95_tone": "bad" if (times.p95 or 0) > figures.P95_GOAL_MS else "good",
        "slow_text": f"{times.slow:,} over 10 s" if times.slow else "none over 10 s",
        "parts": [(name, state, word(_PART_WORDS.get(state, "down"))) for name, state in parts.items()],
        "standing": home_status.standing(
            hour=hour, latency=times, parked=sum(lanes for _, lanes in reasons), parts=parts
        ),
        "hour": hour,
        "rate_text": f"{hour.error_rate:.1%}" if hour.executions else "–",
        "rate_tone": "bad" if hour.error_rate > ERROR_RATE_GOAL else "good",
        "executions_text": f"{hour.executions:,}",
        "records_text": f"{hour.records_ok:,}",
        "waiting_text": f"{hour.waiting:,}{'+' if hour.is_waiting_cut else ''}",
        "waiting_for": duration((at - hour.oldest_waiting_at).total_seconds() * 1000)
        if hour.oldest_waiting_at
        else "",
        "bars": [
            {
                "total": total,
                "failed": failed,
                "height": round(total / highest * 100) if highest else 0,
                "failed_share": round(failed / total * 100) if total else 0,
                "ago": (figures.BUCKETS - place) * 60 // figures.BUCKETS,
            }
            for place, (total, failed) in enumerate(hour.buckets)
        ],
        "newest": [execution_row(execution) for execution in newest],
        "trouble": [execution_row(execution) for execution in trouble],
        "parked": parked,
        "parked_by_reason": [(reason, plural(lanes, "lane")) for reason, lanes in reasons],
        "release": releases.release_of("live"),
        "near": usage_view.nearest(at=at, most=MOST_NEAR, above=AMBER_FROM),
        "asked_text": f"{plural(asked, 'upgrade request')} open" if asked else "",
        "triggers": [
            {
                "name": name,
                "figures": seen,
                "slowest": duration(seen.slowest_ms),
                "rate": f"{seen.error_rate:.1%}",
            }
            for name, seen in sorted(hour.by_trigger.items(), key=lambda item: -(item[1].slowest_ms or 0))
        ],
    }


def execution_row(execution: Execution) -> dict[str, Any]:
    """An execution as short lists show it (``console/_row.html``)."""
    return {
        "code": execution.code,
        "trigger": execution.trigger,
        "tenant": execution.tenant,
        "word": word(status_of(execution)),
        "why": execution.error_code or execution.limit_name,
        "ok": execution.ok,
        "size": execution.size,
        "took": duration(execution.wall_ms),
        "at": execution.started_at or execution.created_at,
    }
