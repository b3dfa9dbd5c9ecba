"""Operators see how triggers do, pause and resume them, and decide on dead letters."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils.timezone import now

from governor import overrides
from tenants.models import AuditEvent
from tests.query_counts import counted
from tests.rows import make_execution
from tests.triggers.test_dead_letters import fail
from triggers import bells, dead_letters
from triggers.models import DeadLetterGroup, TriggerConfig

pytestmark = pytest.mark.django_db
SCORE = "ContactTrigger.score_new_leads"
LIST = "/admin/triggers/triggerconfig/"
ONE = f"{LIST}of/{SCORE}/"
LETTERS = "/admin/triggers/deadlettergroup/"


@pytest.fixture(autouse=True)
def _silent(monkeypatch):
    monkeypatch.setattr(bells, "ring", lambda lanes: None)


def text(response):
    assert response.status_code == 200
    return response.content.decode()


class TestList:
    def test_tells_how_each_does_for_all_and_for_one(self, console, acme, globex):
        make_execution(acme, wall_ms=200)
        make_execution(acme, wall_ms=400, status="failed", ok=0, failed=3)
        overrides.put(name="api_calls", value=80, trigger=SCORE, reason="A campaign.", actor="eve", at=now())
        TriggerConfig.objects.create(
            trigger=SCORE, tenant=acme, paused_until=now() + timedelta(hours=1), pause_reason="Migration."
        )
        console.get(LIST)
        with counted("admin.triggers"):
            shown = text(console.get(LIST))

        assert "50.0%" in shown
        assert "300 ms" in shown
        assert "Paused for 1 tenant" in shown
        assert "80 requests" in shown
        assert "Migration." not in shown
        assert "Migration." in text(console.get(LIST, {"tenant": "acme"}))
        other = text(console.get(LIST, {"tenant": "globex"}))
        assert "50.0%" not in other
        assert "Migration." not in other
        assert console.get(LIST, {"tenant": "nobody"}).status_code == 404

    def test_a_thousand_executions_cost_the_same(self, console, acme):
        make_execution(acme)
        console.get(LIST)
        for _ in range(40):
            make_execution(acme)

        with counted("admin.triggers"):
            console.get(LIST)


class TestOne:
    def test_shows_chart_failures_and_configurations(self, console, acme, globex):
        make_execution(acme, status="failed", ok=0, failed=3, error_code="script.raised")
        TriggerConfig.objects.create(trigger=SCORE, tenant=globex, order=4)
        console.get(ONE)
        with counted("admin.trigger"):
            shown = text(console.get(ONE))

        assert "100.0% of its executions failed" in shown
        assert "script.raised" in shown
        assert "order 4" in shown
        assert console.get(f"{LIST}of/No.such/").status_code == 404

    def test_pause_says_until_when_and_resume_what_waited(self, console, acme, globex):
        answer = console.post(
            f"{ONE}pause/", {"tenant": "acme", "ends": "open", "reason": "Migration."}, follow=True
        )

        assert "is paused for Acme until it is resumed" in text(answer)
        assert "by operator, until it is resumed: Migration." in text(console.get(ONE, {"tenant": "acme"}))
        assert 'id="resume"' not in text(console.get(ONE, {"tenant": "globex"}))
        assert "No event waited." in text(console.post(f"{ONE}resume/?tenant=acme", follow=True))
        assert "is not paused" in text(console.post(f"{ONE}resume/?tenant=acme", follow=True))
        verbs = AuditEvent.objects.order_by("id").values_list("verb", "actor", "tenant__slug")
        assert list(verbs) == [
            ("trigger.pause", "operator", "acme"),
            ("trigger.resume", "operator", "acme"),
        ]

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ({"ends": "hour", "reason": ""}, "This field is required"),
            ({"ends": "custom", "reason": "r"}, "Say until when"),
            ({"ends": "custom", "until": "2001-01-01T00:00", "reason": "r"}, "must end later"),
            ({"ends": "custom", "until": "soon", "reason": "r"}, "valid date"),
            ({"ends": "never", "reason": "r"}, "valid choice"),
            ({"ends": "hour", "reason": "r", "tenant": "nobody"}, "no such tenant"),
        ],
    )
    def test_what_cannot_be_is_said_beside_the_field(self, console, acme, wanted, said):
        assert said in text(console.post(f"{ONE}pause/", wanted))
        assert not TriggerConfig.objects.exists()

    def test_until_tomorrow_and_for_an_hour(self, console, acme):
        console.post(f"{ONE}pause/", {"ends": "hour", "reason": "r"})
        assert timedelta(minutes=59) < TriggerConfig.objects.get().paused_until - now() <= timedelta(hours=1)
        console.post(f"{ONE}pause/", {"ends": "tomorrow", "reason": "r"})
        assert TriggerConfig.objects.get().paused_until.hour == 0

    def test_switches_off_and_orders(self, console, acme):
        answer = console.post(f"{ONE}switch/", {"is_enabled": "off", "order": "4"}, follow=True)

        assert "is off for all tenants" in text(answer)
        assert (TriggerConfig.objects.get().is_enabled, TriggerConfig.objects.get().order) == (False, 4)
        assert "whole number" in text(console.post(f"{ONE}switch/", {"is_enabled": "on", "order": "x"}))

    def test_a_viewer_looks_and_no_more(self, client, django_user_model, acme):
        person = django_user_model.objects.create_user("eye", password="x", is_staff=True)
        person.user_permissions.set(
            Permission.objects.filter(codename__in=["view_triggerconfig", "view_deadlettergroup"])
        )
        client.force_login(person)
        fail(acme)
        dead_letters.sweep_all()
        letter = f"{LETTERS}{DeadLetterGroup.objects.get().code}/"

        assert "do-pause" not in text(client.get(ONE))
        assert 'id="decide"' not in text(client.get(f"{letter}change/"))
        for verb in ("pause", "resume", "switch"):
            assert client.post(f"{ONE}{verb}/", {"ends": "hour", "reason": "r"}).status_code == 403
            assert client.get(f"{ONE}{verb}/").status_code == 405
        assert client.post(f"{letter}decide/", {"verb": "resolve"}).status_code == 403
        assert not AuditEvent.objects.exists()


class TestDeadLetters:
    @pytest.fixture
    def letters(self, acme, globex, operator):
        fail(acme)
        fail(globex, "No postcode for contact-99.")
        fail(globex, "Another word.", trigger="T.other")
        dead_letters.sweep_all()
        group = DeadLetterGroup.objects.get(count=2)
        dead_letters.assign(group, to=operator, actor="eve", at=now())
        return group

    def test_lists_open_groups_by_filter(self, console, letters):
        console.get(LETTERS)
        with counted("admin.deadletters"):
            shown = text(console.get(LETTERS))

        assert "No postcode for ‹id›." in shown
        assert "Another word." in shown
        assert "Another word." not in text(console.get(LETTERS, {"tenant": "acme"}))
        assert "Another word." in text(console.get(LETTERS, {"trigger": "T.other"}))
        assert "No postcode" not in text(console.get(LETTERS, {"assignee": "nobody"}))
        assert "No postcode" in text(console.get(LETTERS, {"assignee": "operator"}))
        assert "None." in text(console.get(LETTERS, {"status": "resolved"}))
        assert console.get(LETTERS, {"status": "x", "p": "²"}).status_code == 200

    def test_one_shows_executions_tenants_and_records(self, console, letters):
        address = f"{LETTERS}{letters.code}/change/"
        console.get(address)
        with counted("admin.deadletter"):
            shown = text(console.get(address))

        assert "Acme" in shown
        assert "Globex" in shown
        found = text(console.get("/admin/triggers/execution/", {"group": str(letters.code)}))
        assert found.count("field-state") == 2
        replay = re.search(r'id="replay" href="([^"]+)"', shown)[1].replace("&amp;", "&")
        assert "2 executions" in text(console.get(replay))
        nothing = text(console.get("/admin/triggers/execution/", {"group": "x"}))
        assert "field-state" not in nothing

    def test_verbs_say_what_happened(self, console, letters):
        address = f"{LETTERS}{letters.code}/decide/"

        resolved = text(console.post(address, {"verb": "resolve", "note": "Mended."}, follow=True))
        assert "Resolved. If it fails again" in resolved
        assert "“Mended.”" in resolved
        assert "is resolved already" in text(console.post(address, {"verb": "resolve"}, follow=True))
        assert "no such verb" in text(console.post(address, {"verb": "burn"}, follow=True))
        nobody = {"verb": "assign", "assignee": "nobody"}
        assert "no such operator" in text(console.post(address, nobody, follow=True))
        assert "Assigned to nobody." in text(console.post(address, {"verb": "assign"}, follow=True))
        letters.refresh_from_db()
        assert (letters.status, letters.assignee) == ("resolved", None)
