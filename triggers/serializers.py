"""What the REST API says of events, executions and triggers; the shapes stand in its OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenants import openapi
from tenants.openapi import PageSerializer
from tenants.strict import Strict
from triggers.choices import RECONNECT, EventStatus, ExecutionStatus, Mode, Operation, Records

ErrorSerializer = openapi.ErrorSerializer


class EventSerializer(serializers.Serializer[Any]):
    """One event as a list shows it."""

    id = serializers.UUIDField(source="code")
    tenant = serializers.SlugField(source="tenant.slug")
    crm = serializers.CharField()
    object = serializers.CharField()
    operation = serializers.ChoiceField(Operation.choices)
    record_id = serializers.CharField()
    kind = serializers.CharField()
    status = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(
        help_text="why it is parked or was skipped, or an error's code"
    )
    occurred_at = serializers.DateTimeField(allow_null=True, help_text="by the CRM's clock, if it said")
    received_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    delivery = serializers.UUIDField(help_text="the HTTP request it came in")
    attempts = serializers.IntegerField()
    origin = serializers.CharField(help_text="live, test, reconcile (we found it), replay or script")

    def get_status(self, event: Any) -> str:
        return "parked" if _is_parked(event) else str(event.status)

    def get_reason(self, event: Any) -> str:
        if not _is_parked(event):
            return str(event.reason)
        return str(event.lane.parked_reason if event.lane else RECONNECT)


class EventDetailSerializer(EventSerializer):
    """One event with its body, masked, and what came of it."""

    error = serializers.JSONField(allow_null=True)
    body = serializers.JSONField(
        allow_null=True, help_text="as the CRM sent it; e-mails, phones, secrets masked"
    )
    pending = serializers.ListField(child=serializers.CharField(), allow_null=True)
    executions = serializers.ListField(child=serializers.DictField())


class RelativeSerializer(serializers.Serializer[Any]):
    """An execution that came of another."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(ExecutionStatus.choices)
    mode = serializers.ChoiceField(Mode.choices)
    size = serializers.IntegerField()
    ok = serializers.IntegerField()
    failed = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class ExecutionSerializer(serializers.Serializer[Any]):
    """One execution as a list shows it."""

    id = serializers.UUIDField()
    tenant = serializers.SlugField()
    trigger = serializers.CharField()
    object = serializers.CharField()
    operation = serializers.ChoiceField(Operation.choices)
    release = serializers.CharField()
    mode = serializers.ChoiceField(Mode.choices)
    status = serializers.ChoiceField(ExecutionStatus.choices)
    with_errors = serializers.BooleanField(help_text="it succeeded, but the script logged an error")
    size = serializers.IntegerField(help_text="records in the batch")
    ok = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    attempts = serializers.IntegerField()
    word = serializers.CharField(
        help_text="its status as people read it: succeeded with errors, limit exceeded"
    )
    error_code = serializers.CharField(allow_blank=True)
    limit = serializers.CharField(allow_blank=True, help_text="the limit that stopped it")
    replay_of = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    wall_ms = serializers.IntegerField(allow_null=True)
    cpu_ms = serializers.IntegerField(allow_null=True)
    usage = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="by limit: `[used, max]`"
    )


class EventPage(PageSerializer):
    """A page of events."""

    results = EventSerializer(many=True)


class ExecutionPage(PageSerializer):
    """A page of executions."""

    results = ExecutionSerializer(many=True)


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of one record."""

    record_id = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    detail = serializers.JSONField(allow_null=True)


class ExecutionDetailSerializer(ExecutionSerializer):
    """One execution with its outcome record by record; the trace has the rest."""

    sentence = serializers.CharField(help_text="why it ended as it did")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="records by outcome")
    depth = serializers.IntegerField(help_text="how many executions caused one another before it")
    error_detail = serializers.CharField(allow_blank=True)
    limit_name = serializers.CharField(allow_blank=True, help_text="as `limit`")
    error = serializers.JSONField(allow_null=True)
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]  # also a name of DRF
    outcomes = OutcomeSerializer(many=True)
    events = serializers.ListField(child=serializers.DictField())
    replays = RelativeSerializer(many=True)
    halves = RelativeSerializer(many=True)
    is_cut = serializers.BooleanField(help_text="something was left out of the trace, and says so in place")
    expires_on = serializers.DateField(allow_null=True, help_text="when the trace is deleted")


class TraceSerializer(ExecutionDetailSerializer):
    """Everything that happened in one execution, masked."""

    spans = serializers.ListField(child=serializers.DictField())
    entries = serializers.ListField(child=serializers.DictField(), help_text="log lines")
    effects = serializers.ListField(child=serializers.DictField())
    judgments = serializers.ListField(child=serializers.DictField())
    meters = serializers.ListField(child=serializers.DictField(), help_text="the usage, ready to be shown")


class ReplaySerializer(Strict):
    """How to replay."""

    mode = serializers.ChoiceField(Mode.choices, default=Mode.LIVE.value)
    release = serializers.CharField(default="live", max_length=60, help_text="live, or a version")
    records = serializers.ChoiceField(Records.choices, default=Records.ALL.value)


class ReplayStartedSerializer(serializers.Serializer[Any]):
    """Which execution the replay is."""

    execution_id = serializers.UUIDField()


class TriggerSerializer(serializers.Serializer[Any]):
    """One registered trigger and how it does."""

    name = serializers.CharField()
    object = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    order = serializers.IntegerField()
    batch_size = serializers.IntegerField()
    status = serializers.ChoiceField(["active", "paused", "off"])
    pause_reason = serializers.CharField(allow_blank=True)
    paused_until = serializers.DateTimeField(
        allow_null=True, help_text="null while it is paused: until it is resumed"
    )
    limits = serializers.DictField(child=serializers.IntegerField())
    release = serializers.CharField()
    last_hour = serializers.DictField(help_text="executions, failed, records and the slowest in milliseconds")
    p50_ms = serializers.FloatField(allow_null=True, help_text="of the last day's newest executions")
    p95_ms = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField(help_text="share of executions that failed, wholly or in part")
    calls_per_record = serializers.FloatField(allow_null=True, help_text="API calls")
    waiting = serializers.IntegerField(help_text="events that wait for the end of its pause, up to 10,000")


class TriggerPage(PageSerializer):
    """All triggers."""

    results = TriggerSerializer(many=True)


def _is_parked(event: Any) -> bool:
    if event.status != EventStatus.QUEUED:
        return False
    return bool(event.lane.parked_reason) if event.lane else event.connection_id is not None
