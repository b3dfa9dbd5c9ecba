"""Asking again who somebody is, before limits, tokens and secrets."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from governor.models import Override
from tenants.models import ApiKey, AuditEvent

pytestmark = pytest.mark.django_db
ADD = "/admin/tenants/apikey/add/"


def make_stale(client):
    session = client.session
    session["proved_at"] = time.time() - 601
    session.save()


@pytest.fixture
def stale(console):
    """A client of an operator whose proof is 10 minutes old."""
    make_stale(console)
    return console


class TestDemand:
    def test_who_just_signed_in_is_not_asked(self, console):
        assert console.get(ADD).status_code == 200

    def test_a_page_is_come_back_to_after_the_password(self, stale):
        asked = stale.get(ADD)["Location"]
        assert asked == "/admin/confirm/?next=%2Fadmin%2Ftenants%2Fapikey%2Fadd%2F"
        assert b'type="password"' in stale.get(asked).content

        answer = stale.post(asked, {"proof": "operator-password"})

        assert answer["Location"] == ADD
        assert stale.get(ADD).status_code == 200
        assert AuditEvent.objects.get().verb == "confirmed who they are as"

    def test_a_wrong_password_changes_nothing(self, stale):
        answer = stale.post("/admin/confirm/?next=/admin/", {"proof": "wrong"})

        assert b"Wrong password." in answer.content
        assert stale.get(ADD).status_code == 302

    def test_a_deed_is_not_done_and_is_pressed_again(self, stale, acme, operator):
        form = {"name": "x", "tenant": acme.pk, "user": operator.pk}

        asked = stale.post(ADD, form)["Location"]
        answer = stale.post(asked, {"proof": "operator-password"}, follow=True)

        assert not ApiKey.objects.exists()
        assert "press the button again" in answer.content.decode()
        stale.post(ADD, form)
        assert ApiKey.objects.count() == 1

    def test_leads_to_no_other_host(self, stale):
        for address in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
            answer = stale.post("/admin/confirm/", {"proof": "x"}, query_params={"next": address})
            assert b"evil" not in answer.content
            assert b"javascript:" not in answer.content

    def test_five_wrong_passwords_lock_the_page_too(self, stale):
        for _ in range(4):
            assert stale.post("/admin/confirm/", {"proof": "wrong"}).status_code == 200

        assert stale.post("/admin/confirm/", {"proof": "wrong"}).status_code == 429
        assert stale.post("/admin/confirm/", {"proof": "operator-password"}).status_code == 429

    def test_comes_as_a_redirect_that_htmx_follows(self, stale):
        answer = stale.post(ADD, {}, headers={"HX-Request": "true"})

        assert answer["HX-Redirect"].startswith("/admin/confirm/?next=")


class TestWhatAsks:
    def test_setting_a_limit_keeps_what_was_typed(self, stale):
        form = {
            "name": "executions_per_day", "scope": "tenant", "tenant": "acme", "value": "700",
            "ends": "week", "reason": "a launch",
        }  # fmt: skip
        add = "/admin/governor/override/add/"
        seen = stale.post(add, {**form, "preview": "1"}).context["form"].fingerprint

        asked = stale.post(add, {**form, "set": "1", "sure": "1", "seen": seen})["Location"]
        back = stale.post(asked, {"proof": "operator-password"})["Location"]
        page = stale.get(back).content.decode()

        assert not Override.objects.exists()
        assert 'value="a launch"' in page
        assert 'value="700"' in page

    def test_rotating_a_secret(self, stale, acme_standard):
        row = {"action": "rotate", "_selected_action": [acme_standard.pk]}
        answer = stale.post(
            "/admin/tenants/connection/", row, headers={"Referer": "http://testserver/admin/x/"}
        )

        query = parse_qs(urlsplit(answer["Location"]).query)
        assert query == {"next": ["/admin/x/"], "again": ["1"]}
        assert not AuditEvent.objects.exists()


class TestPortal:
    def test_asks_in_the_portals_look(self, owner):
        client = Client()
        client.force_login(owner)

        page = client.get("/t/acme/confirm/?next=/t/acme/usage/").content.decode()
        answer = client.post("/t/acme/confirm/?next=/t/acme/usage/", {"proof": "owner-password"})

        assert "portal.css" in page
        assert answer["Location"] == "/t/acme/usage/"
        assert AuditEvent.objects.get().tenant.slug == "acme"

    def test_is_nothing_to_a_stranger(self, acme, stranger):
        client = Client()
        client.force_login(stranger)

        assert client.get("/t/acme/confirm/").status_code == 404

    def test_without_a_password_one_signs_in_again(self, owner):
        owner.set_unusable_password()
        owner.save()
        client = Client()
        client.force_login(owner)
        assert b"Sign in again" in client.get("/t/acme/confirm/").content

        answer = client.post("/t/acme/confirm/?next=/t/acme/usage/", {"leave": "1"})

        assert answer["Location"] == "/t/acme/sign-in/?next=%2Ft%2Facme%2Fusage%2F"
