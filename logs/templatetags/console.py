"""Filters of the console's templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tenants import clock

if TYPE_CHECKING:
    from datetime import datetime

register = template.Library()


@register.filter
def breakable(name: object) -> SafeString:
    """A long name that may wrap after its dots and underscores, and copies as it is."""
    return mark_safe(re.sub(r"([._-])(?=\w)", r"\1<wbr>", escape(name)))  # noqa: S308 — escaped first


@register.filter
def moment(at: datetime | None, form: str = "") -> str:
    """A time as the console shows it; ``"full"`` for the date and how long ago side by side."""
    return clock.moment(at, form)
