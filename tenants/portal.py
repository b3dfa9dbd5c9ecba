"""The portal's frame: its pages in one list, and what every one of them is shown in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse

from tenants.choices import Role

if TYPE_CHECKING:
    from django.http import HttpRequest

URLS = "circuitos.portal_urls"


@dataclass(frozen=True)
class Entry:
    """A page of the navigation: ``page`` is what its view calls itself, ``icon`` the path of its glyph."""

    page: str
    label: str
    url_name: str
    icon: str
    is_owners_only: bool = False


NAVIGATION = (
    Entry("home", "Home", "portal-home", "M4 11 12 4l8 7v9h-5v-6H9v6H4z"),
    Entry("activity", "Activity", "portal-activity", "M3 12h4l3-8 4 16 3-8h4"),
    Entry("usage", "Usage", "portal-usage", "M5 20V10m7 10V4m7 16v-7"),
    Entry(
        "connections",
        "Connections",
        "portal-connections",
        "M9 7V3m6 4V3M6 7h12v4a6 6 0 0 1-12 0zm6 10v4",
    ),
    Entry("agents", "Agents", "portal-agents", "M12 3v4M5 7h14v12H5zm4 5v2m6-2v2M2 12v3m20-3v3"),
    Entry("alerts", "Alerts", "portal-alerts", "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zm4 5h4"),
    Entry(
        "data",
        "Data",
        "portal-data",
        "M4 6c0-4 16-4 16 0v12c0 4-16 4-16 0zm0 0c0 4 16 4 16 0M4 12c0 4 16 4 16 0",
        is_owners_only=True,
    ),
    Entry(
        "keys",
        "API keys",
        "portal-keys",
        "M15 9a4 4 0 1 0-4 4l1-.3L14 15h2v2h2v3h3v-4l-6.3-6.3z",
        is_owners_only=True,
    ),
    Entry(
        "members",
        "Members",
        "portal-members",
        "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-8 14-8 14 0m1-10a3.5 3.5 0 0 0 0-7m1 10c3 .6 4 3 4 7",
    ),
    Entry(
        "settings",
        "Settings",
        "portal-settings",
        "M4 7h9m5 0h2M4 17h2m5 0h9M13 7a2 2 0 1 0 5 0a2 2 0 0 0-5 0M6 17a2 2 0 1 0 5 0a2 2 0 0 0-5 0",
        is_owners_only=True,
    ),
)


@cache
def there_are() -> tuple[Entry, ...]:
    """The entries whose pages exist."""
    found = []
    for entry in NAVIGATION:
        try:
            reverse(entry.url_name, urlconf=URLS)
        except NoReverseMatch:
            continue
        found.append(entry)
    return tuple(found)


def address_of(url_name: str) -> str:
    """Where a page of the navigation is, in the portal that is being served; "" when there is none."""
    return reverse(url_name) if any(entry.url_name == url_name for entry in there_are()) else ""


def frame(request: HttpRequest) -> dict[str, Any]:
    """A context processor: the tenant, the person's role in it and the pages they may open."""
    tenant = getattr(request, "tenant", None)
    if tenant is None:
        return {}
    role = getattr(request, "role", "")
    return {
        "tenant": tenant,
        "role": role,
        "is_owner": role == Role.OWNER,
        "navigation": [entry for entry in there_are() if may_open(entry, role)] if role else [],
    }


def may_open(entry: Entry, role: str) -> bool:
    """Whether a person of this role sees the entry; operators see them all."""
    return not entry.is_owners_only or role != Role.MEMBER
