"""The REST API of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.openapi import PAGING, PageSerializer
from tenants.paging import page_of
from triggers.releases import release_of, releases

if TYPE_CHECKING:
    from rest_framework.request import Request


class ReleaseSerializer(serializers.Serializer[Any]):
    """An immutable version of the scripts."""

    version = serializers.CharField()
    status = serializers.ChoiceField(["live"], help_text="live: what starts now runs on it")
    since = serializers.DateTimeField(allow_null=True, help_text="when it first ran; null before that")
    fingerprint = serializers.CharField(help_text="SHA-256 of the scripts")
    triggers = serializers.ListField(child=serializers.CharField(), help_text="in the order they run")
    schedules = serializers.ListField(child=serializers.CharField())


class ReleasePage(PageSerializer):
    """A page of releases."""

    results = ReleaseSerializer(many=True)


class DeclaredSerializer(serializers.Serializer[Any]):
    """What a script of the release declares of a trigger."""

    name = serializers.CharField()
    object = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    order = serializers.IntegerField()
    batch_size = serializers.IntegerField()
    limits = serializers.DictField(child=serializers.IntegerField())
    description = serializers.CharField(allow_blank=True, help_text="the first line of its docstring")


class ReleaseDetailSerializer(ReleaseSerializer):
    """A release with what its scripts declare."""

    declared = DeclaredSerializer(many=True)


class ReleaseList(APIView):
    """The releases, newest first. Scripts are the operators': every tenant runs the live release."""

    @extend_schema(
        operation_id="releases_list",
        summary="List the releases",
        parameters=PAGING,
        responses=ReleasePage,
    )
    def get(self, request: Request) -> Response:
        return page_of(releases(), request, key="version")


class ReleaseDetail(APIView):
    """One release with what its scripts declare; ``live`` names the one that runs."""

    @extend_schema(
        operation_id="releases_retrieve",
        summary="Show a release",
        parameters=[OpenApiParameter("version", str, "path", description="Its version, or `live`.")],
        responses=ReleaseDetailSerializer,
    )
    def get(self, request: Request, version: str) -> Response:
        return Response(release_of(version))
