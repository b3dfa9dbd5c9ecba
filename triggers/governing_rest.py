"""The REST API of limits, quotas and usage."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from governor import overrides
from governor.allowances import ALLOWANCES
from governor.limits import LIMITS
from governor.models import Override
from tenants.errors import CodedError
from tenants.models import ApiKey, Tenant, Tier
from tenants.openapi import DAY_OR_EMPTY, NAMED_TENANT, SLUG_OR_EMPTY, TENANT, ErrorSerializer
from tenants.permissions import HasToken, IsOperator, token_scope
from triggers import governing_serializers as shapes
from triggers import limits_report, upgrades, usage_report
from triggers.filters import LONGEST, BadFilter
from triggers.quota_document import quota_document, request_document
from triggers.quota_report import quota_report
from triggers.registry import registry
from triggers.usage_file import csv_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.http import HttpResponse
    from rest_framework.request import Request

LONGEST_ACTOR = 150
_TEXT = {"type": "string", "maxLength": LONGEST}
_TRIGGER = OpenApiParameter("trigger", _TEXT, description="A trigger, by its name.")
_SCOPE = [
    OpenApiParameter("tenant", SLUG_OR_EMPTY, description="Of this tenant."),
    OpenApiParameter("tier", SLUG_OR_EMPTY, description="Of this tier."),
    OpenApiParameter("trigger", _TEXT, description="Of this trigger."),
]
NAMES = frozenset({*LIMITS, *ALLOWANCES})


class NoOverride(CodedError):
    """Nothing was set for this name and scope."""

    code = "governor.no-override"
    status = 404


class Limits(APIView):
    """Limits and allowances in force. Operators set and end overrides."""

    def get_permissions(self) -> list[Any]:
        return [HasToken()] if self.request.method in {"GET", "HEAD", "OPTIONS"} else [IsOperator()]

    @extend_schema(
        operation_id="limits_retrieve",
        summary="Limits and allowances in force",
        parameters=[TENANT, _TRIGGER],
        responses=shapes.LimitsSerializer,
    )
    def get(self, request: Request) -> Response:
        trigger = _text(request, "trigger")
        with token_scope(request) as tenant:
            return Response(limits_report.of_tenant(tenant, trigger=trigger))

    @extend_schema(
        operation_id="limits_update",
        summary="Set an override",
        request=shapes.NewOverrideSerializer,
        responses={200: shapes.OverriddenSerializer, 403: ErrorSerializer},
    )
    def put(self, request: Request) -> Response:
        given = shapes.NewOverrideSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        scope = _scope(wanted.get("tenant", ""), wanted.get("tier", ""), wanted.get("trigger", ""))
        made = overrides.put(
            name=wanted["name"],
            value=wanted["value"],
            reason=wanted["reason"],
            until=wanted.get("until"),
            **scope,
            actor=_actor(request),
            at=now(),
        )
        return _overridden(made)

    @extend_schema(
        operation_id="limits_destroy",
        summary="End an override",
        parameters=[
            OpenApiParameter(
                "name",
                {"type": "string", "enum": sorted(NAMES)},
                required=True,
                description="The limit or allowance.",
            ),
            *_SCOPE,
            OpenApiParameter("reason", _TEXT, description="For the audit log."),
        ],
        responses={200: shapes.OverriddenSerializer, 403: ErrorSerializer},
    )
    def delete(self, request: Request) -> Response:
        scope = _scope(*(_text(request, name) for name in ("tenant", "tier", "trigger")))
        found = Override.objects.filter(name=_text(request, "name"), **scope, ended_at=None).first()
        if found is None:
            raise NoOverride("Nothing is set for this name and scope.")
        overrides.end(found, actor=_actor(request), reason=_text(request, "reason"), at=now())
        found.refresh_from_db()
        return _overridden(found)


class QuotaDetail(APIView):
    """Today and the month: used, left, when it starts anew, the forecast, what waits, the larger plan."""

    @extend_schema(
        operation_id="quota_retrieve",
        summary="Where a tenant stands",
        parameters=[NAMED_TENANT],
        responses=shapes.QuotaSerializer,
    )
    def get(self, request: Request) -> Response:
        with _named_tenant(request) as tenant:
            report = quota_report(tenant, at=now())
            return Response(quota_document(report, tenant=tenant.slug, tier=tenant.tier_id))


class QuotaUpgrade(APIView):
    """Ask for the larger plan; an operator decides. Asked twice is asked once."""

    @extend_schema(
        operation_id="quota_upgrade",
        summary="Ask for the larger plan",
        parameters=[NAMED_TENANT],
        request=shapes.AskSerializer,
        responses={202: shapes.UpgradeRequestSerializer},
    )
    def post(self, request: Request) -> Response:
        given = shapes.AskSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with _named_tenant(request) as tenant:
            note = given.validated_data.get("note", "")
            asked = upgrades.ask(tenant=tenant, actor=_actor(request), note=note, at=now())
        return Response(request_document(asked), status.HTTP_202_ACCEPTED)


class _JsonFirst(BaseContentNegotiation):
    """``?format=`` is the view's own: what it refuses is told as JSON."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        first = next(iter(renderers))
        return first, first.media_type


