"""An app's one address: each event goes to the tenant of its account, and what is nobody's is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection as database
from django.utils.timezone import now

from tenants.models import AuditEvent, Connection
from tenants.scope import every_tenant, tenant_scope
from tests.factories import (
    APP_ID,
    APP_SECRET,
    STRANGER_KEY,
    body_of,
    contact_create,
    make_connection,
    sign_gohighlevel,
    sign_hubspot,
)
from tests.triggers.test_hooks import until
from triggers import app_claims, app_unclaimed, delivery_connections, group_commit, reconnecting
from triggers.models import AppRefusal, Event, UnclaimedAccount, UnclaimedEvent

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Tenant
    from tests.triggers.web import Answer, Web

pytestmark = pytest.mark.django_db(transaction=True)
GHL, HUBSPOT = "/hooks/app/gohighlevel/", "/hooks/app/hubspot/"
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ghl(web: Web, document: dict[str, Any], **how: Any) -> Answer:
    body = body_of(document)
    return web.send(GHL, body, sign_gohighlevel(body, **how))


def hubspot(web: Web, *events: dict[str, Any], secret: str = APP_SECRET, uri: str = "") -> Answer:
    body = body_of(list(events))
    uri = uri or f"http://127.0.0.1:{web.port}{HUBSPOT}"
    return web.send(HUBSPOT, body, sign_hubspot(body, uri=uri, secret=secret))


def change(number: int, account: int) -> dict[str, Any]:
    return {
        "eventId": number,
        "portalId": account,
        "occurredAt": 1_760_000_000_000 + number,
        "subscriptionType": "contact.creation",
        "objectId": 500 + number,
    }


def account(**fields: Any) -> str:
    """An account that no other test names: the web process remembers."""
    return f"loc-{datetime.now(UTC).timestamp()}"


def records(of: Tenant) -> list[str]:
    with tenant_scope(of.pk):
        return list(Event.objects.order_by("id").values_list("record_id", flat=True))


class TestGoHighLevel:
    def test_the_account_in_the_body_leads_to_its_tenant(
        self, web: Web, acme: Tenant, globex: Tenant
    ) -> None:
        mine, theirs = account(), account()
        make_connection(acme, "gohighlevel", account_id=mine, is_proven=True)
        make_connection(globex, "gohighlevel", account_id=theirs, is_proven=True)
        event = contact_create(location=mine, appId=APP_ID)

        answer = ghl(web, event)

        assert answer.status == 202
        assert (answer.document["accepted"], len(answer.document["event_ids"])) == (1, 1)
        assert (records(acme), records(globex)) == ([event["id"]], [])
        again = ghl(web, event)
        assert (again.status, again.document["event_ids"]) == (200, answer.document["event_ids"])

    def test_an_account_that_is_only_written_down_gets_nothing(self, web: Web, acme: Tenant) -> None:
        """Anybody may link a connection with another's location ID in the portal."""
        claimed = account()
        make_connection(acme, "gohighlevel", account_id=claimed)

        answer = ghl(web, contact_create(location=claimed))

        assert (answer.status, answer.document["accepted"]) == (202, 1)
        assert records(acme) == []
        kept = UnclaimedEvent.objects.get()
        assert kept.account.account_id == claimed
        assert str(kept.code) == answer.document["event_ids"][0]
        assert b"ada" not in bytes(kept.body).lower()

    def test_a_workflows_connection_is_not_the_apps(self, web: Web, acme: Tenant) -> None:
        """Its bodies are of another shape."""
        mine = account()
        made = make_connection(acme, "gohighlevel", account_id=mine, is_proven=True)
        Connection.objects.filter(pk=made.pk).update(is_workflow=True)

        assert ghl(web, contact_create(location=mine)).status == 202

        assert records(acme) == []
        assert UnclaimedEvent.objects.get().account.account_id == mine

    def test_what_is_not_meant_for_us_is_401_and_noted(self, web: Web) -> None:
        stolen = ghl(web, contact_create(location=account()), key=STRANGER_KEY)
        other = ghl(web, contact_create(location=account(), appId="another-app"))

        assert (stolen.status, stolen.document["code"]) == (401, "triggers.bad-signature")
        assert (other.status, other.document["code"]) == (401, "triggers.wrong-account")
        assert not UnclaimedAccount.objects.exists()
        assert until(lambda: AppRefusal.objects.filter(crm="gohighlevel").first())
        assert web.send("/hooks/app/standard/", b"{}", {"Content-Type": "application/json"}).status == 404
        assert web.send(GHL, b"{}", {"Content-Type": "text/plain"}).status == 415
        assert web.send(GHL, method="GET").status == 405

    def test_an_uninstall_asks_for_reconnecting_unless_it_was_installed_since(
        self, web: Web, acme: Tenant, globex: Tenant
    ) -> None:
        mine, theirs = account(), account()
        lost = make_connection(acme, "gohighlevel", account_id=mine, is_proven=True)
        kept = make_connection(globex, "gohighlevel", account_id=theirs, is_proven=True)
        Connection.objects.filter(pk=kept.pk).update(installed_at=AT + timedelta(hours=1))

        for each in (mine, theirs):
            said = {"type": "UNINSTALL", "appId": APP_ID, "locationId": each, "webhookId": f"un-{each}"}
            assert ghl(web, {**said, "timestamp": AT.isoformat()}).status == 202

        lost.refresh_from_db()
        kept.refresh_from_db()
        assert lost.reconnect_reason == "The app was uninstalled in GoHighLevel."
        assert kept.reconnect_since is None

    def test_a_whole_agency_may_uninstall(self, web: Web, acme: Tenant, globex: Tenant) -> None:
        for tenant, company in ((acme, "company-1"), (globex, "company-2")):
            made = make_connection(tenant, "gohighlevel", account_id=account(), is_proven=True)
            Connection.objects.filter(pk=made.pk).update(company_id=company)

        answer = ghl(web, {"type": "UNINSTALL", "appId": APP_ID, "companyId": "company-1"})

        assert answer.status == 202
        assert Connection.objects.get(tenant=acme).reconnect_since is not None
        assert Connection.objects.get(tenant=globex).reconnect_since is None


