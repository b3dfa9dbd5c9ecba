"""The REST API's word on a connection's past: its import, the first scores, webhook completeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.openapi import ID, TENANT
from triggers import connection_history
from triggers.connection_rest import find
from triggers.models import BackfillState

if TYPE_CHECKING:
    from rest_framework.request import Request


class PartSerializer(serializers.Serializer[Any]):
    """One object's import."""

    object = serializers.CharField(source="name")
    state = serializers.ChoiceField(BackfillState.choices)
    read = serializers.IntegerField()
    total = serializers.IntegerField(
        allow_null=True, help_text="as the CRM counts; null when it does not say"
    )
    unfit = serializers.IntegerField(help_text="not as the object's schema says; left out")
    problem = serializers.CharField(allow_blank=True)


class BestSerializer(serializers.Serializer[Any]):
    """One of the best leads."""

    id = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    grade = serializers.CharField(allow_null=True)
    won = serializers.BooleanField()


class ScreenSerializer(serializers.Serializer[Any]):
    """The newest leads, scored dry: nothing was written or sent."""

    sentence = serializers.CharField()
    leads = serializers.IntegerField()
    hot = serializers.IntegerField()
    won = serializers.IntegerField()
    won_hot = serializers.IntegerField()
    best = BestSerializer(many=True)


class CompletenessSerializer(serializers.Serializer[Any]):
    """Changed records of the last seven days."""

    percent = serializers.FloatField(allow_null=True, help_text="null while nothing changed")
    delivered = serializers.IntegerField(help_text="told by the CRM")
    found = serializers.IntegerField(help_text="never told, and found by us")


class HistorySerializer(serializers.Serializer[Any]):
    """What a connection's CRM held, and what it failed to tell."""

    imports = PartSerializer(source="parts", many=True)
    scores = ScreenSerializer(source="screen", allow_null=True)
    completeness = CompletenessSerializer()
    looked_at = serializers.DateTimeField(allow_null=True, help_text="the end of the last whole look")
    look_problem = serializers.CharField(allow_blank=True)


class ConnectionHistory(APIView):
    """Import, first scores and webhook completeness of a connection."""

    @extend_schema(
        operation_id="connections_history",
        summary="Import and webhook completeness",
        parameters=[ID, TENANT],
        responses=HistorySerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        found = connection_history.of(find(request, code), at=now(), with_names=False)
        return Response(HistorySerializer(found).data)
