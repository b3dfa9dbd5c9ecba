"""Sending the outbox to a loopback HighLevel: one record a request, tags in bulk, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from pytest_httpserver import HTTPServer

from governor import hosts
from governor.job import RunResult
from tenants import credentials
from tenants.connections import reconnected, set_credentials
from tenants.credentials import Credentials
from tenants.ids import new_code
from tenants.models import Connection
from tenants.records.store import Change
from tenants.scope import every_tenant
from tests.crm_servers.accounts import CLIENT_ID, CLIENT_SECRET, say
from tests.crm_servers.highlevel_writes import HighLevel
from tests.triggers.engine import Runs, drain, put, supervisor
from triggers import oauth_providers, outbox, outbox_sender, reconnecting
from triggers.crm import budget
from triggers.models import LiveEvent, OutboxLane, OutboxWrite, RateBudget

if TYPE_CHECKING:
    from collections.abc import Iterator

ADA, BOB = "adaAAAAAAAAAAAAAAAAA", "bobBBBBBBBBBBBBBBBBB"


@pytest.fixture
def highlevel(settings: Any, acme_ghl: Connection) -> Iterator[HighLevel]:
    with HTTPServer(host="127.0.0.1") as server:
        double = HighLevel(server, location=acme_ghl.account_id)
        settings.GOHIGHLEVEL_API_URL = double.url
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        hosts.forget()
        double.knows(ADA, tags=["vip"])
        double.knows(BOB)
        yield double


@pytest.fixture
def account(acme_ghl: Connection, highlevel: HighLevel) -> Connection:
    set_credentials(acme_ghl, token=highlevel.issue()[0])
    return acme_ghl


def send(to: Connection, *changes: Change, hints: Any = None) -> list[OutboxWrite]:
    with transaction.atomic(), connection.cursor() as cursor:
        outbox.put(
            cursor,
            changes,
            tenant_id=to.tenant_id,
            execution=new_code(),
            connection_of={},
            otherwise=to.pk,
            at=datetime.now(UTC),
            hints=hints,
        )
    outbox_sender.drain()
    return writes()


def writes() -> list[OutboxWrite]:
    with every_tenant():
        return list(OutboxWrite.objects.order_by("id"))


def score(contact: str, value: int, **fields: Any) -> Change:
    return Change("Contact", "update", contact, {"lpr_score": value, **fields})


def due() -> None:
    with every_tenant():
        OutboxLane.objects.update(next_attempt_at=None)
        RateBudget.objects.update(held_until=None)
    from governor.models import HostState

    with every_tenant():
        HostState.objects.update(hold_until=None)
    hosts.forget()


class TestFields:
    def test_go_record_by_record_and_scores_as_custom_fields(self, account, highlevel):
        account.tenant.settings = {"field_map": {"aB3dEfGhIjKlMnOpQrSt": "budget"}}
        account.tenant.save(update_fields=["settings"])

        sent = send(account, score(ADA, 91, city="Plano", custom_fields={"budget": 5000}), score(BOB, 12))

        assert [write.status for write in sent] == ["sent", "sent"]
        assert highlevel.requests == [("PUT", f"/contacts/{ADA}"), ("PUT", f"/contacts/{BOB}")]
        assert highlevel.contacts[ADA]["city"] == "Plano"
        assert highlevel.contacts[ADA]["customFields"] == {"lpr_score": 91, "aB3dEfGhIjKlMnOpQrSt": 5000}
        assert highlevel.contacts[ADA]["tags"] == ["vip"]
        assert highlevel.versions == {"2021-07-28"}

    def test_one_refused_does_not_stop_the_next(self, account, highlevel):
        sent = send(
            account, score(ADA, 91, email="nonsense"), score("unknownUNKNOWNunknow", 1), score(BOB, 12)
        )

        assert [write.status for write in sent] == ["failed", "failed", "sent"]
        assert sent[0].problem == "GoHighLevel answered 422: email must be an email"
        assert "contact id was not found" in sent[1].problem

    def test_what_it_takes_nothing_for_is_named(self, account, highlevel):
        (sent,) = send(account, Change("Contact", "update", ADA, {"city": "Plano", "industry": "roofing"}))

        assert (sent.status, sent.problem) == ("sent", "Not written, the CRM lets nobody: industry.")


class TestTags:
    def settle(self, tenant: Any, linked: Connection, *changes: Change, **fields: Any) -> None:
        for contact in (ADA, BOB):
            event = put(tenant, contact, **fields)
            with every_tenant():
                LiveEvent.objects.filter(pk=event.pk).update(connection=linked)
        drain(supervisor(Runs(lambda job: RunResult(changes=list(changes)))))
        outbox_sender.drain()

    def test_are_added_and_removed_in_bulk_and_never_overwritten(self, acme, account, highlevel):
        # Since our mirror heard of it, a person has tagged Ada in the CRM.
        highlevel.knows(ADA, tags=["cold", "by-hand"])
        highlevel.knows(BOB, tags=["cold"])

        tagged = [Change("Contact", "update", who, {"tags": ["hot"], "lpr_score": 90}) for who in (ADA, BOB)]
        self.settle(acme, account, *tagged, tags=["cold"])

        assert [path for _, path in highlevel.requests] == [
            "/contacts/bulk/tags/update/remove",
            "/contacts/bulk/tags/update/add",
            f"/contacts/{ADA}",
            f"/contacts/{BOB}",
        ]
        assert highlevel.contacts[ADA]["tags"] == ["by-hand", "hot"]
        assert highlevel.contacts[BOB]["tags"] == ["hot"]
        assert {write.status for write in writes()} == {"sent"}

    def test_of_a_contact_that_is_gone_fail_that_one_and_its_neighbour_is_tagged(
        self, acme, account, highlevel
    ):
        del highlevel.contacts[ADA]
        tagged = [Change("Contact", "update", who, {"tags": ["hot"]}) for who in (ADA, BOB)]

        self.settle(acme, account, *tagged)

        assert [write.status for write in writes()] == ["failed", "sent"]
        assert writes()[0].problem == "GoHighLevel refused its tags: contact does not belong to location"
        assert highlevel.contacts[BOB]["tags"] == ["hot"]

    def test_added_then_taken_back_before_it_was_sent_is_taken_away(self, account, highlevel):
        key = ("Contact", ADA)
        with transaction.atomic():
            both = [({"tags": ["vip", "hot"]}, [["hot"], [], {}]), ({"tags": []}, [[], ["vip", "hot"], {}])]
            for fields, hint in both:
                with connection.cursor() as cursor:
                    outbox.put(
                        cursor,
                        [Change("Contact", "update", ADA, fields)],
                        tenant_id=account.tenant_id,
                        execution=new_code(),
                        connection_of={},
                        otherwise=account.pk,
                        at=datetime.now(UTC),
                        hints={key: hint},
                    )

        outbox_sender.drain()

        assert highlevel.requests == [("POST", "/contacts/bulk/tags/update/remove")]
        assert highlevel.contacts[ADA]["tags"] == []


class TestMaking:
    def test_a_contact_with_its_task_and_note(self, account, highlevel):
        new = str(new_code())
        contact = {"email": "eve@example.test", "company_name": "Eve & Co", "tags": ["new"]}
        sent = send(
            account,
            Change("Contact", "insert", new, contact),
            Change(
                "Task",
                "insert",
                str(new_code()),
                {"title": "Call", "contact_id": new, "due_at": "2026-03-02T12:00:00+01:00"},
            ),
            Change("Note", "insert", str(new_code()), {"body": "Asked twice", "record_id": new}),
            hints={("Contact", new): [["new"], [], {}]},
        )

        assert [write.status for write in sent] == ["sent"] * 3
        theirs = sent[0].remote_id
        assert highlevel.contacts[theirs]["tags"] == ["new"]
        assert list(highlevel.about["tasks"].values()) == [
            {"title": "Call", "dueDate": "2026-03-02T11:00:00Z", "completed": False, "contactId": theirs}
        ]
        assert list(highlevel.about["notes"].values()) == [{"body": "Asked twice", "contactId": theirs}]

    def test_a_contact_it_has_already_is_not_made_twice_and_keeps_its_tags(self, account, highlevel):
        highlevel.knows(ADA, tags=["vip"], email="ada@example.test")
        new = str(new_code())

        (sent,) = send(
            account,
            Change("Contact", "insert", new, {"email": "ada@example.test", "city": "Plano", "tags": ["new"]}),
            hints={("Contact", new): [["new"], [], {}]},
        )

        assert (sent.status, sent.remote_id) == ("sent", ADA)
        assert highlevel.contacts[ADA]["tags"] == ["vip", "new"]

    def test_later_changes_of_a_task_go_to_the_id_it_got(self, account, highlevel):
        task = str(new_code())
        send(account, Change("Task", "insert", task, {"title": "Call", "contact_id": ADA}))

        sent = send(
            account,
            Change("Task", "update", task, {"completed": True}),
            hints={("Task", task): [[], [], {"contact_id": ADA}]},
        )

        assert [write.status for write in sent] == ["sent", "sent"]
        (made,) = highlevel.about["tasks"].values()
        assert made["completed"] is True

    def test_without_a_contact_there_is_no_task(self, account, highlevel):
        (sent,) = send(account, Change("Task", "insert", str(new_code()), {"title": "Call"}))

        assert sent.status == "failed"
        assert "keeps a Task with a contact" in sent.problem
        assert highlevel.requests == []

    def test_a_changed_opportunity_is_sent_with_the_name_and_status_it_wants(self, account, highlevel):
        highlevel.about["opportunities"]["oppOOOOOOOOOOOOOOOOO"] = {}
        (sent,) = send(
            account,
            Change("Opportunity", "update", "oppOOOOOOOOOOOOOOOOO", {"monetary_value": 1200}),
            hints={("Opportunity", "oppOOOOOOOOOOOOOOOOO"): [[], [], {"name": "Roof", "status": "won"}]},
        )

        assert sent.status == "sent"
        assert highlevel.bodies == [{"monetaryValue": 1200, "name": "Roof", "status": "won"}]

    def test_a_note_whose_request_was_never_answered_is_not_made_twice(self, account, highlevel):
        highlevel.instead = [say(502, {})]
        send(account, Change("Note", "insert", str(new_code()), {"body": "x", "contact_id": ADA}))
        due()
        outbox_sender.drain()

        assert writes()[0].problem == outbox_sender.IN_DOUBT
        assert len(highlevel.requests) == 1

    def test_what_is_deleted_already_counts_as_deleted(self, account, highlevel):
        (sent,) = send(account, Change("Contact", "delete", "goneGONEgoneGONEgone", {}))

        assert sent.status == "sent"


class TestBudget:
    def test_a_429_holds_all_workers_as_long_as_its_headers_say(self, account, highlevel):
        highlevel.left = 1
        sent = send(account, score(ADA, 1), score(BOB, 2))

        # With the first answer it said that none is left, so the second was not even tried.
        assert [write.status for write in sent] == ["sent", "pending"]
        assert len(highlevel.requests) == 1
        with connection.cursor() as cursor:
            assert 8 < budget.take(cursor, account.pk, budget.UNKNOWN) <= 10

        highlevel.left = 100
        due()
        outbox_sender.drain()
        assert {write.status for write in writes()} == {"sent"}

    def test_a_used_up_budget_waits_and_burns_no_attempt(self, account, globex_ghl, highlevel):
        with connection.cursor() as cursor:
            budget.hold(cursor, account.pk, seconds=60)
        sent = send(account, score(ADA, 1))

        assert (sent[0].status, highlevel.requests) == ("pending", [])
        with every_tenant():
            lane = OutboxLane.objects.get(connection=account)
        assert (lane.attempts, lane.problem) == (0, "GoHighLevel takes no more of us now.")
        with connection.cursor() as cursor:
            assert budget.take(cursor, globex_ghl.pk, budget.UNKNOWN) == 0.0


class TestTokens:
    @pytest.fixture
    def install(self, account, highlevel, monkeypatch) -> Any:
        ours = replace(
            oauth_providers.env(), gohighlevel_client_id=CLIENT_ID, gohighlevel_client_secret=CLIENT_SECRET
        )
        monkeypatch.setattr(oauth_providers, "env", lambda: ours)

        def install(*, ends_in: int) -> None:
            token, refresh = highlevel.issue()
            ends = datetime.now(UTC) + timedelta(seconds=ends_in)
            credentials.store(account, Credentials(token, refresh, ends))

        return install

    def test_one_that_ends_is_renewed_before_the_request_and_only_once(self, account, highlevel, install):
        install(ends_in=5)

        sent = send(account, score(ADA, 1), score(BOB, 1))

        assert [write.status for write in sent] == ["sent", "sent"]
        assert (highlevel.renewals, len(highlevel.requests)) == (1, 2)

    def test_one_taken_back_before_its_time_is_renewed_and_the_request_made_again(
        self, account, highlevel, install
    ):
        install(ends_in=3600)
        highlevel.tokens.clear()

        (sent,) = send(account, score(ADA, 1))

        assert sent.status == "sent"
        assert highlevel.renewals == 1

    def test_a_revoked_grant_holds_the_writes_and_says_so(self, account, highlevel, install):
        install(ends_in=5)
        highlevel.refresh_tokens.clear()

        (sent,) = send(account, score(ADA, 1))

        linked = Connection.objects.get(pk=account.pk)
        assert (sent.status, highlevel.requests) == ("pending", [])
        assert linked.is_held
        assert linked.reconnect_since is not None

    def test_a_task_refused_with_the_token_is_not_in_doubt(self, account, highlevel, install):
        install(ends_in=3600)
        highlevel.tokens.clear()
        highlevel.refresh_tokens.clear()

        (sent,) = send(
            account, Change("Task", "insert", str(new_code()), {"title": "Call", "contact_id": ADA})
        )

        assert (sent.status, sent.left_at) == ("pending", None)
        install(ends_in=3600)
        reconnected(account)
        reconnecting.review(at=datetime.now(UTC))
        due()
        outbox_sender.drain()
        assert [write.status for write in writes()] == ["sent"]
