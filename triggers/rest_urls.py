"""Addresses of the REST API, each with and without its last slash; the schema tells the one with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from triggers import (
    connection_rest,
    governing_rest,
    pausing_rest,
    releases_rest,
    replays_rest,
    rest,
)

if TYPE_CHECKING:
    from django.urls import URLPattern
    from rest_framework.views import APIView


def _both(route: str, view: type[APIView], name: str) -> list[URLPattern]:
    return [path(f"{route}/", view.as_view(), name=name), path(route, view.as_view(schema=None))]


urlpatterns = [
    *_both("events", rest.EventList, "events"),
    *_both("events/<str:code>", rest.EventDetail, "event"),
    *_both("executions", rest.ExecutionList, "executions"),
    *_both("executions/<str:code>", rest.ExecutionDetail, "execution"),
    *_both("executions/<str:code>/trace", rest.ExecutionTrace, "execution-trace"),
    *_both("executions/<str:code>/replay", rest.ExecutionReplay, "execution-replay"),
    *_both("replays", replays_rest.ReplayList, "replays"),
    *_both("replays/<str:code>", replays_rest.ReplayDetail, "replay"),
    *_both("replays/<str:code>/items", replays_rest.ReplayItems, "replay-items"),
    *_both("replays/<str:code>/cancel", replays_rest.ReplayCancel, "replay-cancel"),
    *_both("triggers", rest.TriggerList, "triggers"),
    *_both("triggers/<str:name>/pause", pausing_rest.TriggerPause, "trigger-pause"),
    *_both("triggers/<str:name>/resume", pausing_rest.TriggerResume, "trigger-resume"),
    *_both("releases", releases_rest.ReleaseList, "releases"),
    *_both("releases/<str:version>", releases_rest.ReleaseDetail, "release"),
    *_both("connections/<str:code>/test", connection_rest.ConnectionTest, "connection-test"),
    *_both("limits", governing_rest.Limits, "limits"),
    *_both("quota", governing_rest.QuotaDetail, "quota"),
    *_both("quota/upgrade", governing_rest.QuotaUpgrade, "quota-upgrade"),
    *_both("usage", governing_rest.Usage, "usage"),
    path("usage.csv", governing_rest.Usage.as_view(schema=None, form="csv"), name="usage-csv"),
]
