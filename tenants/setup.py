"""Setting a tenant up in one go: schema, owner, token and connections, from a description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenants import audit
from tenants.choices import CRM, Role
from tenants.connections import (
    BadConnection,
    connect,
    makes_secret,
    new_secret,
    set_credentials,
    signing_secrets,
)
from tenants.lending import lend
from tenants.members import invite
from tenants.provision import BadTenant, create_tenant
from tenants.tokens import issue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Connection, Tenant


class ConnectionPlan(BaseModel):
    """A CRM account to link. Without secrets, a CRM that signs with one gets a new one."""

    model_config = ConfigDict(extra="forbid")
    crm: CRM
    account_id: str = Field("", max_length=120)
    name: str = Field("", max_length=120)
    # An empty secret would verify what anybody signs.
    secrets: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    public_keys: list[str] = Field(default_factory=list)
    api_token: str = ""  # to write to the CRM
    is_workflow: bool = False  # GoHighLevel: a workflow's Webhook action sends
    allowed_senders: list[str] = Field(default_factory=list)  # networks; empty: any


class TenantPlan(BaseModel):
    """A tenant to create, as a JSON file or request describes it."""

    model_config = ConfigDict(extra="forbid")
    slug: str
    name: str = Field("", max_length=120)
    tier: str = "free"
    timezone: str = "UTC"
    host: str | None = Field(None, max_length=253)
    settings: dict[str, Any] = Field(default_factory=dict)
    owner: str | None = Field(None, max_length=150, pattern=r"^\s*[^@\s]+@[^@\s]+\s*$")  # an e-mail address
    connections: list[ConnectionPlan] = Field(default_factory=list)


@dataclass
class Made:
    """What was made, with the secrets that are shown this once."""

    tenant: Tenant
    token: str
    owner_password: str | None = None
    connections: list[tuple[Connection, list[str]]] = field(default_factory=list)


def read_plan(values: Mapping[str, Any]) -> TenantPlan:
    """Check a description. Raises ``BadTenant`` naming each field that does not hold."""
    try:
        return TenantPlan.model_validate(values)
    except ValidationError as error:
        fields = [
            {"field": ".".join(map(str, fault["loc"])), "reason": fault["msg"]} for fault in error.errors()
        ]
        sentence = "; ".join(f"{fault['field']}: {fault['reason']}" for fault in fields)
        raise BadTenant(f"The description does not hold: {sentence}.", fields=fields) from error


def read_connection(values: Mapping[str, Any]) -> ConnectionPlan:
    """Check a connection's description. Raises ``BadConnection`` naming each field that does not hold."""
    try:
        return ConnectionPlan.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise BadConnection(f"The connection cannot be made: {'; '.join(faults)}.") from error


def link(
    tenant: Tenant, plan: ConnectionPlan, *, is_proven: bool = False, actor: str, at: datetime
) -> tuple[Connection, list[str]]:
    """Link a CRM account as planned, audited. Returns the connection and its signing secrets."""
    with transaction.atomic():
        connection, secrets = _connect(tenant, plan, is_proven=is_proven, at=at)
        audit.record(
            actor=actor,
            verb="linked",
            target=f"connection {connection.code}",
            tenant=tenant,
            data={"crm": connection.crm, "account_id": connection.account_id},
            at=at,
        )
    return connection, secrets


def plan_like(tenant: Tenant) -> dict[str, Any]:
    """What a new tenant can take over from another: tier, timezone and settings; no people, no secrets."""
    return {"tier": tenant.tier_id, "timezone": tenant.timezone, "settings": tenant.settings}


def set_up(plan: TenantPlan, *, template: Tenant | None = None, actor: str, at: datetime) -> Made:
    """Create everything the plan names, and what a template lends, or nothing.

    Raises ``BadTenant`` or ``TenantExists``.
    """
    with transaction.atomic():
        tenant = create_tenant(
            slug=plan.slug,
            name=plan.name,
            tier=plan.tier,
            timezone=plan.timezone,
            settings=plan.settings,
            host=plan.host,
        )
        if template:
            lend(template, tenant, actor=actor, at=at)
        made = Made(tenant, token=issue(tenant=tenant, user=None, name="first token")[1])
        if plan.owner:
            _, made.owner_password = invite(tenant=tenant, email=plan.owner, role=Role.OWNER)
        for wanted in plan.connections:
            made.connections.append(_connect(tenant, wanted, is_proven=True, at=at))
        audit.record(actor=actor, verb="created", target=f"tenant {tenant.slug}", tenant=tenant, at=at)
    return made


def _connect(
    tenant: Tenant, wanted: ConnectionPlan, *, is_proven: bool, at: datetime
) -> tuple[Connection, list[str]]:
    secrets = wanted.secrets
    if not secrets and makes_secret(wanted.crm, is_workflow=wanted.is_workflow):
        secrets = [new_secret(wanted.crm)]
    connection = connect(
        tenant=tenant,
        crm=wanted.crm,
        account_id=wanted.account_id,
        name=wanted.name,
        secrets=secrets,
        public_keys=wanted.public_keys,
        is_proven=is_proven,
        is_workflow=wanted.is_workflow,
        allowed_senders=wanted.allowed_senders,
    )
    if wanted.api_token:
        set_credentials(connection, token=wanted.api_token)
    return connection, signing_secrets(connection, at=at)
