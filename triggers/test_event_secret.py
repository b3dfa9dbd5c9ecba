"""Test events of the CRMs that prove themselves by a shared secret."""

from __future__ import annotations

import base64
import json
import secrets as random
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from xml.sax.saxutils import escape

from tenants.choices import CRM
from tenants.errors import CodedError
from triggers.crm import proof

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tenants.models import Connection
    from triggers.delivery_connections import Hook

PERSON = {"first": "Test", "last": "Lead", "email": "test.lead@example.com", "phone": "+13035550100"}
_NO_ACCOUNT = "1"


class CannotTest(CodedError):
    """The connection cannot take a test event as it is."""

    code = "triggers.cannot-test"
    status = 409


def made(connection: Connection, hook: Hook, *, at: datetime) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a new contact. Raises ``CannotTest``."""
    headers = {}
    if hook.senders:
        headers[proof.PEER] = str(hook.senders[0].network_address)
    is_workflow = connection.is_workflow
    body = _workflow if is_workflow else BODIES[connection.crm]
    sign = _in_header if is_workflow else _SIGNERS[connection.crm]
    secret = secret_of(hook) if hook.secrets or not hook.senders else ""
    document = body(connection, at, secret)
    sent = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
    return sent, {**headers, **(sign(secret) if secret else {})}


def secret_of(hook: Hook) -> str:
    """The secret to prove a delivery with. Raises ``CannotTest``."""
    if not hook.secrets:
        raise CannotTest("The connection has no secret yet; add one, then send a test event.")
    return hook.secrets[0]


def _workflow(connection: Connection, at: datetime, secret: str) -> Any:
    return {
        "contact_id": f"test-{uuid4().hex[:12]}",
        "first_name": PERSON["first"],
        "last_name": PERSON["last"],
        "email": PERSON["email"],
        "phone": PERSON["phone"],
        "date_created": at.isoformat(),
        "contact_source": "test event",
        "location": {"id": connection.account_id or "test-location"},
        "workflow": {"id": "test", "name": "Test event"},
        "customData": {"idempotency_key": str(uuid4()), "type": "ContactCreate"},
    }


def _salesforce(connection: Connection, at: datetime, secret: str) -> bytes:
    fields = {
        "Id": f"003{uuid4().hex[:12]}",
        "FirstName": PERSON["first"],
        "LastName": PERSON["last"],
        "Email": PERSON["email"],
        "Phone": PERSON["phone"],
        "MailingPostalCode": "80202",
        "LeadSource": "test event",
        "CreatedDate": at.isoformat(),
        "LastModifiedDate": at.isoformat(),
    }
    record = "".join(f"<sf:{name}>{escape(value)}</sf:{name}>" for name, value in fields.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{escape(connection.account_id or '00D000000000001')}</OrganizationId>"
        f"<Notification><Id>04l{uuid4().hex[:12]}</Id>"
        f'<sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{record}</sObject>'
        "</Notification></notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def _pipedrive(connection: Connection, at: datetime, secret: str) -> Any:
    record_id = 9 * 10**14 + random.randbelow(10**14)  # above the ids that Pipedrive gives
    return {
        "meta": {
            "action": "create",
            "entity": "person",
            "entity_id": str(record_id),
            "company_id": connection.account_id or _NO_ACCOUNT,
            "id": str(uuid4()),
            "timestamp": at.isoformat(),
            "version": "2.0",
            "attempt": 1,
        },
        "data": {
            "id": record_id,
            "first_name": PERSON["first"],
            "last_name": PERSON["last"],
            "emails": [{"value": PERSON["email"], "primary": True}],
            "phones": [{"value": PERSON["phone"], "primary": True}],
            "add_time": at.isoformat(),
        },
        "previous": None,
    }


def _zoho(connection: Connection, at: datetime, secret: str) -> Any:
    record_id = str(9 * 10**17 + random.randbelow(10**17))
    values = {"First_Name": PERSON["first"], "Last_Name": PERSON["last"], "Email": PERSON["email"]}
    return {
        "server_time": int(at.timestamp() * 1000),
        "module": "Contacts",
        "operation": "insert",
        "ids": [record_id],
        "affected_fields": [{record_id: list(values)}],
        "affected_values": [{"record_id": record_id, "values": values}],
        "channel_id": connection.account_id or _NO_ACCOUNT,
        "token": secret,
    }


def _in_header(secret: str) -> dict[str, str]:
    return {proof.HEADER: secret}


def _basic(secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def _in_body(secret: str) -> dict[str, str]:
    return {}


BODIES: dict[str, Callable[[Connection, datetime, str], Any]] = {
    CRM.SALESFORCE.value: _salesforce,
    CRM.PIPEDRIVE.value: _pipedrive,
    CRM.ZOHO.value: _zoho,
}
_SIGNERS: dict[str, Callable[[str], dict[str, str]]] = {
    CRM.SALESFORCE.value: _in_header,
    CRM.PIPEDRIVE.value: _basic,
    CRM.ZOHO.value: _in_body,
}
