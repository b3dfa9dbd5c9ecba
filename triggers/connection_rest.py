"""The REST API's test event for a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.addresses import hook_url
from tenants.models import ApiKey, Connection
from tenants.openapi import ID, TENANT, ErrorSerializer
from tenants.permissions import token_scope
from triggers import test_event

if TYPE_CHECKING:
    from rest_framework.request import Request

_RECEIPT = inline_serializer(
    "TestReceipt",
    {
        "status": serializers.ChoiceField(choices=["accepted", "duplicate"]),
        "accepted": serializers.IntegerField(),
        "duplicates": serializers.IntegerField(),
        "event_ids": serializers.ListField(child=serializers.UUIDField()),
    },
)


class ConnectionTest(APIView):
    """Send the connection a test event, signed as its CRM signs: not counted, and nothing goes to the CRM."""

    @extend_schema(
        operation_id="connections_test",
        summary="Send a test event",
        parameters=[ID, TENANT],
        request=None,
        responses={202: _RECEIPT, 409: ErrorSerializer},
    )
    def post(self, request: Request, code: str) -> Response:
        key = request.auth
        assert isinstance(key, ApiKey)
        connection = find(request, code)
        receipt = test_event.send(
            connection=connection,
            url=hook_url(connection, request._request),  # noqa: SLF001  # the plain request
            actor=f"token {key.prefix}",
            at=now(),
        )
        return Response(msgspec.to_builtins(receipt), status.HTTP_202_ACCEPTED)


def find(request: Request, code: str) -> Connection:
    """The connection, when the token may see it. Raises ``NotFound``."""
    with token_scope(request) as tenant:
        rows = Connection.objects.select_related("tenant")
        rows = rows if tenant is None else rows.filter(tenant=tenant)
    try:
        found = rows.filter(code=UUID(code)).first()
    except ValueError:
        found = None
    if found is None:
        raise exceptions.NotFound("There is no such connection.")
    return found
