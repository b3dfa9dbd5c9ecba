"""A local double that knows private tokens: which account each opens, by the call that tries it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer


class PrivateTokens:
    """HubSpot's account details and HighLevel's search of contacts, for ``tokens``: token to account."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.tokens: dict[str, str] = {}
        self.down = False
        server.expect_request("/account-info/v3/details", method="GET").respond_with_handler(self._details)
        server.expect_request("/contacts/search", method="POST").respond_with_handler(self._search)

    def _details(self, request: Request) -> Response:
        account = self._account(request)
        if self.down:
            return _say(503, {})
        return (
            _say(401, {"category": "INVALID_AUTHENTICATION"})
            if account is None
            else _say(200, {"portalId": int(account), "timeZone": "US/Eastern"})
        )

    def _search(self, request: Request) -> Response:
        account = self._account(request)
        if self.down:
            return _say(503, {})
        if account is None or request.headers.get("Version") != "2021-07-28":
            return _say(401, {"message": "Invalid Private Integration token"})
        if json.loads(request.data)["locationId"] != account:
            return _say(403, {"message": "The token does not have access to this location."})
        return _say(200, {"contacts": [], "total": 0})

    def _account(self, request: Request) -> str | None:
        return self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))


def _say(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
