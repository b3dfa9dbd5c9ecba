"""The REST API of events, executions, their traces and replays, and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from logs.search import DEFAULT_COUNTRY
from tenants.models import ApiKey
from tenants.paging import Newest
from tenants.permissions import token_scope
from triggers import filters, history, replay, serializers

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from tenants.models import Tenant

_REFUSALS = dict.fromkeys((400, 401, 404), serializers.ErrorSerializer)


def _parameters(*names: str) -> list[OpenApiParameter]:
    return [OpenApiParameter(name) for name in (*names, "tenant", "cursor", "limit")]


class _View(APIView):
    def page(self, rows: QuerySet[Any], serializer: Any, request: Request) -> Response:
        paginator = Newest()
        found = paginator.paginate_queryset(rows, request, view=self) or []
        return paginator.get_paginated_response(serializer(found))


class EventList(_View):
    """Events, newest first."""

    @extend_schema(
        operation_id="events_list",
        parameters=_parameters(*filters.EVENT_FILTERS),
        responses={200: serializers.EventPage, **_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        with token_scope(request):
            rows = history.events().filter(filters.of_events(request.query_params))
        return self.page(rows, lambda found: serializers.EventSerializer(found, many=True).data, request)


class EventDetail(_View):
    """One event, its body masked, and the executions it was part of."""

    @extend_schema(
        operation_id="events_retrieve", responses={200: serializers.EventDetailSerializer, **_REFUSALS}
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            event = history.event_of(code)
            ran = [history.row_of(execution) for execution in history.executions_of_event(event)]
        known = serializers.EventSerializer(event).data
        found = {"error": event.error, "body": history.body_of(event), "pending": event.pending}
        return Response({**known, **found, "executions": ran})


class ExecutionList(_View):
    """Executions, newest first; ``q`` finds by execution id, record id, e-mail or phone."""

    @extend_schema(
        operation_id="executions_list",
        parameters=_parameters(*filters.EXECUTION_FILTERS),
        responses={200: serializers.ExecutionPage, **_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        with token_scope(request) as tenant:
            wanted = filters.of_executions(request.query_params, country=_country(tenant))
            rows = history.executions().filter(wanted)
        return self.page(rows, lambda found: [history.row_of(execution) for execution in found], request)


class ExecutionDetail(_View):
    """One execution with what became of each record."""

    @extend_schema(
        operation_id="executions_retrieve",
        responses={200: serializers.ExecutionDetailSerializer, **_REFUSALS},
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            document = history.document_of(history.execution_of(code))
        return Response(_without(document, "spans", "entries", "effects", "judgments", "meters"))


class ExecutionTrace(_View):
    """The execution's trace: spans, log entries, limit usage as used/max pairs, judgments, effects."""

    @extend_schema(operation_id="executions_trace", responses={200: serializers.TraceSerializer, **_REFUSALS})
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            return Response(history.document_of(history.execution_of(code)))


class ExecutionReplay(_View):
    """Run the execution's events again, as a new execution."""

    @extend_schema(
        operation_id="executions_replay",
        request=serializers.ReplaySerializer,
        responses={202: serializers.ReplayStartedSerializer, **_REFUSALS},
    )
    def post(self, request: Request, code: str) -> Response:
        key = request.auth
        assert isinstance(key, ApiKey)
        with token_scope(request):
            execution = history.execution_of(code)
            wanted = serializers.ReplaySerializer(data=request.data)
            wanted.is_valid(raise_exception=True)
            started = replay.replay(
                execution=execution, **wanted.validated_data, actor=f"token {key.prefix}", at=now()
            )
        return Response({"execution_id": str(started.code)}, status.HTTP_202_ACCEPTED)


class TriggerList(_View):
    """The registered triggers in their order, with their state and the last hour's figures."""

    @extend_schema(
        operation_id="triggers_list",
        parameters=[OpenApiParameter("tenant")],
        responses={200: serializers.TriggerPage, **_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        with token_scope(request) as tenant:
            rows = history.triggers_with_figures(tenant=tenant, at=now())
        return Response({"results": rows, "next": None, "previous": None})


def _country(tenant: Tenant | None) -> str:
    wanted = tenant.settings.get("country") if tenant else None
    return wanted if isinstance(wanted, str) and len(wanted) == 2 else DEFAULT_COUNTRY


def _without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
