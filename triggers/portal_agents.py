"""The portal's agents: a card for each, with what it does, how it stands, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from tenants.models import Tenant
from tenants.scope import tenant_scope
from triggers import agents, portal_approvals, portal_words, usage_words
from triggers.models import Execution

if TYPE_CHECKING:
    from datetime import datetime

# As circuitos.agents.virtual_lpr.weights has them, which a web process need not load to show them.

PROXIES = {
    "age": "Age",
    "income": "Income of the neighbourhood",
    "affluence": "Affluence of the neighbourhood",
    "life_events": "Life events",
}
MOST_INDUSTRIES = 50


def _points(label: str, default: int) -> forms.FloatField:
    return forms.FloatField(
        required=False, min_value=0, max_value=100, label=label, help_text=f"Default: {default}"
    )


class ScoringForm(forms.Form):
    """The settings of lead scoring; an empty field is the default."""

    hot = _points("A lead is hot from", 70)
    nurture = _points("Worth staying in touch from", 40)
    grade_a = _points("Grade A from", 80)
    grade_b = _points("Grade B from", 65)
    grade_c = _points("Grade C from", 40)
    industry = forms.CharField(
        required=False,
        max_length=80,
        label="Your industry",
        help_text="Such as dental or fitness. In credit, housing and hiring the signals below never count.",
    )
    ideal_industries = forms.CharField(
        required=False,
        max_length=1_000,
        label="Industries of your best customers",
        help_text="Separated by commas.",
    )
    latitude = forms.FloatField(
        required=False,
        min_value=-90,
        max_value=90,
        label="Latitude of your business",
        help_text="With the longitude it tells how near a lead lives. A map shows both on a right-click.",
    )
    longitude = forms.FloatField(
        required=False, min_value=-180, max_value=180, label="Longitude of your business"
    )
    proxies = forms.MultipleChoiceField(
        required=False,
        choices=list(PROXIES.items()),
        widget=forms.CheckboxSelectMultiple,
        label="Signals that may count",
    )

    def clean_ideal_industries(self) -> list[str]:
        found = [part.strip() for part in self.cleaned_data["ideal_industries"].split(",") if part.strip()]
        if len(found) > MOST_INDUSTRIES:
            raise forms.ValidationError(f"At most {MOST_INDUSTRIES} industries.")
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if (data.get("latitude") is None) != (data.get("longitude") is None) and not (
            {"latitude", "longitude"} & self.errors.keys()
        ):
            self.add_error("longitude", "Write both latitude and longitude, or neither.")
        return data

    def facts(self) -> dict[str, Any]:
        """Business facts that scoring reads."""
        data = self.cleaned_data
        return {
            "industry": data["industry"] or None,
            "latitude": data["latitude"],
            "longitude": data["longitude"],
        }

    def lpr(self) -> dict[str, Any]:
        """What belongs to scoring alone."""
        data = self.cleaned_data
        named = {"hot": "hot", "nurture": "nurture", "A": "grade_a", "B": "grade_b", "C": "grade_c"}
        thresholds = {name: data[field] for name, field in named.items() if data[field] is not None}
        off = {name: False for name in PROXIES if name not in data["proxies"]}
        return {
            "thresholds": thresholds or None,
            "ideal_industries": data["ideal_industries"] or None,
            "proxies": off or None,
        }


def form_of(tenant: Tenant) -> ScoringForm:
    """The form as the tenant's settings stand, whatever stands in them."""
    settings = tenant.settings if isinstance(tenant.settings, dict) else {}
    own = settings.get("lpr")
    own = own if isinstance(own, dict) else {}
    thresholds, proxies = (
        each if isinstance(each, dict) else {} for each in (own.get("thresholds"), own.get("proxies"))
    )
    industries = own.get("ideal_industries")
    return ScoringForm(
        initial={
            "hot": thresholds.get("hot"),
            "nurture": thresholds.get("nurture"),
            "grade_a": thresholds.get("A"),
            "grade_b": thresholds.get("B"),
            "grade_c": thresholds.get("C"),
            "industry": settings.get("industry") or "",
            "ideal_industries": ", ".join(map(str, industries)) if isinstance(industries, list) else "",
            "latitude": settings.get("latitude"),
            "longitude": settings.get("longitude"),
            "proxies": [name for name in PROXIES if proxies.get(name) is not False],
        }
    )


def agents_page(tenant: Tenant, *, form: ScoringForm | None = None, at: datetime) -> dict[str, Any]:
    """The page's context: three queries, and one for each agent."""
    # The request's tenant may be of some seconds ago, and with it the settings.
    fresh = Tenant.objects.get(pk=tenant.pk)
    return {
        "page": "agents",
        "approvals": portal_approvals.count_waiting(tenant, at=at),
        "form": form or form_of(fresh),
        "cards": [
            {"standing": standing, "said": _said(standing), "last": _last(standing, fresh, at=at)}
            for standing in agents.standings(fresh, at=at)
        ],
    }


def _said(standing: agents.Standing) -> portal_words.Said:
    if not standing.is_on:
        return portal_words.Said("quiet", "–", "Off")
    if standing.pause_reason:
        return portal_words.Said("wait", "‖", "Paused")
    return portal_words.Said("good", "✓", "On")


def _last(standing: agents.Standing, tenant: Tenant, *, at: datetime) -> dict[str, Any] | None:
    """Its newest execution."""
    with tenant_scope(tenant.pk):
        newest = [
            Execution.objects.filter(trigger=name)
            .only("code", "created_at", "status", "attempts", "next_attempt_at", "trigger", "tenant_id")
            .order_by("-pk")
            .first()
            for name in standing.agent.triggers
        ]
    ran = [execution for execution in newest if execution is not None]
    if not ran:
        return None
    last = max(ran, key=lambda execution: execution.pk)
    return {
        "code": last.code,
        "said": portal_words.pill_of(last),
        "at": usage_words.moment(last.created_at, tenant.timezone, at=at),
    }