class TestHubSpot:
    def test_one_body_for_several_accounts(self, web: Web, acme: Tenant, globex: Tenant) -> None:
        base = int(datetime.now(UTC).timestamp() * 1000)
        make_connection(acme, "hubspot", account_id=str(base), is_proven=True)
        make_connection(globex, "hubspot", account_id=str(base + 1), is_proven=True)
        off = make_connection(globex, "hubspot", account_id=str(base + 2), is_proven=True)
        Connection.objects.filter(pk=off.pk).update(is_active=False)

        answer = hubspot(
            web,
            change(1, base),
            change(2, base + 1),
            change(3, base + 9),
            change(4, base),
            change(5, base + 2),
        )

        assert answer.status == 202
        # Of the connection that is switched off nothing is kept.
        assert (answer.document["accepted"], answer.document["duplicates"]) == (4, 0)
        assert (records(acme), records(globex)) == (["501", "504"], ["502"])
        (unknown,) = UnclaimedEvent.objects.select_related("account")
        assert unknown.account.account_id == str(base + 9)
        with every_tenant():
            first = str(Event.objects.get(record_id="501").code)
        assert answer.document["event_ids"][0] == first
        assert answer.document["event_ids"][2] == str(unknown.code)
        assert hubspot(web, change(3, base + 9)).status == 200

    def test_the_refusal_says_which_address_was_verified(self, web: Web, console: Client) -> None:
        answer = hubspot(web, change(1, 5), uri="https://public.example/hooks/app/hubspot/")

        assert answer.status == 401
        until(lambda: AppRefusal.objects.filter(crm="hubspot").first())
        page = console.get("/admin/triggers/unclaimedaccount/").content.decode()
        assert f"http://127.0.0.1:{web.port}{HUBSPOT}" in page
        assert "PUBLIC_URL" in page


class TestAssigning:
    def test_runs_what_came_in_order_and_what_comes(self, web: Web, acme: Tenant, console: Client) -> None:
        found = account()
        first, second = contact_create(location=found), contact_create(location=found)
        ghl(web, first)
        ghl(web, second)
        unknown = UnclaimedAccount.objects.get()
        page = console.get(f"/admin/triggers/unclaimedaccount/{unknown.code}/change/").content.decode()
        assert found in page
        assert first["email"] not in page

        answer = console.post(
            f"/admin/triggers/unclaimedaccount/{unknown.code}/assign/", {"tenant": "acme"}, follow=True
        )

        assert "2 new events in line" in answer.content.decode()
        assert records(acme) == [first["id"], second["id"]]
        assert not UnclaimedAccount.objects.exists()
        made = Connection.objects.get()
        assert (made.account_id, made.is_proven) == (found, True)
        assert AuditEvent.objects.get().verb == "assigned the account of"

    def test_another_tenants_account_is_not_given_away(self, acme: Tenant, globex: Tenant) -> None:
        make_connection(globex, "gohighlevel", account_id="theirs", is_proven=True)
        unknown = UnclaimedAccount.objects.create(
            crm="gohighlevel", account_id="theirs", first_at=AT, last_at=AT
        )

        with pytest.raises(app_claims.CannotAssign):
            app_claims.assign(unknown, acme, actor="operator", at=AT)
        nameless = UnclaimedAccount.objects.create(crm="gohighlevel", first_at=AT, last_at=AT)
        with pytest.raises(app_claims.CannotAssign):
            app_claims.assign(nameless, acme, actor="operator", at=AT)

    def test_a_round_runs_what_came_for_an_account_linked_since(self, web: Web, acme: Tenant) -> None:
        found = account()
        event = contact_create(location=found)
        ghl(web, event)
        make_connection(acme, "gohighlevel", account_id=found, is_proven=True)
        delivery_connections.forget()

        assert app_claims.review(at=now()) == 1

        assert records(acme) == [event["id"]]
        assert app_claims.review(at=now()) == 0
        group_commit.stop()

    def test_is_bounded_and_ends(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(app_unclaimed, "MOST_EVENTS", 2)
        adapter = delivery_connections.ADAPTERS["gohighlevel"]
        for number in range(3):
            body = body_of(contact_create(location="flood", number=70_000 + number))
            found = adapter.find(
                contact_create(location="flood", number=70_000 + number), body, headers={}, at=AT
            )
            app_unclaimed.keep("gohighlevel", found, at=AT)

        unknown = UnclaimedAccount.objects.get()
        assert (unknown.events.count(), unknown.dropped) == (2, 1)
        with database.cursor() as cursor:
            assert app_unclaimed.sweep(cursor, at=AT + timedelta(days=29)) == 0
            assert app_unclaimed.sweep(cursor, at=AT + timedelta(days=31)) == 3
        assert reconnecting.review(at=AT) == 0
        group_commit.stop()
