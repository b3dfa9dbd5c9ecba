"""The REST API of events, executions, their traces and replays, and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from logs.search import DEFAULT_COUNTRY
from tenants.models import ApiKey
from tenants.openapi import ID, PAGING, TENANT
from tenants.paging import Newest, page_of
from tenants.permissions import token_scope
from triggers import filters, history, replay, rest_parameters, serializers, trigger_rows

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from tenants.models import Tenant

_ONE = [ID, TENANT]


class _View(APIView):
    def page(self, rows: QuerySet[Any], serializer: Any, request: Request) -> Response:
        paginator = Newest()
        found = paginator.paginate_queryset(rows, request, view=self) or []
        return paginator.get_paginated_response(serializer(found))


class EventList(_View):
    """Events, newest first."""

    @extend_schema(
        operation_id="events_list",
        summary="List events",
        parameters=rest_parameters.EVENTS,
        responses=serializers.EventPage,
    )
    def get(self, request: Request) -> Response:
        with token_scope(request):
            rows = history.events().filter(filters.of_events(request.query_params))
        return self.page(rows, lambda found: serializers.EventSerializer(found, many=True).data, request)


class EventDetail(_View):
    """One event, its body masked, and the executions it was part of."""

    @extend_schema(
        operation_id="events_retrieve",
        summary="Show an event",
        parameters=_ONE,
        responses=serializers.EventDetailSerializer,
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
        summary="List and find executions",
        parameters=rest_parameters.EXECUTIONS,
        responses=serializers.ExecutionPage,
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
        summary="Show an execution",
        parameters=_ONE,
        responses=serializers.ExecutionDetailSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            document = _document(code)
        return Response(_without(document, "spans", "entries", "effects", "judgments", "meters"))


class ExecutionTrace(_View):
    """The execution's trace: spans, log entries, limit usage as used/max pairs, judgments, effects."""

    @extend_schema(
        operation_id="executions_trace",
        summary="Show an execution's trace",
        parameters=_ONE,
        responses=serializers.TraceSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        with token_scope(request):
            return Response(_document(code))


class ExecutionReplay(_View):
    """Run the execution's events again, as a new execution."""

    @extend_schema(
        operation_id="executions_replay",
        summary="Replay an execution",
        parameters=_ONE,
        request=serializers.ReplaySerializer,
        responses={202: serializers.ReplayStartedSerializer, 409: serializers.ErrorSerializer},
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
        summary="List the triggers",
        parameters=[TENANT, *PAGING],
        responses=serializers.TriggerPage,
    )
    def get(self, request: Request) -> Response:
        with token_scope(request) as tenant:
            rows = [row.document for row in trigger_rows.rows(tenant=tenant, at=now())]
        return page_of(rows, request, key="name")


def _document(code: str) -> dict[str, Any]:
    document = history.document_of(history.execution_of(code))
    return {**document, "limit": document["limit_name"]}  # as in the list


def _country(tenant: Tenant | None) -> str:
    wanted = tenant.settings.get("country") if tenant else None
    return wanted if isinstance(wanted, str) and len(wanted) == 2 else DEFAULT_COUNTRY


def _without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
