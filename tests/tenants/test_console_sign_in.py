"""Signing in to the console: the second factor, lockout, and sessions that end."""

from __future__ import annotations

import time
from dataclasses import replace
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from axes.models import AccessAttempt
from django.core.management import call_command
from django.test import Client

from circuitos.env import env
from tenants import second_factor
from tenants.models import AuditEvent

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
RIGHT = {"username": "operator", "password": "operator-password"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(steps=0, secret=SECRET):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


@pytest.fixture
def in_production(monkeypatch):
    found = replace(env(), environment="production")
    monkeypatch.setattr(second_factor, "env", lambda: found)


@pytest.fixture
def recovery(operator, valkey):
    """The operator has an app; these are the recovery codes."""
    return second_factor.enrol(operator, secret=SECRET, code=code_at())


class TestSecondFactor:
    def test_is_set_up_before_anything_else_in_production(self, client, operator, in_production, valkey):
        assert client.post(LOGIN, RIGHT)["Location"] == "/admin/"
        assert client.get("/admin/")["Location"] == "/admin/second-factor/?next=%2Fadmin%2F"
        page = client.get("/admin/second-factor/")
        secret = page.context["secret"].replace(" ", "")
        assert b"data:image/svg+xml" in page.content

        shown = client.post("/admin/second-factor/", {"code": code_at(secret=secret)})

        assert len(shown.context["codes"]) == 10
        assert client.get("/admin/tenants/tier/").status_code == 200
        assert secret not in str(Authenticator.objects.values())
        assert "set up the second factor of" in AuditEvent.objects.values_list("verb", flat=True)

    def test_is_asked_after_the_password_everywhere(self, client, operator, recovery, acme):
        client.post(LOGIN, RIGHT)
        before = client.session.session_key
        for page in ("/admin/", "/admin/auth/user/", "/t/acme/", "/t/acme/usage/"):
            assert client.get(page)["Location"].startswith("/admin/code/"), page
        assert client.get("/admin/second-factor/")["Location"].startswith("/admin/code/")
        assert client.post("/admin/code/", {"code": "000000"}).status_code == 200

        answer = client.post("/admin/code/?next=/admin/auth/user/", {"code": code_at(1)})

        assert answer["Location"] == "/admin/auth/user/"
        assert client.get("/admin/auth/user/").status_code == 200
        assert client.session.session_key != before

    def test_a_recovery_code_opens_once(self, client, operator, recovery):
        client.post(LOGIN, RIGHT)
        assert client.post("/admin/code/", {"code": recovery[0]}).status_code == 302

        again = Client()
        again.post(LOGIN, RIGHT)
        assert again.post("/admin/code/", {"code": recovery[0]}).status_code == 200

    def test_the_right_password_does_not_forget_wrong_codes(self, client, operator, recovery):
        for _ in range(4):
            client.post(LOGIN, RIGHT)
            assert client.post("/admin/code/", {"code": "000000"}).status_code == 200
        client.post(LOGIN, RIGHT)

        assert client.post("/admin/code/", {"code": "000000"}).status_code == 429
        assert client.post("/admin/code/", {"code": code_at(1)}).status_code == 429
        elsewhere = Client(REMOTE_ADDR="198.51.100.7")
        elsewhere.post(LOGIN, RIGHT)
        assert elsewhere.post("/admin/code/", {"code": code_at(1)}).status_code == 429

    def test_a_lost_one_is_reset_by_a_command(self, client, operator, recovery):
        out = StringIO()
        call_command("resetfactor", "operator", stdout=out)

        assert "no second factor any more" in out.getvalue()
        client.post(LOGIN, RIGHT)
        assert client.get("/admin/tenants/tier/").status_code == 200
        assert AuditEvent.objects.filter(verb="reset the second factor of").exists()


class TestLockout:
    @pytest.mark.parametrize("name", ["operator", "nobody-of-that-name"])
    def test_begins_at_the_fifth_and_says_the_same_of_anyone(self, client, operator, name):
        wrong = {"username": name, "password": "a-wrong-one"}
        for _ in range(4):
            assert client.post(LOGIN, wrong).status_code == 200

        locked = client.post(LOGIN, wrong)

        assert locked.status_code == 429
        assert "For 15 minutes" in locked.content.decode()
        assert client.post(LOGIN, {**RIGHT, "username": name}).status_code == 429
        told = AuditEvent.objects.get()
        assert told.verb == "was locked out of"
        assert told.target == ("person operator" if name == "operator" else "a name nobody has")
        stored = str(AccessAttempt.objects.values())
        assert name not in stored
        assert "a-wrong-one" not in stored

    def test_holds_for_one_address_and_one_name(self, client, operator, owner):
        for _ in range(5):
            client.post(LOGIN, {"username": "operator", "password": "wrong"})

        elsewhere = Client(REMOTE_ADDR="198.51.100.7", HTTP_X_FORWARDED_FOR="127.0.0.1")
        assert elsewhere.post(LOGIN, RIGHT).status_code == 302
        assert client.post(LOGIN, {"username": "owner", "password": "wrong"}).status_code == 200


class TestSession:
    @pytest.mark.parametrize(("key", "age"), [("seen_at", 3601), ("entered_at", 8 * 3600 + 1)])
    def test_ends(self, console, key, age):
        session = console.session
        session[key] = time.time() - age
        session.save()

        answer = console.get("/admin/auth/user/")

        assert answer["Location"] == "/admin/login/?next=%2Fadmin%2Fauth%2Fuser%2F"
        assert "signed out after an hour" in console.get(answer["Location"]).content.decode()
        assert console.get("/admin/auth/user/").status_code == 302

    def test_goes_on_while_it_is_used(self, console):
        session = console.session
        session["seen_at"] = time.time() - 1800
        session.save()

        assert console.get("/admin/auth/user/").status_code == 200
        assert time.time() - console.session["seen_at"] < 5


class TestPeople:
    def test_an_owner_gives_a_role_and_it_is_told(self, client, operator, owner):
        from tenants.staff_roles import give_role, role_of_staff

        give_role(owner, "owner", actor="test")
        client.force_login(owner)
        from django.contrib.auth.models import User

        other = User.objects.create_user("newcomer")
        page = f"/admin/auth/user/{other.pk}/change/"
        assert "is_superuser" not in client.get(page).content.decode()

        form = {
            "username": "newcomer",
            "email": "",
            "role": "operator",
            "is_active": "on",
            "is_superuser": "on",
        }
        answer = client.post(page, form)

        assert answer.status_code == 302, answer.context["errors"]
        other.refresh_from_db()
        assert (role_of_staff(other), other.is_staff, other.is_superuser) == ("operator", True, False)
        assert AuditEvent.objects.order_by("-id").first().data == {"before": "none", "after": "operator"}

    def test_an_owner_does_not_touch_a_superuser(self, client, operator, owner):
        from tenants.staff_roles import give_role

        give_role(owner, "owner", actor="test")
        client.force_login(owner)

        assert client.post(f"/admin/auth/user/{operator.pk}/password/", {}).status_code == 403
        client.post(f"/admin/auth/user/{operator.pk}/change/", {"username": "x"})
        operator.refresh_from_db()
        assert operator.username == "operator"
