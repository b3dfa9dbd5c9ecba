"""What the REST API says and takes of bulk replays; the shapes stand in its OpenAPI schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from tenants.openapi import PageSerializer
from tenants.strict import Strict
from triggers import filters
from triggers.bulk_choose import MOST
from triggers.choices import ExecutionStatus, ItemStatus, Mode, Records, ReplayStatus

if TYPE_CHECKING:
    from triggers.bulk_preview import Preview
    from triggers.models import Replay, ReplayItem

MOST_TOKEN = 60
COUNTS = ("waiting", "running", "succeeded", "partial", "failed", "skipped", "cancelled")


class FilterSerializer(Strict):
    """The filters of ``executions/``, at least one of them."""

    def get_fields(self) -> dict[str, Any]:
        return {
            name: serializers.CharField(
                required=False, max_length=filters.LONGEST, help_text="as on `executions/`"
            )
            for name in filters.EXECUTION_FILTERS
        }


class NewReplaySerializer(Strict):
    """Which executions to replay, and how."""

    filter = FilterSerializer(help_text="the filters of `executions/`, at least one")
    preview = serializers.BooleanField(default=True, help_text="true tells what would run and starts nothing")
    mode = serializers.ChoiceField(Mode.choices, default=Mode.LIVE.value)
    release = serializers.CharField(default="live", max_length=60, help_text="live, or a version")
    records = serializers.ChoiceField(Records.choices, default=Records.ALL.value)
    token = serializers.CharField(
        required=False,
        max_length=MOST_TOKEN,
        help_text="of the preview: starts that very set, or answers 409 when it has changed",
    )
    confirm = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST, help_text="the number of executions, when over 100"
    )


class CostSerializer(serializers.Serializer[Any]):
    """What it costs a tenant, and what is left; null: there is no quota."""

    tenant = serializers.SlugField()
    executions = serializers.IntegerField()
    api_calls = serializers.IntegerField()
    executions_left = serializers.IntegerField(allow_null=True)
    api_calls_left = serializers.IntegerField(allow_null=True)
    is_short = serializers.BooleanField(help_text="the rest waits until the quota starts anew")


class PreviewSerializer(serializers.Serializer[Any]):
    """What the replay would run, touch and cost."""

    executions = serializers.IntegerField(help_text="to be replayed")
    events = serializers.IntegerField()
    records = serializers.IntegerField(help_text="different ones, at most")
    api_calls = serializers.IntegerField(help_text="expected")
    quota = CostSerializer(many=True, help_text="by tenant; empty in the modes that cost none")
    not_replayable = serializers.IntegerField(help_text="their events are not kept any more")
    succeeded_since = serializers.IntegerField(help_text="records that the trigger succeeded on later")
    newer_events = serializers.IntegerField(help_text="records that have newer events than these")
    records_checked = serializers.IntegerField(help_text="for the two above, the newest")
    not_ended = serializers.IntegerField(help_text="matched, but run still")
    covered = serializers.IntegerField(help_text="part or replay of another that matched")
    without_failures = serializers.IntegerField(help_text="left out, for only failed records were wanted")
    is_cut = serializers.BooleanField(help_text=f"more than {MOST:,} matched; these are the newest")
    token = serializers.CharField(help_text="names this very set")


class ReplayProgressSerializer(serializers.Serializer[Any]):
    """A bulk replay and how far it is."""

    id = serializers.UUIDField()
    tenant = serializers.SlugField(allow_null=True, help_text="null: of several")
    status = serializers.ChoiceField(ReplayStatus.choices)
    filter = serializers.DictField(child=serializers.CharField())
    mode = serializers.ChoiceField(Mode.choices)
    release = serializers.CharField()
    records = serializers.ChoiceField(Records.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField(help_text="have ended, however")
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    partial = serializers.IntegerField()  # type: ignore[assignment]  # also a name of DRF
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="could not be replayed")
    cancelled = serializers.IntegerField()
    is_cut = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class ReplayPage(PageSerializer):
    """A page of bulk replays."""

    results = ReplayProgressSerializer(many=True)


class ReplayItemSerializer(serializers.Serializer[Any]):
    """One execution of a bulk replay, and what came of it."""

    execution_id = serializers.UUIDField(help_text="the one that was replayed")
    replayed_as = serializers.UUIDField(allow_null=True, help_text="the new execution; null until it is made")
    tenant = serializers.SlugField()
    trigger = serializers.CharField()
    status = serializers.ChoiceField(ItemStatus.choices)
    was = serializers.ChoiceField(ExecutionStatus.choices, help_text="how the first one ended")
    reason = serializers.CharField(allow_blank=True, help_text="an error's code, or why it was not started")


class ReplayItemPage(PageSerializer):
    """A page of items."""

    results = ReplayItemSerializer(many=True)


def preview_row(seen: Preview) -> dict[str, Any]:
    """A preview as the API tells it."""
    return {
        "executions": seen.executions,
        "events": seen.events,
        "records": seen.records,
        "api_calls": seen.api_calls,
        "quota": [
            {
                "tenant": cost.tenant,
                "executions": cost.executions,
                "api_calls": cost.api_calls,
                "executions_left": cost.executions_left,
                "api_calls_left": cost.api_calls_left,
                "is_short": cost.is_short,
            }
            for cost in seen.costs
        ],
        "not_replayable": seen.gone,
        "succeeded_since": seen.succeeded_since,
        "newer_events": seen.newer_events,
        "records_checked": seen.checked,
        "not_ended": seen.choice.open,
        "covered": seen.choice.covered,
        "without_failures": seen.choice.fine,
        "is_cut": seen.choice.is_cut,
        "token": seen.token,
    }


def replay_row(replay: Replay) -> dict[str, Any]:
    """A bulk replay as a list shows it."""
    return {
        "id": str(replay.code),
        "tenant": replay.tenant.slug if replay.tenant else None,
        "status": replay.status,
        "filter": replay.filter,
        "mode": replay.mode,
        "release": replay.release,
        "records": replay.records,
        "total": replay.total,
        "done": replay.done,
        **{name: getattr(replay, name) for name in COUNTS},
        "is_cut": replay.is_cut,
        "created_at": replay.created_at,
        "started_at": replay.started_at,
        "finished_at": replay.finished_at,
    }


def item_row(item: ReplayItem) -> dict[str, Any]:
    """An item as a list shows it."""
    return {
        "execution_id": str(item.original.code),
        "replayed_as": str(item.made.code) if item.made else None,
        "tenant": item.tenant.slug,
        "trigger": item.original.trigger,
        "status": item.status,
        "was": item.original.status,
        "reason": item.reason,
    }
