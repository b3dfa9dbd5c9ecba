"""The operators' console: pages open, cost what they did, and leave history as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from tenants.ids import new_code
from tenants.scope import every_tenant
from tenants.secrets import seal
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers.models import Execution, Lane, OutboxWrite, RefusedDelivery, TriggerConfig

pytestmark = pytest.mark.django_db
LIST = "/admin/triggers/execution/"


def page_of(execution):
    return f"{LIST}{execution.code}/change/"


@pytest.fixture
def busy(acme, globex, acme_ghl):
    """A bit of everything."""
    at = now()
    with every_tenant():
        lane = Lane.objects.create(
            tenant=acme, object="Contact", parked_reason="paused", parked_until=at + timedelta(hours=1)
        )
        Lane.objects.create(tenant=globex, object="Contact", lease_until=at + timedelta(hours=1))
        for tenant in (acme, globex):
            for status in ("succeeded", "failed", "partial", "bisected", "running", "queued"):
                make_execution(tenant, status=status, lane=lane)
            make_event(tenant, lane=lane)
        code = new_code()
        RefusedDelivery.objects.create(
            code=code,
            tenant=acme,
            connection=acme_ghl,
            received_at=at,
            error_code="triggers.bad-signature",
            detail="No.",
            body=seal(b"{}", context=f"refused:{acme.pk}:{code}"),
            size=2,
        )
        OutboxWrite.objects.create(
            tenant=acme,
            execution=new_code(),
            object="Contact",
            record_id="c1",
            operation="update",
            sealed=b"",
            created_at=at,
        )
    TriggerConfig.objects.create(trigger="A.b", is_enabled=False)
    TriggerConfig.objects.create(trigger="A.c", tenant=acme, paused_until=at + timedelta(hours=1))


PAGES = {
    "home": "/admin/",
    "executions": LIST,
    "events": "/admin/triggers/event/",
    "lanes": "/admin/triggers/lane/",
    "configs": "/admin/triggers/triggerconfig/rows/",
    "outbox": "/admin/triggers/outboxwrite/",
    "refused": "/admin/triggers/refuseddelivery/",
    "hosts": "/admin/governor/hoststate/",
}


class TestPages:
    @pytest.mark.parametrize("name", PAGES)
    def test_a_list_costs_what_it_did(self, console, busy, name):
        console.get(PAGES[name])  # content types and permissions are cached

        with counted(f"admin.{name}"):
            answer = console.get(PAGES[name])

        assert answer.status_code == 200

    @pytest.mark.parametrize("name", [name for name in PAGES if name != "home"])
    def test_a_list_opens_empty(self, console, name):
        assert console.get(PAGES[name]).status_code == 200

    def test_the_overview_tells_a_beginner_what_to_do(self, console):
        assert "Nothing has run yet" in console.get("/admin/").content.decode()

    def test_is_for_operators_alone(self, client, owner):
        client.force_login(owner)

        assert client.get(LIST).status_code == 404

    @pytest.mark.parametrize("page", ["lane", "outboxwrite", "refuseddelivery", "triggerconfig"])
    def test_details_open(self, console, busy, page):
        model = {
            "lane": Lane,
            "outboxwrite": OutboxWrite,
            "refuseddelivery": RefusedDelivery,
            "triggerconfig": TriggerConfig,
        }[page]
        with every_tenant():
            row = model._base_manager.first()
        address = f"/admin/triggers/{page}/{getattr(row, 'code', row.pk)}/change/"

        assert console.get(address).status_code == 200


class TestSearch:
    @pytest.mark.parametrize("query", ["lead-9", "ada@example.test", "+1 303-555-0142"])
    def test_finds_by_record_email_and_phone(self, console, acme, query):
        wanted = make_execution(
            acme,
            trigger="Wanted.one",
            records=[{"id": "lead-9", "email": "ada@example.test", "phone": "3035550142"}],
        )
        make_execution(acme, trigger="Other.one")

        shown = console.get(LIST, {"q": query}).content.decode()

        assert "Wanted.one" in shown
        assert "Other.one" not in shown
        assert str(wanted.code)[-12:] in shown

    def test_filters_narrow(self, console, acme):
        make_execution(acme, trigger="Good.one")
        make_execution(acme, trigger="Bad.one", status="failed", error_code="x.y")

        for query in ({"status__exact": "failed"}, {"trigger": "Bad.one"}, {"error": "x.y"}):
            shown = console.get(LIST, query).content.decode()
            assert "Bad.one" in shown, query
            assert "Good.one</span>" not in shown, query

    def test_the_command_palette_finds_executions(self, console, acme):
        make_execution(acme, trigger="Wanted.one", records=[{"id": "lead-9"}])

        assert b"Wanted.one" in console.get("/admin/search/", {"s": "lead-9", "extended": "1"}).content

    def test_events_are_found_by_record(self, console, acme):
        make_event(acme, record_id="lead-9")
        make_event(acme, record_id="lead-8")

        shown = console.get("/admin/triggers/event/", {"q": "lead-9"}).content.decode()

        assert "lead-9" in shown
        assert "lead-8" not in shown


class TestTracePage:
    def test_tells_the_story(self, console, acme):
        event = make_event(acme, record_id="lead-1")
        execution = make_execution(
            acme,
            records=[{"id": "lead-1"}],
            status="failed",
            limit_name="api_calls",
            error_code="governor.limit-exceeded",
            ok=0,
            failed=1,
            event_ids=[event.pk],
            usage={"api_calls": [51, 50]},
            trace={
                "error": {
                    "type": "LimitExceeded",
                    "limit": "api_calls",
                    "used": 51,
                    "max": 50,
                    "at": "a.py:31",
                },
                "entries": [{"level": "info", "message": "<script>alert(1)</script>"}],
                "spans": [{"name": f"call {n}", "at_ms": n, "ms": 1} for n in range(60)],
                "effects": [
                    {"op": "http", "args": {"method": "GET", "url": "https://x.test"}, "state": "done"}
                ],
                "outcomes": {"lead-1": ["failed", "API calls", {"used": 51}]},
            },
        )
        replayed = make_execution(acme, replay_of=execution)

        shown = console.get(page_of(execution)).content.decode()

        assert "Stopped at a limit: API calls 51 of 50 at a.py:31. Nothing was committed." in shown
        assert "36 more like these" in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert f"/admin/triggers/event/{event.code}/change/" in shown
        assert page_of(replayed) in shown
        assert page_of(execution) in console.get(page_of(replayed)).content.decode()

    def test_costs_a_fixed_number_of_queries(self, console, acme):
        event = make_event(acme)
        execution = make_execution(acme, event_ids=[event.pk])
        console.get(page_of(execution))

        with counted("admin.execution"):
            console.get(page_of(execution))

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_opens_before_it_has_run(self, console, acme, status):
        execution = make_execution(
            acme, status=status, started_at=None, finished_at=None, wall_ms=None, cpu_ms=None, usage={}
        )

        shown = console.get(page_of(execution)).content.decode()

        assert "Not finished yet" in shown
        assert ">Replay<" not in shown

    def test_an_unknown_one_leads_back(self, console):
        assert console.get(f"{LIST}{new_code()}/change/").status_code == 302

    def test_an_event_shows_its_body_masked(self, console, acme):
        event = make_event(acme, record_id="lead-3")
        execution = make_execution(acme, records=[{"id": "lead-3"}], event_ids=[event.pk])

        shown = console.get(f"/admin/triggers/event/{event.code}/change/").content.decode()

        assert "a***@e***.test" in shown
        assert "ada@example.test" not in shown
        assert page_of(execution) in shown

    def test_a_quarantined_event_says_what_does_not_fit(self, console, acme):
        event = make_event(
            acme,
            status="quarantined",
            reason="triggers.misfit",
            error={"detail": "it does not fit", "fields": [{"field": "email", "reason": "not a string"}]},
        )

        shown = console.get(f"/admin/triggers/event/{event.code}/change/").content.decode()

        assert "Kept, but not run: it does not fit." in shown
        assert "not a string" in shown


class TestReplay:
    @pytest.fixture
    def execution(self, acme):
        event = make_event(acme, record_id="lead-1", status="succeeded")
        return make_execution(
            acme, records=[{"id": "lead-1"}], event_ids=[event.pk], event_codes=[event.code]
        )

    def test_a_press_starts_a_new_execution_and_leads_to_it(self, console, execution):
        answer = console.post(f"{LIST}{execution.code}/replay/", {"mode": "live"})

        with every_tenant():
            started = Execution.objects.get(replay_of=execution)
        assert answer.url == page_of(started)
        assert "Replay queued" in console.get(answer.url).content.decode()

    def test_a_look_starts_nothing(self, console, execution):
        assert console.get(f"{LIST}{execution.code}/replay/").status_code == 405

    def test_refusals_are_told_on_the_page(self, console, acme, execution):
        running = make_execution(acme, status="running", finished_at=None)

        for code, mode, said in (
            (running.code, "live", "has not ended"),
            (execution.code, "wet", "is no mode"),
        ):
            answer = console.post(f"{LIST}{code}/replay/", {"mode": mode}, follow=True)
            assert said in answer.content.decode()
        with every_tenant():
            assert not Execution.objects.filter(replay_of__isnull=False).exists()

    def test_needs_the_permission(self, client, django_user_model, execution):
        viewer = django_user_model.objects.create_user("viewer", password="viewer-password", is_staff=True)
        client.force_login(viewer)

        assert client.post(f"{LIST}{execution.code}/replay/").status_code == 403


class TestHistory:
    @pytest.mark.parametrize("page", ["event", "execution", "lane", "outboxwrite", "refuseddelivery"])
    def test_nobody_adds_to_it(self, console, page):
        assert console.get(f"/admin/triggers/{page}/add/").status_code == 403

    def test_nobody_deletes_from_it(self, console, acme):
        execution = make_execution(acme)

        assert console.post(f"{LIST}{execution.pk}/delete/", {"post": "yes"}).status_code == 403
