"""One module for each CRM: verify a delivery, find its events, normalise them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.choices import CRM
from triggers.crm import gohighlevel, hubspot, standard
from triggers.crm.adapter import BadSignature, Found, Normalised

if TYPE_CHECKING:
    from triggers.crm.adapter import Adapter

__all__ = ["ADAPTERS", "BadSignature", "Found", "Normalised"]

ADAPTERS: dict[str, Adapter] = {
    CRM.GOHIGHLEVEL.value: gohighlevel,
    CRM.HUBSPOT.value: hubspot,
    CRM.STANDARD.value: standard,
}
