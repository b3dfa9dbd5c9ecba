"""A CRM's tokens and rates: what every endpoint checks first, and the endpoint that renews a token."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from werkzeug import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

CLIENT_ID, CLIENT_SECRET = "client-for-tests", "secret-for-tests"


class Accounts:
    """Tokens that are good, refresh tokens that work once, and every request in the order it came."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.url = server.url_for("").rstrip("/")
        self.tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.requests: list[tuple[str, str]] = []  # method, path
        self.renewals = 0
        self.lasts = 86_399  # seconds of a new token
        # Answers to give instead of the endpoint's, first ones first.
        self.instead: list[Response] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        for path in ("/oauth/token", "/oauth/v1/token"):
            server.expect_request(path, method="POST").respond_with_handler(self._token)

    def issue(self) -> tuple[str, str]:
        """A new token and its refresh token."""
        number = next(self._numbers)
        token, refresh = f"token-{number}", f"refresh-{number}"
        self.tokens.add(token)
        self.refresh_tokens.add(refresh)
        return token, refresh

    def serve(self, path: Any, method: str, answer: Callable[[Request], Response]) -> None:
        """An endpoint that wants a good token. ``answer`` is called by one request at a time."""

        def handle(request: Request) -> Response:
            with self._lock:
                self.requests.append((request.method, request.path))
                if self.instead:
                    return self.instead.pop(0)
                if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                    return say(401, {"statusCode": 401, "message": "Invalid JWT"})
                return answer(request)

        self.server.expect_request(path, method=method).respond_with_handler(handle)

    def _token(self, request: Request) -> Response:
        with self._lock:
            given = {name: values[0] for name, values in parse_qs(request.get_data(as_text=True)).items()}
            self.renewals += 1
            if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
                return say(401, {"error": "invalid_client"})
            if given.get("refresh_token") not in self.refresh_tokens:
                return say(400, {"error": "invalid_grant", "error_description": "This token is used up."})
            self.refresh_tokens.discard(given["refresh_token"])
            token, refresh = self.issue()
            return say(
                200,
                {
                    "access_token": token,
                    "refresh_token": refresh,
                    "expires_in": self.lasts,
                    "token_type": "Bearer",
                },
            )


def say(status: int, document: Any, **headers: str) -> Response:
    """A JSON answer."""
    return Response(
        json.dumps(document), status, {name.replace("_", "-"): value for name, value in headers.items()},
        content_type="application/json",
    )  # fmt: skip
