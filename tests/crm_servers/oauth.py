"""A local double of HighLevel's and HubSpot's OAuth: codes work once, refresh tokens too."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

CLIENT_ID, CLIENT_SECRET = "client-of-ours", "client-secret-of-ours"
COMPANY = "company-7"


class OAuth:
    """Issues codes by ``allow`` and answers the endpoints that an install needs."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.forms: list[tuple[str, dict[str, str]]] = []  # path, what was sent
        self.locations = [{"_id": f"loc-{n}", "name": f"Branch {n}", "isInstalled": True} for n in (1, 2, 3)]
        self.expires_in = 86_399
        self.down = False
        self._codes: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._refresh: dict[str, dict[str, Any]] = {}
        self._number = itertools.count(1)
        for path, answer in (
            ("/oauth/token", self._token),
            ("/oauth/v1/token", self._token),
            ("/oauth/locationToken", self._location_token),
        ):
            server.expect_request(path, method="POST").respond_with_handler(answer)
        server.expect_request("/oauth/installedLocations").respond_with_handler(self._installed)
        for number in range(1, 20):
            server.expect_request(f"/oauth/v1/access-tokens/token-{number}").respond_with_handler(self._about)

    def allow(self, **whose: Any) -> str:
        """A person said yes: the code for it."""
        code = f"code-{next(self._number)}"
        self._codes[code] = whose
        return code

    def issue(self, **whose: Any) -> str:
        """A token that was had before."""
        return str(self._issue(whose)["access_token"])

    def forget(self) -> None:
        """Somebody threw us out: no token and no refresh token is good any more."""
        self._tokens.clear()
        self._refresh.clear()

    def _token(self, request: Request) -> Response:
        form = request.form.to_dict()
        self.forms.append((request.path, form))
        if self.down:
            return Response("upstream", 503)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return said({"error": "invalid_client"}, 401)
        if form["grant_type"] == "refresh_token":
            whose = self._refresh.pop(form["refresh_token"], None)
        else:
            whose = self._codes.pop(form.get("code", ""), None)
        if whose is None:
            return said({"error": "invalid_grant"}, 400)
        return said(self._issue(whose))

    def _issue(self, whose: dict[str, Any]) -> dict[str, Any]:
        number = next(self._number)
        token, refresh = f"token-{number}", f"refresh-{number}"
        self._tokens[token], self._refresh[refresh] = whose, whose
        return {
            "access_token": token,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": "contacts.readonly contacts.write",
            **{name: value for name, value in whose.items() if name != "hub_id"},
        }

    def _location_token(self, request: Request) -> Response:
        form = request.form.to_dict()
        self.forms.append((request.path, form))
        if request.headers.get("Version") != "2021-07-28" or not self._is_company(request):
            return said({"message": "Unauthorized"}, 401)
        if form["locationId"] not in {each["_id"] for each in self.locations}:
            return said({"message": "Location not found"}, 400)
        return said(self._issue({"locationId": form["locationId"], "userType": "Location"}))

    def _installed(self, request: Request) -> Response:
        if not self._is_company(request) or request.args["companyId"] != COMPANY:
            return said({"message": "Unauthorized"}, 401)
        skip, limit = int(request.args["skip"]), int(request.args["limit"])
        return said({"locations": self.locations[skip : skip + limit], "count": len(self.locations)})

    def _about(self, request: Request) -> Response:
        whose = self._tokens.get(request.path.rpartition("/")[2])
        if whose is None:
            return said({"message": "unknown token"}, 404)
        return said({"hub_id": whose["hub_id"], "scopes": ["oauth", "crm.objects.contacts.read"]})

    def _is_company(self, request: Request) -> bool:
        whose = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return whose is not None and whose.get("userType") == "Company"


def said(document: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
