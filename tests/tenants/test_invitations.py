"""Invitations: mailed, sent again, withdrawn, and accepted by new people and by people with an account."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.test import Client

from tenants import invitations, mail
from tenants.models import AuditEvent, Invitation, Membership

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey", "globex")]
NEW = {"new_password1": "a-long-password", "new_password2": "a-long-password"}


def browser(person: User | None = None, host: str = "acme.localhost") -> Client:
    client = Client(HTTP_HOST=host)
    if person is not None:
        client.force_login(person)
    return client


def invite(owner, email="new@people.test", role="member"):
    return browser(owner).post("/members/invite/", {"email": email, "role": role})


def link() -> str:
    """The path of the last invitation that was mailed."""
    return re.search(r"http://[^/]+(/\S+)", outbox.outbox[-1].body)[1]


class TestInvite:
    def test_mails_a_link_and_notes_it(self, owner):
        answer = invite(owner, " New@People.test ")

        assert answer["Location"] == "/members/"
        (message,) = outbox.outbox
        assert message.to == ["new@people.test"]
        assert message.from_email.startswith("Acme <")
        assert "new@people.test" in browser(owner).get("/members/").content.decode()
        assert AuditEvent.objects.get().target == "member new@people.test"

    @pytest.mark.parametrize(
        ("email", "role", "sentence"),
        [
            ("nobody", "member", "no e-mail address"),
            ("a@b.test", "king", "has an address"),
            ("owner@acme.test", "member", "is a member already"),
            ("x" * 150 + "@b.test", "member", "address"),
        ],
    )
    def test_refuses_with_a_sentence(self, owner, email, role, sentence):
        answer = invite(owner, email, role)

        assert 400 <= answer.status_code < 500
        assert sentence in answer.content.decode()
        assert not Invitation.objects.exists()

    def test_one_invitation_of_a_person_is_open_at_a_time(self, owner):
        invite(owner)

        assert invite(owner).status_code == 409
        assert len(outbox.outbox) == 1

    def test_one_past_its_time_makes_room(self, acme, owner):
        early = datetime(2026, 1, 1, tzinfo=UTC)
        invitations.invite(tenant=acme, email="new@people.test", role="member", actor="owner", at=early)

        assert invite(owner).status_code == 302

    def test_stands_when_the_mail_server_is_down(self, owner, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

        client = browser(owner)
        client.post("/members/invite/", {"email": "new@people.test", "role": "member"})
        page = client.get("/members/").content.decode()

        assert "no mail went out: The mail server did not take it." in page
        assert "Not mailed" in page

    @pytest.mark.parametrize("person", ["member", "operator"])
    def test_is_for_owners(self, request, acme, owner, person):
        who = request.getfixturevalue(person)

        assert invite(who).status_code == 403
        assert "Send invitation" not in browser(who).get("/members/").content.decode()

    def test_a_stranger_finds_nothing(self, acme, stranger):
        assert invite(stranger).status_code == 404
        assert browser(stranger).get("/members/").status_code == 404


class TestResendAndWithdraw:
    def test_a_new_link_ends_the_old(self, acme, owner):
        invite(owner)
        old = link()
        Invitation.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=2))
        code = Invitation.objects.get().code

        browser(owner).post(f"/invitations/{code}/resend/")

        assert link() != old
        assert browser().get(old).status_code == 404
        assert browser().get(link()).status_code == 200

    def test_not_twice_in_a_minute(self, owner):
        invite(owner)

        browser(owner).post(f"/invitations/{Invitation.objects.get().code}/resend/")

        assert len(outbox.outbox) == 1

    def test_a_withdrawn_link_opens_nothing(self, owner):
        invite(owner)

        browser(owner).post(f"/invitations/{Invitation.objects.get().code}/withdraw/")

        assert browser().get(link()).status_code == 404
        assert browser().post(link(), NEW).status_code == 404

    def test_another_tenants_owner_has_no_hand_in_it(self, owner, stranger):
        invite(owner)
        code = Invitation.objects.get().code

        for verb in ("resend", "withdraw"):
            answer = browser(stranger, "globex.localhost").post(f"/invitations/{code}/{verb}/")
            assert answer.status_code == 404
        assert browser().get(link()).status_code == 200


class TestAccept:
    def test_a_new_person_sets_a_password_and_is_in(self, acme, owner):
        invite(owner, role="owner")
        client = browser()

        answer = client.post(link(), NEW)

        assert answer["Location"] == "/"
        assert client.get("/").status_code == 200
        person = User.objects.get(username="new@people.test")
        assert person.check_password("a-long-password")
        assert person.memberships.get().role == "owner"
        assert browser().get(link()).status_code == 404

    def test_a_weak_password_is_refused(self, owner):
        invite(owner)

        answer = browser().post(link(), {"new_password1": "short", "new_password2": "short"})

        assert "at least 10" in answer.content.decode()
        assert not User.objects.filter(username="new@people.test").exists()

    def test_a_person_with_an_account_signs_in_and_confirms(self, acme, owner, stranger):
        invite(owner, "stranger@globex.test")
        client = browser()
        assert "have an account" in client.get(link()).content.decode()

        answer = client.post("/sign-in/", {"username": "stranger", "password": "stranger-password"})
        assert answer["Location"] == "/join/"
        assert client.get("/").status_code == 404
        client.post("/join/")

        assert client.get("/").status_code == 200
        assert Membership.objects.filter(user=stranger).count() == 2

    def test_a_person_with_an_account_may_come_by_code(self, acme, owner, stranger):
        invite(owner, "stranger@globex.test")
        client = browser()
        client.post("/sign-in/code/", {"email": "stranger@globex.test"})
        mail.settle()
        code = re.search(r"^([A-Z0-9-]{6,})$", outbox.outbox[-1].body, re.MULTILINE)[1]

        client.post("/sign-in/code/enter/", {"code": code})

        assert client.get("/sign-in/done/")["Location"] == "/join/"

    def test_the_link_does_not_replace_an_accounts_password(self, owner, stranger):
        invite(owner, "stranger@globex.test")

        browser().post(link(), NEW)

        stranger.refresh_from_db()
        assert stranger.check_password("stranger-password")

    def test_somebody_else_who_is_signed_in_cannot_use_it(self, owner, stranger):
        invite(owner)
        client = browser(stranger)

        page = client.get(link()).content.decode()

        assert "You are signed in as <strong>stranger</strong>" in page
        assert client.post("/join/").status_code == 404

    def test_belongs_to_one_tenant(self, owner):
        invite(owner)

        assert browser(host="globex.localhost").get(link()).status_code == 404

    def test_ends_after_seven_days(self, acme, owner):
        invite(owner)
        Invitation.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))

        assert browser().post(link(), NEW).status_code == 404
        assert "Too old" in browser(owner).get("/members/").content.decode()
