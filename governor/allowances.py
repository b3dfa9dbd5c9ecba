"""What a tenant may use over time, and its share of the machine: each defined here, once.

A quota parks the next execution; a limit (``governor.limits``) stops one.
"""

from __future__ import annotations

from dataclasses import dataclass

UNLIMITED = 10**15
DAYS_A_MONTH = 30  # a month's quota is so many days' unless it is set


@dataclass(frozen=True, slots=True)
class Allowance:
    """One value of a tenant. ``default`` holds where neither tier nor override says more."""

    name: str
    label: str
    unit: str
    default: int
    floor: int
    ceiling: int
    counted: str
    field: str = ""  # of the tier that sets it
    is_quota: bool = False
    is_judgment: bool = False  # of what is judged, and what may leave


ALLOWANCES: dict[str, Allowance] = {
    each.name: each
    for each in (
        Allowance(
            "executions_per_day",
            "Executions a day",
            "executions",
            100,
            0,
            UNLIMITED,
            "each live execution and each live replay; no retry, half of a batch, dry run, echo, test event, "
            "or batch of which when= wanted no record",
            field="executions_per_day",
            is_quota=True,
        ),
        Allowance(
            "api_calls_per_day",
            "API calls a day",
            "requests",
            1_000,
            0,
            UNLIMITED,
            "each request that is sent: callouts of live executions and their retries, model attempts, "
            "enrichment, and each request that writes to a CRM",
            field="api_calls_per_day",
            is_quota=True,
        ),
        Allowance(
            "executions_per_month",
            "Executions a month",
            "executions",
            100 * DAYS_A_MONTH,
            0,
            UNLIMITED,
            "as by day; 30 times the day's unless it is set",
            field="executions_per_month",
            is_quota=True,
        ),
        Allowance(
            "api_calls_per_month",
            "API calls a month",
            "requests",
            1_000 * DAYS_A_MONTH,
            0,
            UNLIMITED,
            "as by day; 30 times the day's unless it is set",
            field="api_calls_per_month",
            is_quota=True,
        ),
        Allowance(
            "ai_tokens_per_day",
            "AI tokens a day",
            "tokens",
            UNLIMITED,
            0,
            UNLIMITED,
            "prompt and answer of live executions; one that starts holds its limit, or what is left",
            field="ai_tokens_per_day",
            is_quota=True,
        ),
        Allowance(
            "concurrent_executions",
            "Executions at the same time",
            "lanes",
            4,
            1,
            64,
            "lanes of the tenant that workers serve at the same time",
            field="concurrent_executions",
        ),
        Allowance(
            "weight",
            "Weight",
            "turns",
            1,
            1,
            100,
            "how often its lanes are served beside another tenant's",
            field="weight",
        ),
        Allowance(
            "ingest_rate",
            "Webhook events a second",
            "events",
            5_000,
            1,
            1_000_000,
            "events taken in, by web process; beyond it 429 with Retry-After",
        ),
        Allowance(
            "waiting_events",
            "Events that may wait",
            "events",
            1_000_000,
            1,
            100_000_000,
            "events stored and not finished; beyond it 429 with Retry-After",
        ),
        Allowance(
            "parked_days",
            "Days that parked events are kept",
            "days",
            30,
            1,
            365,
            "a parked event older than that, for whatever reason it waits, is listed as expired",
        ),
        Allowance(
            "judgment_flag",
            "Judgment: risk that is noted",
            "percent",
            30,
            10,
            50,
            "a record, or a text for a model, of this risk goes on, and its trace says why",
            is_judgment=True,
        ),
        Allowance(
            "judgment_quarantine",
            "Judgment: risk that is quarantined",
            "percent",
            50,
            30,
            80,
            "a record of this risk is kept and not run until somebody releases it; no model is asked",
            is_judgment=True,
        ),
        Allowance(
            "judgment_block",
            "Judgment: risk that is blocked",
            "percent",
            70,
            50,
            95,
            "as quarantined, and told as blocked",
            is_judgment=True,
        ),
        Allowance(
            "effects",
            "Effects leave",
            "",
            1,
            0,
            1,
            "0 is the kill switch, for the platform, a tier or a tenant: callouts, questions to models and"
            " writes to CRMs wait, in order, until it is 1 again; a 1 further down lifts no 0 above it",
            is_judgment=True,
        ),
    )
}
QUOTAS = tuple(name for name, each in ALLOWANCES.items() if each.is_quota)


def quantity(name: str, value: int) -> str:
    """``1,000``, or ``unlimited``."""
    return "unlimited" if value >= UNLIMITED else f"{value:,}"