class Usage(APIView):
    """Executions, API calls, AI tokens and their cost, by day and by trigger; by default this month."""

    content_negotiation_class = _JsonFirst
    form = ""  # set by an address that names it

    @extend_schema(
        operation_id="usage_retrieve",
        summary="Usage by day and trigger",
        parameters=[
            NAMED_TENANT,
            OpenApiParameter(
                "from",
                DAY_OR_EMPTY,
                description="The first day, in the tenant's calendar; by default the month's.",
            ),
            OpenApiParameter(
                "to", DAY_OR_EMPTY, description="The last day, included; at most 400 days. By default today."
            ),
            OpenApiParameter(
                "format",
                {"type": "string", "enum": ["json", "csv", ""]},
                description="`csv`: a line for each day and trigger.",
            ),
        ],
        responses={
            (200, "application/json"): shapes.UsageSerializer,
            (200, "text/csv"): OpenApiResponse(str, "A line for each day and trigger."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        form = self.form or _text(request, "format") or "json"
        if form not in {"json", "csv"}:
            raise BadFilter("format", "write json or csv.")
        with _named_tenant(request) as tenant:
            days = usage_report.wanted_days(
                _text(request, "from"), _text(request, "to"), tenant=tenant, at=now()
            )
            if form == "json":
                return Response(usage_report.usage_report(tenant, days))
            return csv_file(tenant, days)


@contextmanager
def _named_tenant(request: Request) -> Iterator[Tenant]:
    with token_scope(request) as tenant:
        if tenant is None:
            raise BadFilter("tenant", "name the tenant whose figures you want.")
        yield tenant


def _overridden(override: Override) -> Response:
    effective = None
    if override.tier_id is None:
        effective = limits_report.one(override.tenant, name=override.name, trigger=override.trigger)
    return Response({"override": shapes.OverrideSerializer(override).data, "effective": effective})


def _scope(tenant: str, tier: str, trigger: str) -> dict[str, Any]:
    """The rows that an override is for. Raises ``UnknownTrigger``, or ``NotFound``."""
    if trigger:
        registry().get(trigger)
    return {
        "tenant": _row(Tenant.objects.filter(slug=tenant), "tenant") if tenant else None,
        "tier": _row(Tier.objects.filter(slug=tier), "tier") if tier else None,
        "trigger": trigger,
    }


def _row(rows: Any, what: str) -> Any:
    found = rows.first()
    if found is None:
        raise exceptions.NotFound(f"There is no such {what}.")
    return found


def _text(request: Request, name: str) -> str:
    text = request.query_params.get(name, "").strip()
    if len(text) > LONGEST or "\x00" in text:
        raise BadFilter(name, f"write at most {LONGEST} characters, none of them NUL.")
    return text


def _actor(request: Request) -> str:
    key = request.auth
    assert isinstance(key, ApiKey)
    said = f"token {key.prefix}" + (f" of {key.user.get_username()}" if key.user else "")
    return said[:LONGEST_ACTOR]
