"""Statuses and limit usage as HTML, in the one vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join

from logs.vocabulary import meters, word
from tenants.clock import moment

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

__all__ = ["moment", "pill", "tight_meters"]


def pill(status: str, note: str = "") -> SafeString:
    """A status: symbol, label and tone; ``note`` says more on hover."""
    said = word(status)
    return format_html(
        '<span class="co-pill co-{}" title="{}"><span aria-hidden="true">{}</span>{}</span>',
        said.tone,
        note or said.meaning,
        said.symbol,
        said.label,
    )


def tight_meters(usage: dict[str, Any], *, most: int = 2) -> SafeString:
    """The limits that came nearest to their maximum, as small bars."""
    rows = sorted((row for row in meters(usage) if row["used"]), key=lambda row: -row["share"])[:most]
    return format_html(
        '<span class="co-mini">{}</span>',
        format_html_join(
            "",
            '<span class="co-mini-row" title="{}: {} of {}"><span class="co-mini-label">{}</span>'
            '<span class="co-bar co-{}"><i style="width:{}%"></i></span><span>{}&#8202;%</span></span>',
            (
                (
                    row["label"],
                    row["used_text"],
                    row["max_text"],
                    row["label"],
                    row["tone"],
                    row["percent"],
                    round(row["share"] * 100),
                )
                for row in rows
            ),
        ),
    )
