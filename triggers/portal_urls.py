"""Addresses of the portal's pages about what ran."""

from __future__ import annotations

from django.urls import path

from triggers import (
    portal_activity_views,
    portal_agents_views,
    portal_alerts_views,
    portal_approvals_views,
    portal_connections_views,
    portal_data_views,
    portal_history_views,
    portal_home_views,
    portal_signals_views,
    portal_views,
)

urlpatterns = [
    path("", portal_home_views.home, name="portal-home"),
    path("activity/", portal_activity_views.activity, name="portal-activity"),
    path("activity/<str:code>/", portal_activity_views.one, name="portal-execution"),
    path("connections/", portal_connections_views.connections, name="portal-connections"),
    path("connections/new/<slug:crm>/", portal_connections_views.new, name="portal-connection-new"),
    path("connections/<uuid:code>/", portal_connections_views.one, name="portal-connection"),
    path("connections/<uuid:code>/arrived/", portal_connections_views.arrived, name="portal-arrived"),
    path("connections/<uuid:code>/history/", portal_history_views.history, name="portal-history"),
    path("connections/<uuid:code>/import/", portal_history_views.import_again, name="portal-import-again"),
    path("connections/<uuid:code>/test/", portal_connections_views.send_test, name="portal-test-event"),
    path("connections/<uuid:code>/rotate/", portal_connections_views.rotate, name="portal-rotate"),
    path("connections/<uuid:code>/switch/", portal_connections_views.switch, name="portal-switch"),
    path("connections/<uuid:code>/token/", portal_connections_views.token, name="portal-token"),
    path("alerts/", portal_alerts_views.alerts, name="portal-alerts"),
    path("alerts/save/", portal_alerts_views.save, name="portal-alerts-save"),
    path("alerts/test/", portal_alerts_views.send_test, name="portal-alert-test"),
    path("approvals/", portal_approvals_views.waiting, name="portal-approvals"),
    path("approvals/<uuid:code>/", portal_approvals_views.decide, name="portal-approval"),
    path("agents/", portal_agents_views.all_agents, name="portal-agents"),
    path("signals/", portal_signals_views.signals, name="portal-signals"),
    path("signals/save/", portal_signals_views.save, name="portal-signals-save"),
    path("signals/<uuid:code>/read/", portal_signals_views.read_fields, name="portal-fields-read"),
    path("signals/<uuid:code>/create/", portal_signals_views.create_fields, name="portal-fields-create"),
    path("agents/lead-scoring/settings/", portal_agents_views.scoring, name="portal-scoring"),
    path("agents/<slug:name>/switch/", portal_agents_views.switch, name="portal-agent-switch"),
    path("data/", portal_data_views.data, name="portal-data"),
    path("data/contact/", portal_data_views.look, name="portal-data-look"),
    path("data/contact/export/", portal_data_views.export_contact, name="portal-data-export"),
    path("data/contact/erase/", portal_data_views.erase, name="portal-data-erase"),
    path("data/records/export/", portal_data_views.export_all, name="portal-data-export-all"),
    path("data/receipts/<uuid:code>/", portal_data_views.receipt, name="portal-data-receipt"),
    path("usage/", portal_views.usage, name="portal-usage"),
    path("usage/upgrade/", portal_views.ask_upgrade, name="portal-upgrade"),
    path("usage.csv", portal_views.usage_csv, name="portal-usage-csv"),
]
