"""The form that sets a limit or quota: what, for whom, how much, until when, and why."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from governor import overrides
from governor.allowances import ALLOWANCES, UNLIMITED
from governor.calendar import day_of, next_day, starts_at
from governor.limits import LIMITS
from governor.proposal import Proposal
from tenants.models import Tenant, Tier

if TYPE_CHECKING:
    from collections.abc import Iterator

PLATFORM, TIER, TENANT = "platform", "tier", "tenant"
TRIGGER, TENANT_TRIGGER = "trigger", "tenant-trigger"
SCOPES = [
    (PLATFORM, "The platform"),
    (TIER, "A tier"),
    (TENANT, "A tenant"),
    (TRIGGER, "A trigger, of all tenants"),
    (TENANT_TRIGGER, "A trigger of one tenant"),
]
LASTING, MIDNIGHT, DAY, WEEK, DATE = "lasting", "midnight", "day", "week", "date"
ENDS = [
    (LASTING, "Until it is ended"),
    (MIDNIGHT, "Until the tenant's midnight"),
    (DAY, "For 1 day"),
    (WEEK, "For 7 days"),
    (DATE, "Until (UTC)"),
]
_NEEDS = {TIER: ("tier",), TENANT: ("tenant",), TRIGGER: ("trigger",), TENANT_TRIGGER: ("tenant", "trigger")}
_MISSING = {
    "tier": "Say which tier.",
    "tenant": "Say which tenant, by its slug.",
    "trigger": "Say which trigger, as Class.method.",
}


def _bounds(floor: int, ceiling: int) -> str:
    return f"at least {floor:,}" if ceiling >= UNLIMITED else f"{floor:,} to {ceiling:,}"


def names() -> list[tuple[str, list[tuple[str, str]]]]:
    """The choices of a name, in groups, each with its unit, default and bounds."""

    def said(each: Any) -> tuple[str, str]:
        default = "unlimited" if each.default >= UNLIMITED else f"{each.default:,}"
        bounds = _bounds(each.floor, each.ceiling)
        return each.name, f"{each.label}, in {each.unit or 'number'} (default {default}; {bounds})"

    quotas = [said(each) for each in ALLOWANCES.values() if each.is_quota]
    judgment = [said(each) for each in ALLOWANCES.values() if each.is_judgment]
    shares = [said(each) for each in ALLOWANCES.values() if not (each.is_quota or each.is_judgment)]
    return [
        ("Limits of one execution", [said(each) for each in LIMITS.values()]),
        ("Quotas of a tenant", quotas),
        ("Shares of a tenant", shares),
        ("Judgment and effects", judgment),
    ]


class OverrideForm(forms.Form):
    """What an operator wants. ``at`` is the moment it is asked; the end is reckoned from there."""

    name = forms.ChoiceField(label="Limit or quota", choices=names)
    scope = forms.ChoiceField(label="For", choices=SCOPES, widget=forms.RadioSelect, initial=TENANT)
    tier = forms.ModelChoiceField(
        Tier.objects.order_by("name"), required=False, empty_label="Choose a tier", label="Tier"
    )
    tenant = forms.SlugField(
        required=False,
        label="Tenant",
        widget=forms.TextInput(
            attrs={"list": "tenants", "autocomplete": "off", "placeholder": "slug", "spellcheck": "false"}
        ),
    )
    trigger = forms.CharField(
        required=False,
        max_length=120,
        label="Trigger",
        widget=forms.TextInput(
            attrs={
                "list": "triggers",
                "autocomplete": "off",
                "placeholder": "Class.method",
                "spellcheck": "false",
            }
        ),
    )
    value = forms.IntegerField(
        label="Value", widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
    )
    ends = forms.ChoiceField(label="How long", choices=ENDS, widget=forms.RadioSelect, initial=LASTING)
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
    )
    reason = forms.CharField(
        label="Why",
        max_length=overrides.LONGEST_REASON,
        widget=forms.TextInput(attrs={"placeholder": "Shown wherever the value is explained"}),
    )

    def __init__(self, *args: Any, at: datetime, actor: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.label_suffix = ""
        self.at = at
        self.actor = actor
        self.of_tenant: Tenant | None = None
        self.of_tier: Tier | None = None
        self.of_trigger = ""
        self.ends_at: datetime | None = None

    def clean_value(self) -> int:
        return int(self.cleaned_data["value"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        needed = _NEEDS.get(cleaned.get("scope", ""), ())
        for field in needed:
            if not cleaned.get(field) and field not in self.errors:
                self.add_error(field, _MISSING[field])
        self.of_tier = cleaned.get("tier") if "tier" in needed else None
        self.of_trigger = cleaned.get("trigger", "").strip() if "trigger" in needed else ""
        if "tenant" in needed and cleaned.get("tenant"):
            self.of_tenant = Tenant.objects.select_related("tier").filter(slug=cleaned["tenant"]).first()
            if self.of_tenant is None:
                self.add_error("tenant", "There is no such tenant.")
        self.ends_at = self._until(cleaned)
        if not self.errors:
            try:
                overrides.check(**self.wanted())
            except overrides.BadOverride as error:
                raise ValidationError(str(error), code=error.code) from error
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """The arguments of ``overrides.put``, but for the actor."""
        return {
            "name": self.cleaned_data["name"],
            "value": self.cleaned_data["value"],
            "reason": self.cleaned_data["reason"],
            "tier": self.of_tier,
            "tenant": self.of_tenant,
            "trigger": self.of_trigger,
            "until": self.ends_at,
            "at": self.at,
        }

    @property
    def proposal(self) -> Proposal:
        return Proposal(
            name=self.cleaned_data["name"],
            value=self.cleaned_data["value"],
            tier=self.of_tier.slug if self.of_tier else "",
            tenant=self.of_tenant.slug if self.of_tenant else "",
            trigger=self.of_trigger,
            actor=self.actor,
            reason=self.cleaned_data["reason"].strip(),
            until=self.ends_at,
        )

    @property
    def fingerprint(self) -> str:
        """What was looked at, so that nothing else is set."""
        said = {name: str(self.data.get(name, "")).strip() for name in self.fields}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    def scope_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in ("tier", "tenant", "trigger"))

    def _until(self, cleaned: dict[str, Any]) -> datetime | None:
        ends = cleaned.get("ends")
        if ends == MIDNIGHT:
            timezone = self.of_tenant.timezone if self.of_tenant else "UTC"
            return starts_at(next_day(day_of(self.at, timezone)), timezone)
        if ends == DATE:
            if cleaned.get("until") is None and "until" not in self.errors:
                self.add_error("until", "Say until when.")
            found: datetime | None = cleaned.get("until")
            return found.astimezone(UTC) if found else None
        return {DAY: self.at + timedelta(days=1), WEEK: self.at + timedelta(days=7)}.get(str(ends))
