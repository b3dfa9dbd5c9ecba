"""Operators see who is near a quota, and let what waits run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from governor.calendar import day_of, month_of
from governor.choices import RequestStatus
from governor.models import Override, Parking, UpgradeRequest, Usage
from tenants.ids import new_code
from tenants.models import AuditEvent, Tenant
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers import bells
from triggers.models import Lane, OutboxLane, OutboxWrite

pytestmark = pytest.mark.django_db
USAGE = "/admin/governor/usage/"
PARKED = "/admin/governor/parking/"
UPGRADES = "/admin/governor/upgraderequest/"


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    lanes: list[int] = []
    monkeypatch.setattr(bells, "ring", lanes.extend)
    return lanes


@pytest.fixture
def parked(acme, globex):
    """acme used its day up, three of its events wait; globex has room."""
    at = now()
    for tenant, executions in ((acme, 100), (globex, 40)):
        on = day_of(at, tenant.timezone)
        with every_tenant():
            Usage.objects.create(
                tenant=tenant, period="d", starts_on=on, executions=executions, held_executions=0, api_calls=7
            )
            Usage.objects.create(
                tenant=tenant, period="m", starts_on=month_of(on), executions=executions, api_calls=7
            )
    with every_tenant():
        lane = Lane.objects.create(
            tenant=acme, object="Contact", parked_reason="quota", parked_until=at + timedelta(hours=4)
        )
        Parking.objects.create(
            tenant=acme,
            reason="100 of today's 100 executions are used.",
            since=at,
            until=at + timedelta(hours=4),
        )
        Parking.objects.create(
            tenant=globex, reason="It was.", since=at - timedelta(days=2), ended_at=at, ended_by="reset"
        )
    for _ in range(3):
        make_event(acme, lane=lane)
    return lane


def ask(tenant, *, tier="paid", **fields):
    with every_tenant():
        return UpgradeRequest.objects.create(
            tenant=tenant, tier_id=tier, requested_by="owner", requested_at=now(), note="We grow.", **fields
        )


class TestUsage:
    def test_costs_what_it_did_and_tells_the_nearest_first(self, console, parked):
        console.get(USAGE)
        with counted("admin.usage"):
            shown = console.get(USAGE).content.decode()

        assert shown.index('data-tenant="acme"') < shown.index('data-tenant="globex"')
        assert "✕ used up" in shown
        assert "3 wait" in shown

    def test_a_thousand_tenants_cost_the_same(self, console, parked):
        Tenant.objects.bulk_create(
            Tenant(slug=f"t{n}", name=f"T{n}", tier_id="free", schema_name=f"t_t{n}") for n in range(1_000)
        )
        console.get(USAGE)

        with counted("admin.usage"):
            first = console.get(USAGE).content.decode()
        assert "More tenants" in first
        assert "Nearer to their quota" in console.get(USAGE, {"p": "2"}).content.decode()

    def test_finds_a_tenant(self, console, parked):
        shown = console.get(USAGE, {"q": "glob", "p": "x"}).content.decode()

        assert 'data-tenant="globex"' in shown
        assert 'data-tenant="acme"' not in shown
        assert "No tenant is found" in console.get(USAGE, {"q": "initech"}).content.decode()

    def test_one_tenant_with_what_waits_and_what_to_do(self, console, parked, acme, globex):
        acme.timezone = "America/Denver"
        acme.save(update_fields=["timezone"])
        console.get(f"{USAGE}{acme.code}/")

        with counted("admin.usage.tenant"):
            shown = console.get(f"{USAGE}{acme.code}/").content.decode()

        assert "3 events wait for the quota" in shown
        assert "00:00 in America/Denver, " in shown
        assert f"{PARKED}{acme.code}/release/" in shown
        other = console.get(f"{USAGE}{globex.code}/").content.decode()
        assert "Nothing waits." in other
        assert "/release/" not in other
        assert console.get(f"{USAGE}{new_code()}/").status_code == 404

    def test_the_overview_tells_who_is_near(self, console, parked, globex):
        make_execution(globex)
        ask(globex, tier="free")

        shown = console.get("/admin/").content.decode()

        near = shown[shown.index('id="near"') : shown.index('id="triggers"')]
        assert "Acme" in near
        assert "100 of 100 Executions a day" in near
        assert "Globex" not in near
        assert "1 upgrade request open" in near
        assert "1 lane: <b>quota</b>" in shown

    def test_of_tenants_leads_there(self, console, acme):
        shown = console.get(f"/admin/tenants/tenant/{acme.code}/change/").content.decode()

        assert f"/admin/governor/override/effective/{acme.code}/" in shown
        assert f"{USAGE}{acme.code}/" in shown


class TestParked:
    def test_lists_who_waits(self, console, parked, acme):
        console.get(PARKED)
        with counted("admin.parked"):
            shown = console.get(PARKED).content.decode()

        assert "100 of today" in shown
        assert "It was." in shown
        assert shown.count("/release/") == 2  # of the lane that is held, and of the stretch of waiting
        assert console.get(f"{PARKED}{Parking._base_manager.first().pk}/change/").status_code == 200

    def test_lets_what_waits_run(self, console, parked, acme, rung, django_capture_on_commit_callbacks):
        page = f"{PARKED}{acme.code}/release/"
        asked = console.get(page)
        assert "Waiting for the quota of Acme: 3 events." in asked.content.decode()
        assert asked.context["form"].initial["executions"] == asked.context["enough"].executions

        with django_capture_on_commit_callbacks(execute=True):
            answer = console.post(
                page, {"executions": "3", "api_calls": "0", "reason": "a launch"}, follow=True
            )

        assert "1 lane of Acme runs now." in answer.content.decode()
        made = Override.objects.get()
        assert (made.name, made.value, made.actor, made.tenant) == (
            "executions_per_day",
            103,
            "operator",
            acme,
        )
        parked.refresh_from_db()
        assert parked.parked_reason == ""
        assert rung == [parked.pk]
        assert AuditEvent.objects.filter(verb="let run what waited of", tenant=acme).count() == 1

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"reason": "x"}, "Say why"),
            ({"executions": "-1"}, "greater than or equal"),
            ({"reason": ""}, "required"),
        ],
    )
    def test_faults_are_told(self, console, parked, acme, change, said):
        values = {"executions": "3", "api_calls": "0", "reason": "a launch", **change}

        answer = console.post(f"{PARKED}{acme.code}/release/", values)

        assert said in answer.content.decode()
        assert not Override.objects.exists()

    def test_too_little_opens_nothing_and_says_so(self, console, parked, acme):
        values = {"executions": "0", "api_calls": "0", "reason": "a launch"}

        answer = console.post(f"{PARKED}{acme.code}/release/", values, follow=True)

        assert "Nothing could be opened yet" in answer.content.decode()

    def test_writes_to_a_crm_too(self, console, acme, globex, acme_hubspot):
        on = day_of(now(), acme.timezone)
        with every_tenant():
            Usage.objects.create(tenant=acme, period="d", starts_on=on, api_calls=1_000)
            lane = OutboxLane.objects.create(
                connection=acme_hubspot, tenant=acme, waits_for_quota=True, next_attempt_at=now()
            )
            OutboxWrite.objects.create(
                tenant=acme, connection=acme_hubspot, execution=new_code(), object="Contact", record_id="c1",
                operation="update", sealed=b"", created_at=now(), status="pending",
            )  # fmt: skip
        page = f"{PARKED}{acme.code}/release/"
        assert page in console.get(f"{USAGE}{acme.code}/").content.decode()
        asked = console.get(page)
        assert "Waiting for the quota of Acme: 1 CRM write." in asked.content.decode()

        answer = console.post(page, {"executions": "0", "api_calls": "1", "reason": "a launch"}, follow=True)

        assert "CRM writes of Acme are sent now." in answer.content.decode()
        lane.refresh_from_db()
        assert (lane.waits_for_quota, lane.next_attempt_at) == (False, None)
        assert Override.objects.get().value == 1_001

    def test_where_nothing_waits(self, console, parked, globex):
        values = {"executions": "3", "api_calls": "0", "reason": "a launch"}

        answer = console.post(f"{PARKED}{globex.code}/release/", values)

        assert "Nothing of Globex waits" in answer.content.decode()


class TestUpgrades:
    def test_open_ones_first_with_their_usage(self, console, parked, acme, globex):
        ask(globex, tier="free", status=RequestStatus.OPEN)
        ask(acme, status=RequestStatus.DECLINED, decided_by="eve", decided_at=now(), answer="Not now.")
        console.get(UPGRADES)

        with counted("admin.upgrades"):
            shown = console.get(UPGRADES).content.decode()

        rows = shown[shown.index('id="result_list"') :]
        assert rows.index("Globex") < rows.index("Acme")
        assert "100 of 100 executions" in rows
        assert "40 of 10,000 executions" in rows
        assert rows.count("/approve/") == 1
        assert "Not now." in rows

    def test_one_click_approves_and_what_waits_drains(
        self, console, parked, acme, globex, django_capture_on_commit_callbacks
    ):
        asked = ask(acme)
        ask(globex, tier="free")

        with django_capture_on_commit_callbacks(execute=True):
            answer = console.post(f"{UPGRADES}{asked.code}/approve/", follow=True)

        assert "Acme has the Paid plan. 1 lane of it runs now." in answer.content.decode()
        acme.refresh_from_db()
        globex.refresh_from_db()
        assert (acme.tier_id, globex.tier_id) == ("paid", "paid")
        parked.refresh_from_db()
        assert parked.parked_reason == ""

    def test_the_request_with_its_usage(self, console, parked, acme):
        asked = ask(acme)

        shown = console.get(f"{UPGRADES}{asked.code}/change/").content.decode()

        assert "Acme asks for the Paid plan." in shown
        assert "We grow." in shown
        assert "✕ used up" in shown

    def test_declining_needs_an_answer(self, console, acme, globex):
        asked = ask(acme)
        page = f"{UPGRADES}{asked.code}/decline/"

        assert "Say why" in console.post(page, {"answer": " "}, follow=True).content.decode()
        console.post(page, {"answer": "Not this year."})

        asked.refresh_from_db()
        assert (asked.status, asked.answer, asked.decided_by) == ("declined", "Not this year.", "operator")
        shown = console.get(f"{UPGRADES}{asked.code}/change/").content.decode()
        assert "Declined by operator" in shown
        assert ">Approve<" not in shown

    def test_decided_once(self, console, acme):
        asked = ask(acme)
        console.post(f"{UPGRADES}{asked.code}/approve/")

        answer = console.post(f"{UPGRADES}{asked.code}/approve/", follow=True)

        assert "operator decided already" in answer.content.decode()

    def test_a_look_decides_nothing(self, console, acme):
        asked = ask(acme)

        for verb in ("approve", "decline"):
            assert console.get(f"{UPGRADES}{asked.code}/{verb}/").status_code == 405
            assert console.post(f"{UPGRADES}{new_code()}/{verb}/").status_code == 404
        assert console.get(f"{UPGRADES}{new_code()}/change/").status_code == 404


class TestAccess:
    def pages(self, tenant, asked):
        return [
            USAGE, f"{USAGE}{tenant.code}/", PARKED, UPGRADES, f"{UPGRADES}{asked.code}/change/",
        ], [
            f"{PARKED}{tenant.code}/release/", f"{UPGRADES}{asked.code}/approve/",
            f"{UPGRADES}{asked.code}/decline/",
        ]  # fmt: skip

    def test_is_for_operators_alone(self, client, parked, acme, owner):
        looks, deeds = self.pages(acme, ask(acme))

        for person in (None, owner):
            if person:
                client.force_login(person)
            for page in looks + deeds:
                assert client.get(page).status_code == (404 if person else 302)
                assert client.post(page, {"answer": "no"}).status_code == (404 if person else 302)

    def test_who_may_look_may_not_decide(self, viewer, parked, acme):
        asked = ask(acme)
        looks, deeds = self.pages(acme, asked)

        for page in looks:
            shown = viewer.get(page)
            assert shown.status_code == 200
            for verb in ("/release/", "/approve/", "/decline/"):
                assert verb not in shown.content.decode(), page
        for page in deeds:
            assert viewer.post(page, {"answer": "no", "reason": "a launch"}).status_code == 403
        asked.refresh_from_db()
        assert asked.status == RequestStatus.OPEN
        assert not Override.objects.exists()

    def test_staff_without_any_permission_sees_nothing(self, client, parked, acme, django_user_model):
        client.force_login(django_user_model.objects.create_user("idle", is_staff=True))
        looks, _deeds = self.pages(acme, ask(acme))

        for page in looks:
            assert client.get(page).status_code == 403, page
