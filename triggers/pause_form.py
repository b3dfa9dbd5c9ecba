"""The forms of a trigger's page: how long it is paused and why, and its place among the others."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timezone import get_current_timezone, get_current_timezone_name

from tenants.models import Tenant
from triggers.pausing import LARGEST_ORDER, LONGEST_REASON, SMALLEST_ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR, TOMORROW, OPEN, CUSTOM = "hour", "tomorrow", "open", "custom"
ENDS = (
    (HOUR, "For 1 hour"),
    (TOMORROW, "Until tomorrow, 00:00"),
    (OPEN, "Until it is resumed"),
    (CUSTOM, "Until …"),
)


class _ForTenant(forms.Form):
    tenant = forms.CharField(
        required=False,
        max_length=40,
        label="Tenant (empty: all)",
        widget=forms.TextInput(
            attrs={"list": "tenants", "autocomplete": "off", "placeholder": "all tenants"}
        ),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(data, **more)
        self.label_suffix = ""

    def clean_tenant(self) -> Tenant | None:
        slug = self.cleaned_data["tenant"].strip()
        if not slug:
            return None
        found: Tenant | None = Tenant.objects.filter(slug=slug).first()
        if found is None:
            raise ValidationError("There is no such tenant.")
        return found


class PauseForm(_ForTenant):
    """For whom, how long and why. ``at`` is the moment it is asked."""

    ends = forms.ChoiceField(label="How long", choices=ENDS, widget=forms.RadioSelect, initial=HOUR)
    until = forms.DateTimeField(
        required=False,
        label="Until",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
    )
    reason = forms.CharField(
        label="Why",
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"placeholder": "Shown wherever its events wait"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, at: datetime, **more: Any) -> None:
        super().__init__(data, **more)
        self.at = at
        self.fields["until"].label = f"Until ({get_current_timezone_name()})"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("ends") == CUSTOM and not cleaned.get("until") and "until" not in self.errors:
            self.add_error("until", "Say until when.")
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """The arguments of ``pausing.pause`` that the form decides."""
        zone = get_current_timezone()
        tomorrow = datetime.combine(self.at.astimezone(zone).date() + timedelta(days=1), time(), zone)
        until = {
            HOUR: self.at + timedelta(hours=1),
            TOMORROW: tomorrow,
            OPEN: None,
            CUSTOM: self.cleaned_data["until"],
        }[self.cleaned_data["ends"]]
        return {"tenant": self.cleaned_data["tenant"], "reason": self.cleaned_data["reason"], "until": until}


class SwitchForm(_ForTenant):
    """Whether it runs, and when among the others."""

    is_enabled = forms.TypedChoiceField(
        label="State",
        choices=(("on", "On"), ("off", "Off: its events are skipped")),
        coerce=lambda value: value == "on",
        widget=forms.RadioSelect,
    )
    order = forms.IntegerField(
        required=False,
        min_value=SMALLEST_ORDER,
        max_value=LARGEST_ORDER,
        label="Place in the order (empty: as its script says)",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
