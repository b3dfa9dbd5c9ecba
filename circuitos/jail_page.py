"""The jail in the operators' console: a card on the overview, and the page that lists every escape tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.shortcuts import render

from governor.jail.findings import ESCAPED, HELD
from triggers import jail_sign

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from governor.jail.findings import Findings

_TONES = {"ok": "good", "degraded": "warn", "refused": "bad"}
_ORDER = {ESCAPED: 0, HELD: 2}


def card() -> dict[str, Any]:
    """What the overview shows; one look into Redis."""
    return _shown(jail_sign.read())


def page(request: HttpRequest) -> HttpResponse:
    """Every escape that was tried, those that succeeded first."""
    findings = jail_sign.read()
    rows = sorted(findings.rows, key=lambda row: _ORDER.get(row.verdict, 1)) if findings else []
    context = {**admin.site.each_context(request), "title": "Jail", "jail": _shown(findings), "rows": rows}
    return render(request, "console/jail.html", context)


def _shown(findings: Findings | None) -> dict[str, Any]:
    if findings is None:
        return {"tone": "quiet", "headline": "Not known", "detail": jail_sign.UNKNOWN["detail"]}
    return {
        "tone": _TONES[findings.state],
        "headline": f"{findings.held} of {findings.tried} held",
        "detail": findings.sentence,
        "findings": findings,
        "is_loud": findings.state != "ok",
    }
