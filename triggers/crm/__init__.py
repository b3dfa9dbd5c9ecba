"""One module for each CRM: verify a delivery, find its events, normalise them; and write back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.choices import CRM
from triggers.crm import gohighlevel, hubspot, hubspot_write, standard
from triggers.crm.adapter import BadSignature, Found, Normalised

if TYPE_CHECKING:
    from triggers.crm.adapter import Adapter
    from triggers.crm.writer import Writer

__all__ = ["ADAPTERS", "WRITERS", "BadSignature", "Found", "Normalised"]

ADAPTERS: dict[str, Adapter] = {
    CRM.GOHIGHLEVEL.value: gohighlevel,
    CRM.HUBSPOT.value: hubspot,
    CRM.STANDARD.value: standard,
}
WRITERS: dict[str, Writer] = {CRM.HUBSPOT.value: hubspot_write}
