"""The REST API of bulk replays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from logs.search import DEFAULT_COUNTRY
from tenants.models import ApiKey
from tenants.openapi import ID, PAGING, TENANT, ErrorSerializer
from tenants.paging import Newest
from tenants.permissions import token_scope
from triggers import bulk_preview, bulk_replay, filters, replays_serializers
from triggers.models import Execution

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from tenants.models import Tenant


class _View(APIView):
    def page(self, rows: QuerySet[Any], row_of: Callable[[Any], Any], request: Request) -> Response:
        paginator = Newest()
        found = paginator.paginate_queryset(rows, request, view=self) or []
        return paginator.get_paginated_response([row_of(row) for row in found])


class ReplayList(_View):
    """Bulk replays. POST tells what the matching executions would cost to replay, or replays them."""

    @extend_schema(
        operation_id="replays_list",
        summary="List the bulk replays",
        parameters=[TENANT, *PAGING],
        responses=replays_serializers.ReplayPage,
    )
    def get(self, request: Request) -> Response:
        with token_scope(request):
            rows = bulk_replay.replays()
        return self.page(rows, replays_serializers.replay_row, request)

    @extend_schema(
        operation_id="replays_create",
        summary="Preview or start a bulk replay",
        description="Replays the executions that the filter finds, at most 10,000, the newest. With `preview`"
        " (the default) it tells what would run and starts nothing. Over 100 executions, `confirm` has to say"
        " their number.",
        parameters=[TENANT],
        request=replays_serializers.NewReplaySerializer,
        responses={
            200: replays_serializers.PreviewSerializer,
            202: replays_serializers.ReplayProgressSerializer,
            409: ErrorSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        given = replays_serializers.NewReplaySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        with token_scope(request) as tenant:
            rows = _matching(wanted["filter"], tenant)
            how = {name: wanted[name] for name in ("mode", "records")}
            if wanted["preview"]:
                bulk_replay.check(**how, release=wanted["release"])
                seen = bulk_preview.preview(rows, **how, token=wanted.get("token", ""), at=now())
                return Response(replays_serializers.preview_row(seen))
            started = bulk_replay.start(
                rows,
                filter=wanted["filter"],
                **how,
                release=wanted["release"],
                token=wanted.get("token", ""),
                confirm=wanted.get("confirm"),
                actor=_actor(request),
                at=now(),
            )
            return Response(replays_serializers.replay_row(started), status.HTTP_202_ACCEPTED)


class ReplayDetail(_View):
    """One bulk replay: how far it is."""

    @extend_schema(
        operation_id="replays_retrieve",
        summary="Show a bulk replay's progress",
        parameters=[ID, TENANT],
        responses=replays_serializers.ReplayProgressSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            return Response(replays_serializers.replay_row(bulk_replay.replay_of(code)))


class ReplayItems(_View):
    """What became of each execution of a bulk replay."""

    @extend_schema(
        operation_id="replays_items",
        summary="List a bulk replay's items",
        parameters=[ID, TENANT, *PAGING],
        responses=replays_serializers.ReplayItemPage,
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            rows = bulk_replay.items_of(bulk_replay.replay_of(code))
        return self.page(rows, replays_serializers.item_row, request)


class ReplayCancel(_View):
    """What has not started never will; what runs finishes."""

    @extend_schema(
        operation_id="replays_cancel",
        summary="Cancel a bulk replay",
        parameters=[ID, TENANT],
        request=None,
        responses={200: replays_serializers.ReplayProgressSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, code: str) -> Response:
        with token_scope(request):
            ended = bulk_replay.cancel(bulk_replay.replay_of(code), actor=_actor(request), at=now())
            return Response(replays_serializers.replay_row(ended))


def _matching(wanted: dict[str, str], tenant: Tenant | None) -> QuerySet[Execution]:
    if not any(value.strip() for value in wanted.values()):
        raise filters.BadFilter("filter", "name at least one, such as status.")
    said = tenant.settings.get("country") if tenant else None
    country = said if isinstance(said, str) and len(said) == 2 else DEFAULT_COUNTRY
    found: QuerySet[Execution] = Execution.objects.filter(filters.of_executions(wanted, country=country))
    return found


def _actor(request: Request) -> str:
    key = request.auth
    assert isinstance(key, ApiKey)
    return f"token {key.prefix}"
