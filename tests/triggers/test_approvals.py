"""The approvals queue: asked once, decided once, by those who may, and silence means no."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tenants.models import AuditEvent
from tenants.scope import every_tenant
from triggers import approvals
from triggers.models import Approval

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def asked(tenant, key="review-1", *, at=AT, **fields):
    return approvals.ask(
        **{
            "tenant": tenant,
            "key": key,
            "agent": "reputation",
            "subject": "Answer to a review of two stars",
            "reason": "Reviews below four stars are answered by a person's word only.",
            "text": "We are sorry, Ada. Please call us.",
            "expires_at": at + timedelta(days=2),
            "at": at,
            **fields,
        }
    )


def decide(tenant, one, **fields):
    return approvals.decide(
        **{
            "tenant": tenant, "code": one.code, "approve": True, "is_owner": False, "actor": "ada", "at": AT,
            **fields,
        }
    )  # fmt: skip


class TestAsking:
    def test_twice_waits_once_and_keeps_the_first_words(self, acme):
        first, second = asked(acme), asked(acme, text="Other words.")

        assert first.pk == second.pk
        assert approvals.words(second) == "We are sorry, Ada. Please call us."

    def test_is_of_each_tenant_by_itself(self, acme, globex):
        assert asked(acme).pk != asked(globex).pk

    def test_words_are_sealed(self, acme):
        assert b"Ada" not in bytes(asked(acme).sealed)

    @pytest.mark.parametrize(
        "wrong", [{"text": "  "}, {"subject": ""}, {"text": "x" * 10_001}, {"text": "a\0"}]
    )
    def test_says_what_is_wrong(self, acme, wrong):
        with pytest.raises(approvals.BadApproval):
            asked(acme, **wrong)

    def test_not_for_a_time_that_is_over(self, acme):
        with pytest.raises(approvals.BadApproval, match="expired"):
            asked(acme, expires_at=AT)


class TestDeciding:
    def test_once_with_changed_words_and_a_note_in_the_audit_log(self, acme):
        one = asked(acme)

        decided = decide(acme, one, text="We are sorry. Please call.\r\nYours", note="shorter")

        assert (decided.status, decided.decided_by) == ("approved", "ada")
        assert approvals.words(decided) == "We are sorry. Please call.\nYours"
        noted = AuditEvent.objects.get(verb="approval.approved")
        assert noted.tenant_id == acme.pk
        assert noted.data["changed"] is True
        with pytest.raises(approvals.AlreadyDecided, match="ada has approved"):
            decide(acme, one, approve=False, actor="bob")

    def test_of_anothers_finds_nothing(self, acme, globex):
        one = asked(acme)

        with pytest.raises(Approval.DoesNotExist):
            decide(globex, one)

    def test_for_owners_only(self, acme):
        one = asked(acme, for_owner=True)

        with pytest.raises(approvals.ForOwners):
            decide(acme, one)
        assert decide(acme, one, is_owner=True, approve=False).status == "rejected"

    def test_rejecting_keeps_the_words(self, acme):
        assert approvals.words(decide(acme, asked(acme), approve=False, text="")).startswith("We are sorry")

    def test_silence_means_no(self, acme, globex):
        late, fresh = asked(acme), asked(globex, expires_at=AT + timedelta(days=9))
        after = AT + timedelta(days=3)

        with pytest.raises(approvals.AlreadyDecided, match="time is over"):
            decide(acme, late, at=after)
        assert approvals.expire(at=after) == 1
        with every_tenant():
            found = dict(Approval.objects.values_list("pk", "status"))
        assert found == {late.pk: "expired", fresh.pk: "waiting"}


class TestPage:
    @pytest.fixture
    def enter(self, acme, globex):
        def client(person):
            found = Client(HTTP_HOST="acme.localhost")
            found.force_login(person)
            return found

        return client

    def test_shows_what_waits_for_this_tenant_and_decides_it(self, enter, owner, acme, globex):
        at = datetime.now(UTC)
        one = asked(acme, at=at)
        asked(globex, at=at, subject="Of globex")
        browser = enter(owner)

        page = browser.get("/approvals/").content.decode()
        assert "We are sorry, Ada." in page
        assert "Of globex" not in page
        assert "1 waits for your approval" in " ".join(browser.get("/agents/").content.decode().split())

        browser.post(f"/approvals/{one.code}/", {"approve": "yes", "text": "Sorry, Ada."})
        with every_tenant():
            one.refresh_from_db()
        assert (one.status, approvals.words(one)) == ("approved", "Sorry, Ada.")
        assert "Approved" in browser.get("/approvals/").content.decode()

    def test_empty_words_are_said_beside_them(self, enter, owner, acme):
        one = asked(acme, at=datetime.now(UTC))

        page = enter(owner).post(f"/approvals/{one.code}/", {"approve": "yes", "text": " "})

        assert "may not be empty" in page.content.decode()

    def test_a_member_sees_that_an_owner_decides(self, enter, member, acme):
        one = asked(acme, at=datetime.now(UTC), for_owner=True)
        browser = enter(member)

        assert "An owner of Acme decides" in browser.get("/approvals/").content.decode()
        told = browser.post(f"/approvals/{one.code}/", {"approve": "yes"}, follow=True)
        assert "Only an owner" in told.content.decode()

    def test_of_anothers_is_not_there(self, enter, owner, globex):
        one = asked(globex, at=datetime.now(UTC))

        assert enter(owner).post(f"/approvals/{one.code}/", {"approve": "yes"}).status_code == 404
