"""Coded errors: every refusal carries a stable code and a sentence, as JSON or as a page."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError
from django.http import JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from tenants import lockout
from tenants.errors import CodedError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

MACHINE_PATHS = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")
RETRY_AFTER = {"Retry-After": "5"}
_PAGES = {
    400: ("api.bad-request", "The request could not be read."),
    403: ("api.forbidden", "This is not yours to see."),
    404: ("api.not-found", "Nothing is here."),
    500: ("api.internal", "This is our fault. It was logged, and nothing of it was committed."),
    503: ("api.unavailable", "The database does not answer just now. Try again in a few seconds."),
}


def handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: ``{"code": "area.what", "detail": "a sentence", …}``."""
    if isinstance(exc, CodedError):
        set_rollback()
        return Response({"code": exc.code, "detail": str(exc), **exc.extra}, exc.status, headers=exc.headers)
    if isinstance(exc, OperationalError | InterfaceError):
        logger.warning("The database does not answer: %s", type(exc).__name__)
        return Response(_body(503), 503, headers=RETRY_AFTER)
    response = exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, exceptions.ValidationError):
        response.data = {"code": "api.invalid", "detail": "Some fields are not valid.", "fields": exc.detail}
    elif isinstance(exc, exceptions.APIException):
        response.data = {"code": f"api.{_code_of(exc)}", "detail": str(exc.detail)}
    else:
        response.data = _body(response.status_code)
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _refuse(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    user = getattr(request, "user", None)
    if request.path.startswith("/admin/") and getattr(user, "is_staff", False):
        return _refuse(
            request, 403, sentence="Your role does not include this. An owner may change your role."
        )
    return _refuse(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _refuse(request, 404)


def internal(request: HttpRequest) -> HttpResponse:
    return _refuse(request, 500)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: Any = None) -> HttpResponse:
    """The answer to any try during a lockout; the same for names that nobody has."""
    return render(request, "error.html", {"status": 429, "sentence": lockout.SENTENCE}, status=429)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: usually a page that stood open too long."""
    return _refuse(request, 403, sentence="This form is too old. Go back, reload the page and try again.")


def _refuse(request: HttpRequest, status: int, *, sentence: str = "") -> HttpResponse:
    if request.path.startswith(MACHINE_PATHS):
        return JsonResponse(_body(status), status=status)
    sentence = sentence or _PAGES[status][1]
    return render(request, "error.html", {"status": status, "sentence": sentence}, status=status)


def _body(status: int) -> dict[str, str]:
    code, detail = _PAGES.get(status, _PAGES[400])
    return {"code": code, "detail": detail}


def _code_of(exc: exceptions.APIException) -> str:
    codes = exc.get_codes()
    return (codes if isinstance(codes, str) else str(exc.default_code)).replace("_", "-")
