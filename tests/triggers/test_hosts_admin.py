"""Operators look at hosts, and may let requests pass again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils.timezone import now

from governor.models import HostState
from tenants.models import AuditEvent
from tenants.scope import every_tenant
from triggers import outage
from triggers.models import Lane

pytestmark = pytest.mark.django_db
LIST = "/admin/governor/hoststate/"


@pytest.fixture
def states(acme, globex):
    soon = now() + timedelta(minutes=5)
    with every_tenant():
        made = [
            HostState.objects.create(
                tenant=tenant, host="api.example.com:443", state=state, failures=5, openings=2,
                opened_at=now(),
                probe_at=soon, hold_until=soon, last_problem="It answered 503.", last_at=now(),
            )
            for tenant, state in ((acme, "open"), (globex, "half-open"))
        ]  # fmt: skip
        for tenant in (acme, globex):
            Lane.objects.create(
                tenant=tenant, object="Contact", parked_reason=outage.PARKED, parked_until=soon
            )
    return made


def press(client, state):
    return client.post(LIST, {"action": "close_circuit", "_selected_action": [state.pk]})


class TestList:
    def test_tells_what_is_wrong_and_is_in_the_navigation(self, client, operator, states):
        client.force_login(operator)

        shown = client.get(LIST).content.decode()

        assert shown.count("api.example.com:443") >= 2
        assert "It answered 503." in shown
        assert "Hosts" in client.get("/admin/").content.decode()

    def test_details_open_and_cannot_be_changed(self, client, operator, states):
        client.force_login(operator)
        page = f"{LIST}{states[0].pk}/change/"

        assert client.get(page).status_code == 200
        assert client.post(page, {"state": "closed"}).status_code == 403

    def test_is_for_operators_alone(self, client, owner, states):
        client.force_login(owner)

        assert client.get(LIST).status_code == 404


class TestClose:
    def test_lets_requests_pass_and_lanes_go_on_of_that_tenant_alone(self, client, operator, states):
        client.force_login(operator)

        press(client, states[0])

        with every_tenant():
            ours, theirs = HostState.objects.order_by("id")
            lanes = dict(Lane.objects.values_list("tenant__slug", "parked_reason"))
        assert (ours.state, ours.failures, ours.probe_at, ours.hold_until) == ("closed", 0, None, None)
        assert theirs.state == "half-open"
        assert lanes == {"acme": "", "globex": "provider-down"}
        event = AuditEvent.objects.get(verb="host.close-circuit")
        assert (event.target, event.data["state"]) == ("api.example.com:443", "open")

    def test_needs_the_right_to_change(self, client, operator, states):
        operator.is_superuser = False
        operator.save(update_fields=["is_superuser"])
        operator.user_permissions.add(Permission.objects.get(codename="view_hoststate"))
        client.force_login(operator)

        press(client, states[0])

        with every_tenant():
            assert HostState.objects.get(pk=states[0].pk).state == "open"
