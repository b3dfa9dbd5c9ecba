"""The first screen of a connection: its newest leads scored, and whether those it won would have been hot.

Dry: nothing is written to a record or to the CRM. The census is not asked; what is known of a ZIP code is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection as database
from psycopg2 import sql

from circuitos.agents.virtual_lpr import BadSettings, score
from governor import activity, enrichment
from tenants.errors import CodedError
from tenants.records.jsonb import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tenants.models import Connection

MOST = 500  # leads
BEST = 10  # of them are named

_NEWEST = """
SELECT external_id, data::text FROM {schema}.records_record
WHERE object = 'Contact' AND source = %s AND deleted_at IS NULL
ORDER BY data->>'created_at' DESC NULLS LAST, id DESC LIMIT %s
"""
_WON = """
SELECT DISTINCT data->>'contact_id' FROM {schema}.records_record
WHERE object = 'Opportunity' AND deleted_at IS NULL AND lower(data->>'status') = 'won'
  AND data->>'contact_id' = ANY(%s)
"""


class CannotScore(CodedError):
    """The tenant's scoring settings do not hold."""

    code = "triggers.cannot-score"
    status = 409


def screen(connection: Connection, *, at: datetime) -> dict[str, Any]:
    """Counts, and the ids of the best: nobody's name. Raises ``CannotScore``."""
    tenant = connection.tenant
    schema = sql.Identifier(tenant.schema_name)
    with database.cursor() as cursor:
        cursor.execute(sql.SQL(_NEWEST).format(schema=schema), [connection.crm, MOST])
        leads = [{**load(data), "id": external_id} for external_id, data in cursor.fetchall()]
        cursor.execute(sql.SQL(_WON).format(schema=schema), [[lead["id"] for lead in leads]])
        won = {contact_id for (contact_id,) in cursor.fetchall()}
        facts = _facts(cursor, tenant.schema_name, leads, at=at)
    try:
        rows: list[dict[str, Any]] = (
            score(leads, facts, settings=tenant.settings, now=at, timezone=tenant.timezone).rows
            if leads
            else []
        )
    except BadSettings as error:
        raise CannotScore(f"The settings of the scoring cannot be used: {error.detail}") from None
    grades: dict[str, int] = {}
    for row in rows:
        grade = str(row["lpr_grade"] or "")
        grades[grade] = grades.get(grade, 0) + 1
    best = sorted(rows, key=lambda row: (-(row["lpr_score"] or 0), row["id"]))[:BEST]
    return {
        "leads": len(rows),
        "hot": sum(bool(row["lpr_hot"]) for row in rows),
        "won": len(won),
        "won_hot": sum(bool(row["lpr_hot"]) for row in rows if row["id"] in won),
        "grades": grades,
        "best": [
            {"id": row["id"], "score": row["lpr_score"], "grade": row["lpr_grade"], "won": row["id"] in won}
            for row in best
        ],
    }


def _facts(
    cursor: Any, schema: str, leads: Sequence[Mapping[str, Any]], *, at: datetime
) -> dict[str, dict[str, Any]]:
    """What each lead did, as the mirror tells, and what is known here of its ZIP code."""
    codes = {
        str(lead["id"]): code
        for lead in leads
        if (code := enrichment.zip_of(lead.get("postal_code"), lead.get("country")))
    }
    wanted = sorted(set(codes.values()))
    known = enrichment.cached(cursor, "census", wanted, at=at)
    places = enrichment.combine(wanted, known, enrichment.Live(), base_url="").facts
    facts: dict[str, dict[str, Any]] = {
        record_id: {activity.SOURCE: told}
        for record_id, told in activity.facts(cursor, schema=schema, records=leads, at=at).items()
    }
    for record_id, code in codes.items():
        if place := places.get(code):
            facts.setdefault(record_id, {})["census"] = place
    return facts
