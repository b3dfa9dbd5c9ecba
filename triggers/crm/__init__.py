"""One module for each CRM: verify a delivery, find its events, normalise them; and write back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.choices import CRM
from triggers.crm import (
    gohighlevel,
    gohighlevel_workflow,
    gohighlevel_write,
    hubspot,
    hubspot_write,
    pipedrive,
    salesforce,
    standard,
    zoho,
)
from triggers.crm.adapter import BadSignature, Found, Normalised

if TYPE_CHECKING:
    from triggers.crm.adapter import Adapter
    from triggers.crm.writer import Writer

__all__ = [
    "ADAPTERS",
    "WRITERS",
    "BadSignature",
    "Found",
    "Normalised",
    "account_of",
    "adapter_of",
    "is_signed",
]

ADAPTERS: dict[str, Adapter] = {
    CRM.GOHIGHLEVEL.value: gohighlevel,
    CRM.HUBSPOT.value: hubspot,
    CRM.STANDARD.value: standard,
    CRM.SALESFORCE.value: salesforce,
    CRM.PIPEDRIVE.value: pipedrive,
    CRM.ZOHO.value: zoho,
}
WRITERS: dict[str, Writer] = {
    CRM.GOHIGHLEVEL.value: gohighlevel_write,
    CRM.HUBSPOT.value: hubspot_write,
}
_UNSIGNED = frozenset({CRM.SALESFORCE.value, CRM.PIPEDRIVE.value, CRM.ZOHO.value})


def adapter_of(crm: str, *, is_workflow: bool = False) -> Adapter:
    """What takes a connection's deliveries: a workflow's are proven by a secret, never by a signature."""
    if is_workflow and crm == CRM.GOHIGHLEVEL:
        return gohighlevel_workflow
    return ADAPTERS[crm]


def account_of(crm: str, account_id: str) -> str:
    """The account as the CRM's events name it."""
    return salesforce.short(account_id) if crm == CRM.SALESFORCE else account_id


def is_signed(crm: str, kind: str) -> bool:
    """Whether a signature proved an event of this kind; else a shared secret did, which is worth less."""
    return crm not in _UNSIGNED and not kind.startswith(gohighlevel_workflow.KIND)
