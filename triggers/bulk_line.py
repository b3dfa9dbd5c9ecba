"""One line on what a replay of one execution takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from logs.vocabulary import plural
from triggers.bulk_preview import left_of

if TYPE_CHECKING:
    from datetime import datetime

    from triggers.models import Execution


def line_of(execution: Execution, *, at: datetime) -> str:
    """``3 records · 3 API calls the first time · Acme has 63 executions left today``: three queries."""
    parts = [plural(execution.size, "record")]
    used = (execution.usage.get("api_calls") or [0])[0]
    parts.append(f"{plural(int(used), 'API call')} the first time")
    with connection.cursor() as cursor:
        left, _ = left_of(cursor, execution.tenant_id, at=at)
    if left is not None:
        parts.append(f"{execution.tenant.name} has {plural(left, 'execution')} left today")
    return " · ".join(parts)
