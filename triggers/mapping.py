"""A connection's mapping: rules by which an operator mends the fields its CRM renamed or retyped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from pydantic import ValidationError

from governor.judgment.masking import mask
from tenants import audit
from tenants.errors import CodedError
from tenants.models import Connection
from tenants.secrets import unseal
from triggers.crm import ADAPTERS
from triggers.schemas import FIELDS, mending, tolerance
from triggers.schemas.mending import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from triggers.models import PastEvent

MOST_RULES = 50  # of one connection
_OF_NOTHING = frozenset({"custom_fields", "extra"})


class BadRule(CodedError):
    """The rule cannot be."""

    code = "triggers.bad-rule"
    status = 409


@dataclass(frozen=True, slots=True)
class Preview:
    """What an event would become: its fields, masked, or why it still does not fit."""

    code: str
    record_id: str
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    reasons: list[dict[str, str]] = field(default_factory=list)


def rule_of(asked: Mapping[str, str]) -> Rule:
    """The rule a form asks for. Raises ``BadRule``."""
    given = {name: asked.get(name, "").replace("\x00", "") for name in ("object", "field", "verb", "to")}
    try:
        rule = Rule.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadRule(f"{'.'.join(map(str, fault['loc'])) or 'The rule'}: {fault['msg']}.") from None
    known = FIELDS.get(rule.object)
    if known is None:
        raise BadRule(f"{rule.object} has no schema: nothing of it is refused.")
    if rule.field in _OF_NOTHING and rule.verb != "ignore":
        raise BadRule(f"{rule.field} holds other fields: name one of them, as {rule.field}.name.")
    if rule.verb == "rename" and (rule.to not in known or rule.to in _OF_NOTHING or rule.to == rule.field):
        raise BadRule(f"{rule.object} has no other field {rule.to!r}. It has: {', '.join(known)}.")
    if rule.verb == "convert" and rule.to not in tolerance.KINDS:
        raise BadRule(f"A field is converted to one of: {', '.join(tolerance.KINDS)}.")
    return rule if rule.verb != "ignore" else rule.model_copy(update={"to": ""})


def preview(connection: Connection, rule: Rule, events: Iterable[PastEvent]) -> list[Preview]:
    """What these events of the connection would become with the rule. Nothing is stored."""
    rules = _with(connection.mapping, rule)
    return [_preview(connection, rules, event) for event in events]


def add(connection: Connection, rule: Rule, *, actor: str, at: datetime) -> None:
    """Put the rule in force, in place of another for the same field. Raises ``BadRule``."""
    with transaction.atomic():
        held = Connection.objects.select_for_update().get(pk=connection.pk)
        rules = _with(held.mapping, rule)
        if len(rules) > MOST_RULES:
            raise BadRule(f"A connection has at most {MOST_RULES} rules.")
        _save(held, rules, "mended the mapping of", rule.model_dump(), actor=actor, at=at)


def remove(connection: Connection, *, obj: str, name: str, actor: str, at: datetime) -> None:
    """End the rule for a field. Raises ``BadRule``."""
    with transaction.atomic():
        held = Connection.objects.select_for_update().get(pk=connection.pk)
        gone = [rule for rule in held.mapping if (rule["object"], rule["field"]) == (obj, name)]
        if not gone:
            raise BadRule("There is no such rule any more.")
        rules = [rule for rule in held.mapping if rule not in gone]
        _save(held, rules, "removed a rule from the mapping of", gone[0], actor=actor, at=at)


def _with(rules: list[dict[str, Any]], rule: Rule) -> list[dict[str, Any]]:
    kept = [each for each in rules if (each["object"], each["field"]) != (rule.object, rule.field)]
    return [*kept, rule.model_dump()]


def _save(
    held: Connection, rules: list[dict[str, Any]], verb: str, rule: Any, *, actor: str, at: datetime
) -> None:
    held.mapping = rules
    held.save(update_fields=["mapping"])
    audit.record(
        actor=actor,
        verb=verb,
        target=f"connection {held.code}",
        tenant=held.tenant,
        data={"rule": rule},
        at=at,
    )


def _preview(connection: Connection, rules: list[dict[str, Any]], event: PastEvent) -> Preview:
    said: dict[str, Any] = {"code": str(event.code), "record_id": event.record_id}
    try:
        body = unseal(event.body, context=f"event:{event.tenant_id}:{event.code}")
        with mending.using(rules):
            normalised = ADAPTERS[event.crm].normalise(
                body, kind=event.kind, tenant_settings=connection.tenant.settings
            )
    except CodedError as error:
        return Preview(**said, problem=str(error), reasons=error.extra.get("fields") or [])
    named = {key: value for key, value in normalised.fields.items() if value not in (None, {}, [])}
    return Preview(**said, fields=mask(named))
