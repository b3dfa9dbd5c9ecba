"""Two addresses."""

from __future__ import annotations

from django.urls import path

from benchmarks.baseline_project.views import BareView, StoringView

urlpatterns = [path("bare/", BareView.as_view()), path("storing/", StoringView.as_view())]
