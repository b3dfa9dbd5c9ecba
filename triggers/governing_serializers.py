"""What the REST API says of limits, quotas and usage; the shapes stand in its OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from governor.choices import RequestStatus
from tenants.strict import Strict
from triggers.choices import Operation


class StepSerializer(serializers.Serializer[Any]):
    """One level's word on a value."""

    level = serializers.ChoiceField(["platform", "tier", "tenant", "trigger", "script"])
    value = serializers.IntegerField(allow_null=True, help_text="null: unlimited")
    of = serializers.CharField(allow_blank=True, help_text="which tier, tenant or trigger")
    by = serializers.CharField(allow_blank=True, help_text="who set it")
    reason = serializers.CharField(allow_blank=True)
    until = serializers.DateTimeField(allow_null=True)


class EffectiveSerializer(serializers.Serializer[Any]):
    """A value in force, and why."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # also a name of DRF
    value = serializers.IntegerField(allow_null=True, help_text="null: unlimited")
    unit = serializers.CharField()
    default = serializers.IntegerField(allow_null=True)
    counted = serializers.CharField(help_text="what counts")
    source = serializers.CharField(help_text="the level that set the value")  # type: ignore[assignment]  # also a name of DRF
    sentence = serializers.CharField()
    steps = StepSerializer(many=True)


class LimitsSerializer(serializers.Serializer[Any]):
    """What holds for a tenant (null: the platform), and for one of its triggers."""

    tenant = serializers.CharField(allow_null=True)
    tier = serializers.CharField(allow_null=True)
    trigger = serializers.CharField(allow_null=True)
    limits = EffectiveSerializer(many=True, help_text="of one execution")
    allowances = EffectiveSerializer(many=True, help_text="of the tenant: quotas and shares")


class NewOverrideSerializer(Strict):
    """A value to set: for the platform, a tier, a tenant, or a trigger of one or all."""

    name = serializers.CharField(max_length=40)
    value = serializers.IntegerField()
    reason = serializers.CharField(max_length=300)
    until = serializers.DateTimeField(required=False, allow_null=True)
    tenant = serializers.CharField(required=False, allow_blank=True, max_length=40)
    tier = serializers.CharField(required=False, allow_blank=True, max_length=40)
    trigger = serializers.CharField(required=False, allow_blank=True, max_length=120)


class OverrideSerializer(serializers.Serializer[Any]):
    """An override that an operator set."""

    id = serializers.UUIDField(source="code")
    name = serializers.CharField()
    value = serializers.IntegerField()
    scope = serializers.CharField()
    reason = serializers.CharField()
    by = serializers.CharField(source="actor")
    created_at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class OverriddenSerializer(serializers.Serializer[Any]):
    """The override, and the value that holds now; null when it was set for a tier, whose tenants differ."""

    override = OverrideSerializer()
    effective = EffectiveSerializer(allow_null=True)


class ForecastSerializer(serializers.Serializer[Any]):
    """Where usage leads at the pace of the last hours; of a month, of the last days."""

    expected = serializers.IntegerField()
    exhausted_at = serializers.DateTimeField(allow_null=True)


class MeterSerializer(serializers.Serializer[Any]):
    """One quota in one period; null as an amount: unlimited."""

    used = serializers.IntegerField()
    held = serializers.IntegerField(help_text="by executions that run now")
    allowed = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True)
    forecast = ForecastSerializer(allow_null=True, help_text="null in the first half hour of the period")


class MonthSerializer(serializers.Serializer[Any]):
    """A month of the tenant's calendar."""

    starts_on = serializers.DateField()
    starts_at = serializers.DateTimeField()
    resets_at = serializers.DateTimeField()
    executions = MeterSerializer()
    api_calls = MeterSerializer()


class DaySerializer(MonthSerializer):
    """A day of the tenant's calendar."""

    ai_tokens = MeterSerializer()


class ConcurrencySerializer(serializers.Serializer[Any]):
    """Lanes of the tenant that workers serve now, and how many may be."""

    running = serializers.IntegerField()
    allowed = serializers.IntegerField()


class WaitingSerializer(serializers.Serializer[Any]):
    """Parked events of one kind."""

    object = serializers.CharField()
    operation = serializers.ChoiceField(Operation.choices)
    events = serializers.IntegerField()
    oldest_at = serializers.DateTimeField()


class RunSerializer(serializers.Serializer[Any]):
    """How many executions run on a day."""

    on = serializers.DateField()
    executions = serializers.IntegerField()


class EstimateSerializer(serializers.Serializer[Any]):
    """When what waits will have run, if nothing else comes."""

    executions = serializers.IntegerField(help_text="in batches as they lately were")
    executions_at_best = serializers.IntegerField(help_text="in full batches")
    runs = RunSerializer(many=True, help_text="the first 31 days")
    done_at = serializers.DateTimeField(allow_null=True, help_text="null: not within a year")


class ParkedSerializer(serializers.Serializer[Any]):
    """Events that wait for the quota, in order; none is lost."""

    reason = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    events = serializers.IntegerField()
    is_cut = serializers.BooleanField(help_text="there are more than were counted")
    oldest_at = serializers.DateTimeField(allow_null=True)
    waiting = WaitingSerializer(many=True)
    estimate = EstimateSerializer()


class AskSerializer(Strict):
    """A word to the operator who decides."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class UpgradeRequestSerializer(serializers.Serializer[Any]):
    """A tenant's wish for another plan."""

    id = serializers.UUIDField()
    tier = serializers.CharField()
    status = serializers.ChoiceField(RequestStatus.choices)
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()


class UpgradeSerializer(serializers.Serializer[Any]):
    """The larger plan that is offered."""

    tier = serializers.CharField()
    name = serializers.CharField()
    executions_per_day = serializers.IntegerField()
    api_calls_per_day = serializers.IntegerField()
    url = serializers.CharField(allow_blank=True, help_text="where it can be had without asking")
    requested = UpgradeRequestSerializer(allow_null=True)


class QuotaSerializer(serializers.Serializer[Any]):
    """Where a tenant stands."""

    tenant = serializers.CharField()
    tier = serializers.CharField()
    timezone = serializers.CharField()
    is_over = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    today = DaySerializer()
    month = MonthSerializer()
    concurrency = ConcurrencySerializer()
    weight = serializers.IntegerField()
    parked = ParkedSerializer(allow_null=True)
    upgrade = UpgradeSerializer(allow_null=True, help_text="null on the largest plan")


class SumsSerializer(serializers.Serializer[Any]):
    """What was used."""

    executions = serializers.IntegerField()
    api_calls = serializers.IntegerField()
    ai_tokens = serializers.IntegerField()
    ai_cost = serializers.CharField(help_text="dollars")


class UsageDaySerializer(SumsSerializer):
    """One day."""

    on = serializers.DateField()


class UsageTriggerSerializer(SumsSerializer):
    """One trigger; `CRM writes` are requests of the outbox."""

    trigger = serializers.CharField()


class UsageSerializer(serializers.Serializer[Any]):
    """Usage over days of the tenant's calendar."""

    tenant = serializers.CharField()
    timezone = serializers.CharField()
    to = serializers.DateField()
    totals = SumsSerializer()
    days = UsageDaySerializer(many=True)
    triggers = UsageTriggerSerializer(many=True, help_text="the busiest first, at most 1,000")

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python.
        return {**super().get_fields(), "from": serializers.DateField()}
