"""Usage as a file to download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse

from triggers.usage_report import Days, file_name, usage_csv

if TYPE_CHECKING:
    from tenants.models import Tenant


def csv_file(tenant: Tenant, days: Days) -> HttpResponse:
    """The days as CSV. Raises ``BadFilter`` when there are too many lines."""
    return HttpResponse(
        usage_csv(tenant, days),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name(tenant, days)}"'},
    )
