"""How the operators' console looks: colours, navigation, names. Plain data for unfold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.templatetags.static import static
from django.urls import reverse_lazy

from circuitos.env import env

if TYPE_CHECKING:
    from django.http import HttpRequest

BLACK, GRAPHITE, SLATE = "#0B0C0D", "#141618", "#1C1F22"
GREEN, RED = "#38FF6A", "#FF5555"
STEEL = ("#E3E7EB", "#C2C8CF", "#8F979F")

# unfold's ramps, light to dark. The darkest steps are the house's black, graphite and slate.
BASE = {
    "50": "#F6F7F8",
    "100": "#ECEEF0",
    "200": "#DDE1E5",
    "300": "#C2C8CF",
    "400": "#8F979F",
    "500": "#6B737B",
    "600": "#4C535A",
    "700": "#33383D",
    "800": "#1C1F22",
    "900": "#0B0C0D",
    "950": "#08090A",
}
PRIMARY = {
    "50": "#EDFFF2",
    "100": "#D2FFDF",
    "200": "#A6FFC0",
    "300": "#70FF96",
    "400": "#38FF6A",
    "500": "#38FF6A",
    "600": "#0B7A33",
    "700": "#08632A",
    "800": "#084F24",
    "900": "#07401E",
    "950": "#03240F",
}


def environment(request: HttpRequest) -> list[str]:
    """The label at the top: where one is, so that nobody presses a button in the wrong place."""
    name = env().environment
    return [name.capitalize(), {"production": "danger", "staging": "warning"}.get(name, "info")]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "CircuitOS",
    "SITE_HEADER": "CircuitOS",
    "SITE_SUBHEADER": "Operator console",
    "SITE_URL": None,
    "ACCOUNT": {"navigation": [{"title": "Second factor", "link": reverse_lazy("console-second-factor")}]},
    "SITE_ICON": {
        "light": lambda request: static("circuitos/mark-light.svg"),
        "dark": lambda request: static("circuitos/mark-dark.svg"),
    },
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("circuitos/favicon.svg")}
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "circuitos.theme.environment",
    "DASHBOARD_CALLBACK": "circuitos.admin.dashboard",
    "STYLES": [
        lambda request: static("circuitos/console.css"),
        lambda request: static("circuitos/frame.css"),
        lambda request: static("circuitos/pulse.css"),
    ],
    "SCRIPTS": [lambda request: static("circuitos/console.js")],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "base": BASE,
        "primary": PRIMARY,
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": STEEL[2],
            "default-light": "var(--color-base-600)",
            "default-dark": STEEL[1],
            "important-light": "var(--color-base-900)",
            "important-dark": STEEL[0],
        },
    },
    "COMMAND": {"search_models": False, "search_callback": "circuitos.admin.search"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "circuitos.admin.navigation",
    },
}
