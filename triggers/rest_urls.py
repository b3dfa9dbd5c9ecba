"""Addresses of the REST API, each with and without its last slash; the schema tells the one with it."""

from __future__ import annotations

from django.urls import path

from tenants.rest_urls import both
from triggers import (
    connection_rest,
    governing_rest,
    history_rest,
    pausing_rest,
    releases_rest,
    replays_rest,
    rest,
)

urlpatterns = [
    *both("events", rest.EventList, "events"),
    *both("events/<str:code>", rest.EventDetail, "event"),
    *both("executions", rest.ExecutionList, "executions"),
    *both("executions/<str:code>", rest.ExecutionDetail, "execution"),
    *both("executions/<str:code>/trace", rest.ExecutionTrace, "execution-trace"),
    *both("executions/<str:code>/replay", rest.ExecutionReplay, "execution-replay"),
    *both("replays", replays_rest.ReplayList, "replays"),
    *both("replays/<str:code>", replays_rest.ReplayDetail, "replay"),
    *both("replays/<str:code>/items", replays_rest.ReplayItems, "replay-items"),
    *both("replays/<str:code>/cancel", replays_rest.ReplayCancel, "replay-cancel"),
    *both("triggers", rest.TriggerList, "triggers"),
    *both("triggers/<str:name>/pause", pausing_rest.TriggerPause, "trigger-pause"),
    *both("triggers/<str:name>/resume", pausing_rest.TriggerResume, "trigger-resume"),
    *both("releases", releases_rest.ReleaseList, "releases"),
    *both("releases/<str:version>", releases_rest.ReleaseDetail, "release"),
    *both("connections/<str:code>/test", connection_rest.ConnectionTest, "connection-test"),
    *both("connections/<str:code>/history", history_rest.ConnectionHistory, "connection-history"),
    *both("limits", governing_rest.Limits, "limits"),
    *both("quota", governing_rest.QuotaDetail, "quota"),
    *both("quota/upgrade", governing_rest.QuotaUpgrade, "quota-upgrade"),
    *both("usage", governing_rest.Usage, "usage"),
    path("usage.csv", governing_rest.Usage.as_view(schema=None, form="csv"), name="usage-csv"),
]
