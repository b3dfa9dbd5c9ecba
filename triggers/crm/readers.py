"""The CRMs whose records we can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.choices import CRM
from triggers.crm import gohighlevel_read, hubspot_read

if TYPE_CHECKING:
    from triggers.crm.reader import Reader

READERS: dict[str, Reader] = {
    CRM.GOHIGHLEVEL.value: gohighlevel_read,
    CRM.HUBSPOT.value: hubspot_read,
}
