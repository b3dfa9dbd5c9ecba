"""The portal's connections: set up by owners, seen by members, found by nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tenants.choices import CRM
from tenants.connections import api_token, signing_secrets
from tenants.models import AuditEvent, Connection
from tests.factories import HUBSPOT_SECRET, STANDARD_SECRET, make_connection
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers import token_check

pytestmark = pytest.mark.django_db
GHL = {"name": "North", "account_id": "ve9EPM428h8vShlRW1KT"}


@pytest.fixture
def enter(acme, globex):
    """``enter(person)``: the person's browser on acme's host."""

    def client(person, **options):
        found = Client(HTTP_HOST="acme.localhost", **options)
        found.force_login(person)
        return found

    return client


def page_of(answer, status=200):
    assert answer.status_code == status
    return answer.content.decode()


class TestList:
    def test_shows_the_tenants_own(self, enter, acme_ghl, globex_hubspot, member):
        Connection.objects.filter(pk=globex_hubspot.pk).update(name="Globex's")

        page = page_of(enter(member).get("/connections/"))

        assert str(acme_ghl.code) in page
        assert "Globex" not in page
        assert "Connect another" not in page

    def test_offers_every_crm_to_an_owner(self, enter, owner):
        page = page_of(enter(owner).get("/connections/"))

        assert page.count('class="button" href="/connections/new/') == len(CRM)

    @pytest.mark.parametrize("rows", [1, 9])
    def test_costs_the_same_however_many(self, enter, acme, owner, rows):
        for _ in range(rows):
            make_connection(acme, "standard")
        client = enter(owner)
        client.get("/connections/")

        with counted("portal.connections"):
            client.get("/connections/")


class TestConnect:
    def test_gohighlevel_needs_its_location(self, enter, acme, owner):
        client = enter(owner)
        assert "This field is required." in page_of(client.post("/connections/new/gohighlevel/", {}))

        answer = client.post("/connections/new/gohighlevel/", GHL, follow=True)

        made = acme.connections.get()
        page = page_of(answer)
        assert (made.crm, made.account_id, made.name) == ("gohighlevel", GHL["account_id"], "North")
        assert f"/hooks/{made.key}/" in page
        assert "Waiting for the first event" in page
        said = AuditEvent.objects.get()
        assert (said.actor, said.verb, said.target) == ("owner", "created", f"connection {made.code}")

    def test_a_secret_made_here_is_shown_once(self, enter, acme, owner):
        client = enter(owner)

        page = page_of(client.post("/connections/new/standard/", {"name": "Shop"}))

        made = acme.connections.get()
        (secret,) = signing_secrets(made, at=datetime.now(UTC))
        assert secret in page
        assert secret not in page_of(client.get(f"/connections/{made.code}/"))

    @pytest.mark.parametrize(
        ("crm", "values", "said"),
        [
            ("hubspot", {"account_id": "12", "secret": ""}, "client secret"),
            ("hubspot", {"account_id": "my portal", "secret": "x" * 20}, "is a number"),
            ("hubspot", {"account_id": "12", "secret": "two words"}, "one word"),
            ("standard", {"secret": "whsec_short"}, "at least 16 bytes"),
            ("standard", {"secret": "x\x00y"}, "Null characters"),
            ("gohighlevel", {"account_id": "a" * 121}, "at most 120"),
        ],
    )
    def test_says_what_is_wrong(self, enter, owner, crm, values, said):
        page = page_of(enter(owner).post(f"/connections/new/{crm}/", values))

        assert said in page
        assert values.get("secret", "") not in page or not values.get("secret")
        assert not Connection.objects.exists()

    def test_is_for_owners(self, enter, acme, member, operator, stranger):
        for person, status in ((member, 403), (operator, 403), (stranger, 404)):
            assert enter(person).post("/connections/new/gohighlevel/", GHL).status_code == status
        assert not acme.connections.exists()

    def test_of_an_unknown_crm_is_not_found(self, enter, owner):
        assert enter(owner).get("/connections/new/odd/").status_code == 404


class TestOne:
    def test_tells_how_to_set_it_up(self, enter, acme_ghl, acme_hubspot, acme_standard, member):
        client = enter(member)
        for connection, said in (
            (acme_ghl, "Install the app in your location"),
            (acme_hubspot, "contact.propertyChange"),
            (acme_standard, "Give the sender the secret"),
        ):
            page = page_of(client.get(f"/connections/{connection.code}/"))
            assert said in page
            assert connection.key in page
            assert "Rotate" not in page
            assert "Send a test event" not in page

    def test_of_other_tenants_is_not_found(self, enter, globex_standard, owner):
        client = enter(owner)
        path = f"/connections/{globex_standard.code}"

        assert client.get(f"{path}/").status_code == 404
        assert client.get(f"{path}/arrived/").status_code == 404
        for verb in ("test", "rotate", "switch", "token"):
            assert client.post(f"{path}/{verb}/").status_code == 404

    def test_says_what_came_and_what_ran(self, enter, acme, acme_ghl, globex_ghl, owner):
        event = make_event(acme, connection=acme_ghl, status="running", record_id="c-9", origin="test")
        make_event(acme, connection=make_connection(acme, "standard"), record_id="c-other")
        execution = make_execution(acme, event_ids=[event.pk], records=[{"id": "c-9"}])

        page = page_of(enter(owner).get(f"/connections/{acme_ghl.code}/arrived/"))

        assert "Contact insert" in page
        assert str(execution.code) in page
        assert "Score new leads" in page
        assert ">Test<" in page
        assert "every 2s" in page
        assert "c-other" not in page

    def test_stops_asking_when_all_is_done(self, enter, acme, acme_ghl, owner):
        make_event(acme, connection=acme_ghl, status="succeeded")

        page = page_of(enter(owner).get(f"/connections/{acme_ghl.code}/arrived/"))

        assert "hx-get" not in page


class TestVerbs:
    @pytest.mark.parametrize("verb", ["test", "rotate", "switch", "token"])
    def test_are_for_owners(self, request, enter, acme_hubspot, verb):
        member, stranger, owner = map(request.getfixturevalue, ("member", "stranger", "owner"))
        path = f"/connections/{acme_hubspot.code}/{verb}/"

        assert enter(member).post(path, {"forget": "yes"}).status_code == 403
        assert enter(stranger).post(path, {"forget": "yes"}).status_code == 404
        assert enter(owner).get(path).status_code == 405
        assert enter(owner, enforce_csrf_checks=True).post(path).status_code == 403
        acme_hubspot.refresh_from_db()
        assert acme_hubspot.is_active
        assert signing_secrets(acme_hubspot, at=datetime.now(UTC)) == [HUBSPOT_SECRET]

    def test_rotating_shows_the_new_secret_and_keeps_the_old_a_day(self, enter, acme_standard, owner):
        at = datetime.now(UTC)

        page = page_of(enter(owner).post(f"/connections/{acme_standard.code}/rotate/"))

        acme_standard.refresh_from_db()
        new, old = signing_secrets(acme_standard, at=at + timedelta(hours=23))
        assert new in page
        assert old == STANDARD_SECRET
        assert signing_secrets(acme_standard, at=at + timedelta(hours=25)) == [new]
        assert "still verifies until" in page
        assert "An older secret still verifies until" in page_of(
            enter(owner).get(f"/connections/{acme_standard.code}/")
        )
        assert AuditEvent.objects.filter(verb="rotated the secret of").count() == 1

    @pytest.mark.parametrize("verb", ["rotate", "token"])
    def test_ask_again_who_it_is_after_a_while(self, enter, acme_hubspot, owner, verb):
        client = enter(owner)
        session = client.session
        session["proved_at"] = 0
        session.save()

        answer = client.post(f"/connections/{acme_hubspot.code}/{verb}/", {"secret": "x" * 20, "token": "x"})

        assert answer.status_code == 302
        acme_hubspot.refresh_from_db()
        assert signing_secrets(acme_hubspot, at=datetime.now(UTC)) == [HUBSPOT_SECRET]
        assert api_token(acme_hubspot) is None

    def test_rotating_to_the_senders_own(self, enter, acme_hubspot, owner):
        client = enter(owner)
        path = f"/connections/{acme_hubspot.code}/rotate/"
        assert "only HubSpot can make one" in page_of(client.post(path, follow=True))

        page = page_of(client.post(path, {"secret": "the-new-client-secret"}, follow=True))

        acme_hubspot.refresh_from_db()
        assert signing_secrets(acme_hubspot, at=datetime.now(UTC))[0] == "the-new-client-secret"
        assert "the-new-client-secret" not in page

    def test_rotating_what_has_no_secret_says_so(self, enter, acme_ghl, owner):
        page = page_of(enter(owner).post(f"/connections/{acme_ghl.code}/rotate/", follow=True))

        assert "nothing to rotate" in page

    def test_pausing_and_resuming(self, enter, acme_ghl, owner):
        client = enter(owner)
        path = f"/connections/{acme_ghl.code}/switch/"

        page = page_of(client.post(path, {"is_active": "no"}, follow=True))
        acme_ghl.refresh_from_db()
        assert not acme_ghl.is_active
        assert "refused, and not kept" in page

        client.post(path, {"is_active": "yes"})
        acme_ghl.refresh_from_db()
        assert acme_ghl.is_active
        assert set(AuditEvent.objects.values_list("verb", flat=True)) == {"switched off", "switched on"}

    def test_the_api_token_is_kept_and_never_shown(self, enter, acme_hubspot, owner, monkeypatch):
        # Tried by a real call in test_token_check.
        monkeypatch.setattr(token_check, "check", lambda *_: None)
        client = enter(owner)
        path = f"/connections/{acme_hubspot.code}/token/"

        page = page_of(client.post(path, {"token": "pat-na1-secret"}, follow=True))
        acme_hubspot.refresh_from_db()
        assert api_token(acme_hubspot) == "pat-na1-secret"
        assert "pat-na1-secret" not in page
        assert "A token is kept" in page

        client.post(path, {"forget": "yes"})
        acme_hubspot.refresh_from_db()
        assert api_token(acme_hubspot) is None

    def test_a_token_where_nothing_is_written_is_refused(self, enter, acme_standard, owner):
        path = f"/connections/{acme_standard.code}/token/"

        page = page_of(enter(owner).post(path, {"token": "x"}, follow=True))

        assert "no token is needed" in page

    def test_a_secret_of_a_lost_key_breaks_no_page(self, enter, acme_standard, owner):
        Connection.objects.filter(pk=acme_standard.pk).update(sealed_secrets=b"\x01\x01xbroken")

        page_of(enter(owner).get(f"/connections/{acme_standard.code}/"))
        page_of(enter(owner).post(f"/connections/{acme_standard.code}/rotate/", follow=True))


class TestGuidedSetUp:
    ACCOUNTS = {"salesforce": "00D5g000004abcDEAQ", "pipedrive": "7654321", "zoho": "1000000068001"}

    @pytest.mark.parametrize(
        ("crm", "tells"),
        [
            ("salesforce", "?secret="),
            ("pipedrive", "Under HTTP Auth"),
            ("zoho", "notify_url"),
        ],
    )
    def test_makes_a_secret_and_says_where_it_goes(self, enter, acme, owner, crm, tells):
        client = enter(owner)

        form = page_of(client.get(f"/connections/new/{crm}/"))
        made = page_of(
            client.post(f"/connections/new/{crm}/", {"account_id": self.ACCOUNTS[crm], "secret": ""})
        )

        (connection,) = acme.connections.all()
        (secret,) = signing_secrets(connection, at=datetime.now(UTC))
        assert 'name="account_id"' in form
        assert secret in made
        assert tells in made
        again = page_of(client.get(f"/connections/{connection.code}/"))
        assert secret not in again
        assert "Shared secret" in again

    @pytest.mark.parametrize(
        ("crm", "fields"),
        [
            ("salesforce", {"account_id": "00D"}),
            ("pipedrive", {"account_id": "acme"}),
            ("pipedrive", {"account_id": "7", "secret": "no-colon"}),
            ("pipedrive", {"account_id": "7", "secret": ":no-user"}),
            ("zoho", {"account_id": "7", "secret": "x" * 51}),
            ("zoho", {"account_id": ""}),
        ],
    )
    def test_what_cannot_be_is_told(self, enter, acme, owner, crm, fields):
        page = page_of(enter(owner).post(f"/connections/new/{crm}/", fields))

        assert 'class="problem"' in page
        assert not acme.connections.exists()

    def test_a_workflow_gets_a_secret_and_an_app_none(self, enter, acme, owner):
        client = enter(owner)

        shown = page_of(client.post("/connections/new/gohighlevel/", {"account_id": "L", "way": "workflow"}))
        client.post("/connections/new/gohighlevel/", {"account_id": "L", "way": "app"})

        workflow, app = acme.connections.order_by("pk")
        (secret,) = signing_secrets(workflow, at=datetime.now(UTC))
        assert secret in shown
        assert "X-CircuitOS-Secret" in shown
        assert (workflow.is_workflow, app.is_workflow) == (True, False)
        assert signing_secrets(app, at=datetime.now(UTC)) == []
