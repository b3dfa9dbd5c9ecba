"""The REST API of pausing a trigger and resuming it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.models import ApiKey
from tenants.openapi import TENANT, ErrorSerializer
from tenants.permissions import token_scope
from tenants.strict import Strict
from triggers import pausing, trigger_rows
from triggers.registry import registry
from triggers.serializers import TriggerSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request

    from tenants.models import Tenant

_NAME = OpenApiParameter("name", str, "path", description="The trigger: `ContactTrigger.score_new_leads`.")
_ANSWERS = {200: TriggerSerializer, 404: ErrorSerializer, 409: ErrorSerializer}


class PauseSerializer(Strict):
    """Why, and until when."""

    reason = serializers.CharField(max_length=pausing.LONGEST_REASON)
    until = serializers.DateTimeField(
        allow_null=True, default=None, help_text="null, or left out: until it is resumed"
    )


class ResumeSerializer(Strict):
    """Nothing has to be said."""


class TriggerPause(APIView):
    """Let a trigger's events wait, in order: for the token's tenant; an operator's for all, or one."""

    @extend_schema(
        operation_id="triggers_pause",
        summary="Pause a trigger",
        parameters=[_NAME, TENANT],
        request=PauseSerializer,
        responses=_ANSWERS,
        examples=[
            OpenApiExample(
                "For an hour",
                value={"reason": "The CRM is being migrated.", "until": "2026-03-02T13:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, name: str) -> Response:
        with token_scope(request) as tenant:
            registry().get(name)
            wanted = PauseSerializer(data=request.data)
            wanted.is_valid(raise_exception=True)
            pausing.pause(
                trigger=name, tenant=tenant, **wanted.validated_data, actor=_actor(request), at=now()
            )
            return Response(_shown(name, tenant))


class TriggerResume(APIView):
    """End the pause: what waits runs in the order it came."""

    @extend_schema(
        operation_id="triggers_resume",
        summary="Resume a trigger",
        parameters=[_NAME, TENANT],
        request=ResumeSerializer,
        responses=_ANSWERS,
    )
    def post(self, request: Request, name: str) -> Response:
        with token_scope(request) as tenant:
            registry().get(name)
            ResumeSerializer(data=request.data).is_valid(raise_exception=True)
            pausing.resume(trigger=name, tenant=tenant, actor=_actor(request), at=now())
            return Response(_shown(name, tenant))


def _shown(name: str, tenant: Tenant | None) -> dict[str, Any]:
    (row,) = trigger_rows.rows(tenant=tenant, at=now(), name=name)
    return row.document


def _actor(request: Request) -> str:
    key = request.auth
    assert isinstance(key, ApiKey)
    return f"token {key.prefix}" + (f" of {key.user.get_username()}" if key.user else "")
