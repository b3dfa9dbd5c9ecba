"""Coded errors: every refusal carries a stable code and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: ``{"code": "area.what", "detail": "a sentence", …}``."""
    if isinstance(exc, CodedError):
        set_rollback()
        return Response({"code": exc.code, "detail": str(exc), **exc.extra}, exc.status, headers=exc.headers)
    response = exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, exceptions.ValidationError):
        response.data = {"code": "api.invalid", "detail": "Some fields are not valid.", "fields": exc.detail}
    elif isinstance(exc, exceptions.APIException):
        response.data = {"code": f"api.{exc.default_code.replace('_', '-')}", "detail": str(exc.detail)}
    else:
        response.data = {"code": "api.not-found", "detail": "Nothing is here."}
    return response
