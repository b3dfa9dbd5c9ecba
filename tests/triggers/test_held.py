"""What is held: lanes by reason and their verbs, and refused deliveries that are verified again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now

from governor.models import HostState
from tenants.connections import rotate_secret
from tenants.ids import new_code
from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tenants.secrets import seal
from tests.factories import body_of, sign_standard
from tests.query_counts import counted
from tests.rows import make_event
from triggers import bells, delivery_connections, group_commit, held_lanes, outage
from triggers.models import Event, Lane, RefusedDelivery

PARKED = "/admin/governor/parking/"
REFUSED = "/admin/triggers/refuseddelivery/"
AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MENDED = "whsec_" + "QUJD" * 8


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    lanes: list[int] = []
    monkeypatch.setattr(bells, "ring", lanes.extend)
    return lanes


def hold(tenant, reason, *, events=2, kind="Contact"):
    with every_tenant():
        lane = Lane.objects.create(
            tenant=tenant, object=kind, parked_reason=reason, parked_until=now() + timedelta(hours=1)
        )
    for _ in range(events):
        make_event(tenant, lane=lane)
    return lane


@pytest.mark.django_db
class TestHeld:
    def test_tells_each_lane_with_its_reason_and_verb(self, console, acme, globex):
        hold(acme, "quota", events=3)
        hold(globex, outage.PARKED)
        hold(globex, "", kind="Task")
        console.get(PARKED)
        with counted("admin.parked.held"):
            shown = console.get(PARKED).content.decode()

        assert "3 wait" in shown
        assert f"{PARKED}{acme.code}/release/" in shown
        assert f"{PARKED}{globex.code}/try/" in shown
        assert f"{PARKED}{acme.code}/try/" not in shown
        assert "Task" not in shown

    def test_tells_the_lanes_of_a_tenant_that_is_paused(self, acme, globex):
        hold(acme, "")
        hold(globex, "")
        acme.status = "paused"
        acme.save(update_fields=["status"])

        (lane,) = held_lanes.held()

        assert (lane.tenant, lane.said, lane.events) == ("Acme", "the tenant is paused", 2)

    def test_counts_no_further_than_it_must(self, acme, monkeypatch):
        monkeypatch.setattr(held_lanes, "MOST_COUNTED", 2)
        hold(acme, "quota", events=5)

        assert held_lanes.held()[0].events_told == "2+"

    def test_try_now_lets_one_tenants_lanes_go_on(
        self, console, acme, globex, rung, django_capture_on_commit_callbacks
    ):
        mine, other = hold(acme, outage.PARKED), hold(globex, outage.PARKED)
        with every_tenant():
            for tenant in (acme, globex):
                HostState.objects.create(
                    tenant=tenant, host="api.example.com:443", state=HostState.State.OPEN, failures=5,
                    openings=1, opened_at=now(), probe_at=now() + timedelta(minutes=5), last_at=now(),
                )  # fmt: skip

        with django_capture_on_commit_callbacks(execute=True):
            answer = console.post(f"{PARKED}{acme.code}/try/", follow=True)

        assert "Requests to 1 host of Acme pass again; 1 lane goes on." in answer.content.decode()
        assert rung == [mine.pk]
        other.refresh_from_db()
        assert other.parked_reason == outage.PARKED
        assert AuditEvent.objects.get().verb == "lane.try-now"
        again = console.post(f"{PARKED}{acme.code}/try/", follow=True)
        assert "No lane of Acme waits" in again.content.decode()

    def test_who_may_not_is_refused(self, viewer, acme):
        hold(acme, outage.PARKED)

        assert f"{acme.code}/try/" not in viewer.get(PARKED).content.decode()
        assert viewer.post(f"{PARKED}{acme.code}/try/").status_code == 403


def refuse(connection, number, *, secret=MENDED):
    body = body_of({"type": "contact.created", "data": {"id": f"r{number}", "email": "ada@example.test"}})
    at = AT + timedelta(seconds=number)
    code = new_code()
    with every_tenant():
        return RefusedDelivery.objects.create(
            code=code,
            tenant=connection.tenant,
            connection=connection,
            received_at=at,
            error_code="triggers.bad-signature",
            detail="The signature does not match.",
            headers={**sign_standard(body, secret=secret, at=at), ":uris": ["https://hooks.test/h/1/"]},
            body=seal(body, context=f"refused:{connection.tenant_id}:{code}"),
            size=len(body),
        )


@pytest.mark.django_db(transaction=True)
class TestVerifyAgain:
    @pytest.fixture(autouse=True)
    def _own_thread(self):
        delivery_connections.forget()
        yield
        group_commit.stop()

    def test_what_holds_now_becomes_events_in_order(self, console, acme_standard, globex_standard):
        second, first = refuse(acme_standard, 2), refuse(acme_standard, 1)
        refuse(acme_standard, 3, secret="whsec_QUJD")
        refuse(globex_standard, 4)
        rotate_secret(connection=acme_standard, new=MENDED, at=AT)
        page = console.get(f"{REFUSED}{second.code}/change/").content.decode()
        assert "https://hooks.test/h/1/" in page
        assert "webhook-signature" in page
        assert "ada@example.test" not in page

        answer = console.post(f"{REFUSED}{first.code}/verify/", {"all": "1"}, follow=True)

        shown = answer.content.decode()
        assert "2 deliveries verified: 2 new events in line." in shown
        assert "still does not hold" in shown
        with every_tenant():
            events = Event.objects.order_by("id").values_list("record_id", "tenant__slug", "received_at")
            assert list(events) == [
                ("r1", "acme", first.received_at),
                ("r2", "acme", second.received_at),
            ]
            assert RefusedDelivery.objects.count() == 2
        audited = AuditEvent.objects.get(verb="delivery.verify-again")
        assert len(audited.data["taken"]) == 2
        assert len(audited.data["refused"]) == 1

    def test_selected_ones_and_those_that_still_do_not_hold(self, console, acme_standard):
        kept = refuse(acme_standard, 1)

        said = console.post(
            REFUSED, {"action": "verify_selected", "_selected_action": [str(kept.pk)]}, follow=True
        )
        one = console.post(f"{REFUSED}{kept.code}/verify/", follow=True)

        assert "still does not hold" in said.content.decode()
        assert "still does not hold" in one.content.decode()
        with every_tenant():
            assert RefusedDelivery.objects.count() == 1
            assert not Event.objects.exists()
        assert console.get(f"{REFUSED}{new_code()}/change/").status_code == 404
        assert console.get(f"{REFUSED}x/change/").status_code == 404
