"""Content security policies: strict everywhere, with what the admin's scripts need under /admin only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_BASE = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; "
    "font-src 'self'; img-src 'self' data:; "
)
STRICT = _BASE + "script-src 'self'; style-src 'self'"
# The admin's Alpine evaluates expressions in attributes, and sets styles from scripts.
ADMIN = _BASE + "script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"
# Swagger's page sets styles from scripts; its own script is a file.
DOCS = _BASE + "script-src 'self'; style-src 'self' 'unsafe-inline'"
_BY_PREFIX = (("/admin/", ADMIN), ("/api/docs", DOCS))


class ContentSecurityPolicyMiddleware:
    """Gives each answer its policy; one that a view set itself stands."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = next((policy for prefix, policy in _BY_PREFIX if request.path.startswith(prefix)), STRICT)
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
