"""Times as the console shows them: UTC from the server; in a browser the reader's zone, and how long ago."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.html import format_html

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def moment(at: datetime | None, form: str = "") -> str:
    """A time that ``console.js`` turns into the reader's; without it the time stays UTC, and says so.

    ``form`` is "" for how long ago, with the exact time on hover, or "full" for both side by side.
    """
    if at is None:
        return "–"
    at = at.astimezone(UTC)
    return format_html(
        '<time class="co-time" datetime="{}" data-form="{}" title="{}">{}</time>',
        at.isoformat(timespec="milliseconds"),
        form,
        f"{at:%F %T} UTC",
        f"{at:%d %b %Y, %H:%M:%S} UTC" if form == "full" else f"{at:%d %b %H:%M:%S} UTC",
    )


def time_column(field: str, title: str, *, order: str = "") -> Callable[[Any, Any], str]:
    """A column of a list for one of the row's times; the list orders by it, or by ``order``."""

    @admin.display(description=title, ordering=order or field)
    def column(_: Any, row: Any) -> str:
        return moment(getattr(row, field))

    return column
