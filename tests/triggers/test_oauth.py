"""Installing an app against a local double: who may begin, what comes back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_httpserver import HTTPServer

from circuitos import env as environment
from tenants import credentials
from tenants.connections import api_token, needs_reconnecting
from tenants.credentials import Credentials
from tenants.models import AuditEvent, Connection, Tenant
from tenants.secrets import unseal
from tenants.staff_roles import give_role
from tests.crm_servers.oauth import CLIENT_ID, CLIENT_SECRET, COMPANY, OAuth
from tests.factories import make_connection
from triggers import agencies, oauth_state, oauth_views
from triggers.crm import renewal
from triggers.models import Agency, UnclaimedAccount

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
GHL, HUBSPOT = "/connect/gohighlevel/", "/connect/hubspot/"


@pytest.fixture(scope="module")
def server():
    with HTTPServer(host="127.0.0.1") as found:
        yield found


@pytest.fixture
def oauth(server, settings, monkeypatch):
    server.clear()
    double = OAuth(server)
    settings.GOHIGHLEVEL_API_URL = settings.HUBSPOT_API_URL = double.url
    set_env(
        monkeypatch,
        gohighlevel_client_id=CLIENT_ID,
        gohighlevel_client_secret=CLIENT_SECRET,
        hubspot_client_id=CLIENT_ID,
        hubspot_client_secret=CLIENT_SECRET,
    )
    return double


def set_env(monkeypatch, **values):
    found = replace(environment.env(), **values)
    for module in (
        "triggers.oauth_providers",
        "triggers.oauth_views",
        "tenants.addresses",
        "triggers.app_ingest",
    ):
        monkeypatch.setattr(f"{module}.env", lambda: found)


def client_of(person, host="acme.localhost"):
    found = Client(HTTP_HOST=host, raise_request_exception=True)
    found.force_login(person)
    return found


def asked(answer):
    """What the CRM was asked for."""
    assert answer.status_code == 302, answer.content
    parts = urlsplit(answer["Location"])
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def install(client, double, path=GHL, tenant="acme", **whose):
    query = {"tenant": tenant} if tenant else {}
    state = asked(client.get(path, query))["state"]
    return client.get(f"{path}callback/", {"code": double.allow(**whose), "state": state})


def sentence(answer, status):
    assert answer.status_code == status
    return answer.content.decode()


class TestBegin:
    def test_leads_to_the_crm_with_least_scopes(self, oauth, acme, owner):
        answer = client_of(owner).get(GHL, {"tenant": "acme"})

        said = asked(answer)
        assert answer["Location"].startswith("https://marketplace.gohighlevel.com/oauth/chooselocation?")
        assert said["redirect_uri"] == "http://acme.localhost/connect/gohighlevel/callback/"
        assert (said["client_id"], said["response_type"]) == (CLIENT_ID, "code")
        assert "contacts.readonly" in said["scope"]
        assert "users" not in said["scope"]
        assert CLIENT_SECRET not in answer["Location"]

    @pytest.mark.usefixtures("oauth")
    def test_who_may(self, owner, member, stranger, operator):
        viewer, staff = (User.objects.create_user(name, is_staff=True) for name in ("looks", "tends"))
        give_role(viewer, "viewer", actor="test")
        give_role(staff, "operator", actor="test")
        told = {
            person.username: [
                client_of(person).get(path, query).status_code
                for path, query in ((GHL, {"tenant": "acme"}), (HUBSPOT, {"tenant": "acme"}), (GHL, {}))
            ]
            for person in (owner, member, stranger, viewer, staff, operator)
        }

        assert told == {
            "owner": [302, 302, 404],
            "member": [403, 403, 404],
            "stranger": [404, 404, 404],
            "looks": [404, 404, 404],
            "tends": [302, 302, 302],
            "operator": [302, 302, 302],
        }
        nobody = Client(HTTP_HOST="acme.localhost")
        assert nobody.get(GHL, {"tenant": "acme"})["Location"] == "/t/acme/sign-in/"
        assert nobody.get(GHL)["Location"].startswith("/admin/login/?next=")
        assert client_of(owner).get("/connect/standard/", {"tenant": "acme"}).status_code == 404
        assert client_of(owner).get(GHL, {"tenant": "nobody"}).status_code == 404
        assert client_of(owner).post(GHL, {"tenant": "acme"}).status_code == 405

    def test_without_an_app_it_says_what_to_set(self, acme, owner):
        page = sentence(client_of(owner).get(GHL, {"tenant": "acme"}), 409)

        assert "GOHIGHLEVEL_CLIENT_ID" in page


class TestCallback:
    def test_makes_a_connection_with_its_tokens(self, oauth, acme, globex, owner):
        answer = install(client_of(owner), oauth, locationId="loc-9", companyId=COMPANY, userType="Location")

        made = Connection.objects.get()
        assert answer["Location"] == f"/t/acme/connections/{made.code}/"
        assert (made.tenant, made.account_id, made.company_id) == (acme, "loc-9", COMPANY)
        assert made.is_proven
        token = api_token(made)
        assert token
        assert token.startswith("token-")
        kept = json.loads(
            unseal(made.sealed_credentials, context=f"credentials:{made.tenant_id}:{made.code}")
        )
        assert kept["refresh_token"].startswith("refresh-")
        assert datetime.fromisoformat(kept["expires_at"]) > datetime.now(UTC) + timedelta(hours=23)
        said = AuditEvent.objects.get()
        assert (said.actor, said.verb) == ("owner", "installed the app for")
        assert token not in json.dumps(said.data)
        sent = oauth.forms[0][1]
        assert sent["redirect_uri"] == "http://acme.localhost/connect/gohighlevel/callback/"

    def test_hubspot_says_whose_the_token_is(self, oauth, acme, owner):
        install(client_of(owner), oauth, HUBSPOT, hub_id=4_242)

        made = Connection.objects.get()
        assert (made.crm, made.account_id) == ("hubspot", "4242")
        assert made.sealed_credentials is not None

    def test_connects_again_what_was_lost(self, oauth, acme, owner):
        lost = make_connection(acme, "gohighlevel", account_id="loc-9")
        needs_reconnecting(lost, "The app was uninstalled in GoHighLevel.", AT)

        install(client_of(owner), oauth, locationId="loc-9", userType="Location")

        lost.refresh_from_db()
        assert (lost.reconnect_since, lost.is_held, lost.is_proven) == (None, False, True)
        assert lost.installed_at is not None
        assert Connection.objects.count() == 1

    def test_an_account_of_another_tenant_stays_there(self, oauth, acme, globex, owner):
        theirs = make_connection(globex, "gohighlevel", account_id="loc-9", is_proven=True)

        page = sentence(install(client_of(owner), oauth, locationId="loc-9", userType="Location"), 409)

        assert "connected to somebody else" in page
        assert "Globex" not in page
        assert list(Connection.objects.all()) == [theirs]

    def test_an_account_that_another_only_wrote_down_is_ours(self, oauth, acme, globex, owner):
        make_connection(globex, "gohighlevel", account_id="loc-9")

        install(client_of(owner), oauth, locationId="loc-9", userType="Location")

        assert Connection.objects.get(is_proven=True).tenant == acme

    def test_denied_replayed_expired_foreign_and_forged_are_told(self, oauth, owner, stranger, monkeypatch):
        client = client_of(owner)

        def begin():
            return asked(client.get(GHL, {"tenant": "acme"}))["state"]

        back = f"{GHL}callback/"
        assert "You said no" in sentence(client.get(back, {"error": "access_denied", "state": begin()}), 409)
        assert "ended the install" in sentence(client.get(back, {"error": "x", "state": begin()}), 409)
        assert "no code" in sentence(client.get(back, {"state": begin()}), 409)
        assert "not begun here" in sentence(client.get(back, {"code": "x"}), 400)
        for forged in ("x", "a:b:c", "\x00", "e30:1:x" * 400):
            assert client.get(back, {"code": "x", "state": forged}).status_code == 400
        old = begin()
        with monkeypatch.context() as later:
            later.setattr(oauth_state, "SECONDS", -1)
            assert "ten minutes" in sentence(client.get(back, {"code": "x", "state": old}), 400)
        state, code = begin(), oauth.allow(locationId="loc-9", userType="Location")
        assert "for somebody else" in sentence(
            client_of(stranger).get(back, {"code": code, "state": state}), 400
        )
        assert "another CRM" in sentence(
            client.get(f"{HUBSPOT}callback/", {"code": code, "state": state}), 400
        )
        assert client.get(back, {"code": code, "state": state}).status_code == 302
        assert "used already" in sentence(client.get(back, {"code": code, "state": state}), 400)
        assert Connection.objects.count() == 1

    def test_a_crm_that_fails_is_told_and_nothing_kept(self, oauth, acme, owner, settings):
        client = client_of(owner)
        state = asked(client.get(GHL, {"tenant": "acme"}))["state"]
        page = sentence(client.get(f"{GHL}callback/", {"code": "never-given", "state": state}), 409)
        assert "refused (400)" in page
        oauth.down = True
        assert "answered 503" in sentence(install(client, oauth, locationId="l", userType="Location"), 409)
        settings.GOHIGHLEVEL_API_URL = "http://127.0.0.1:9"
        assert "cannot be reached" in sentence(
            install(client, oauth, locationId="l", userType="Location"), 409
        )
        assert not Connection.objects.exists()

    def test_goes_on_at_the_host_that_has_the_session(self, oauth, acme, owner, monkeypatch):
        found = oauth_views.env()
        set_env(monkeypatch, **{**found.__dict__, "public_url": "https://hooks.example"})
        client = client_of(owner)
        said = asked(client.get(GHL, {"tenant": "acme"}))
        assert said["redirect_uri"] == "https://hooks.example/connect/gohighlevel/callback/"

        answer = Client(HTTP_HOST="hooks.example").get(
            f"{GHL}callback/", {"code": "c", "state": said["state"]}
        )

        assert answer["Location"].startswith(
            "http://acme.localhost/connect/gohighlevel/callback/?code=c&state="
        )
        evil = asked(client_of(owner, "evil.example").get(GHL, {"tenant": "acme"}))["state"]
        refused = Client(HTTP_HOST="hooks.example").get(f"{GHL}callback/", {"code": "c", "state": evil})
        assert refused.status_code == 400


class TestAgency:
    @pytest.fixture
    def agency(self, oauth, operator, acme, globex):
        told = UnclaimedAccount.objects.create(
            crm="gohighlevel", account_id=f"company:{COMPANY}", first_at=AT, last_at=AT
        )
        answer = install(client_of(operator), oauth, tenant="", companyId=COMPANY, userType="Company")
        found = Agency.objects.get()
        assert answer["Location"] == f"/admin/triggers/agency/{found.code}/change/"
        assert not UnclaimedAccount.objects.filter(pk=told.pk).exists()
        return found

    def test_lists_its_locations_and_connects_those_ticked(self, agency, oauth, operator):
        client = client_of(operator)
        page = client.get(f"/admin/triggers/agency/{agency.code}/change/").content.decode()
        assert all(f"Branch {n}" in page for n in (1, 2, 3))

        answer = client.post(
            f"/admin/triggers/agency/{agency.code}/choose/",
            {
                "location": ["loc-1", "loc-2", "unknown"],
                "slug-loc-1": "acme",
                "slug-loc-2": "branch-2",
                "tier": "free",
            },
            follow=True,
        )

        assert "2 locations connected" in answer.content.decode()
        linked = {each.account_id: each for each in Connection.objects.select_related("tenant")}
        assert {name: each.tenant.slug for name, each in linked.items()} == {
            "loc-1": "acme",
            "loc-2": "branch-2",
        }
        assert linked["loc-2"].company_id == COMPANY
        assert api_token(linked["loc-1"]) != api_token(linked["loc-2"])
        again = client.get(f"/admin/triggers/agency/{agency.code}/change/").content.decode()
        assert again.count('type="checkbox" name="location"') == 1
        assert Tenant.objects.filter(slug="branch-2").exists()

    def test_a_token_that_ended_is_renewed_once(self, agency, oauth, operator):
        old = agencies.token(agency, at=datetime.now(UTC))
        later = datetime.now(UTC) + timedelta(days=2)

        first, second = (agencies.token(agency, at=later) for _ in range(2))

        assert first == second != old
        assert [form["grant_type"] for _, form in oauth.forms][1:] == ["refresh_token"]

    def test_a_locations_token_without_a_refresh_token_comes_from_the_agency(self, agency, acme):
        linked = make_connection(acme, "gohighlevel", account_id="loc-1")
        linked.company_id = COMPANY
        linked.save(update_fields=["company_id"])
        at = datetime.now(UTC)
        old = Credentials("gone", None, at, ("a.b",))
        credentials.store(linked, old)

        fresh = renewal.renew(linked, old, at=at)

        assert fresh.token != "gone"
        assert fresh.expires_at > at + timedelta(hours=1)
        assert api_token(Connection.objects.get(pk=linked.pk)) == fresh.token

    def test_a_location_whose_agency_was_thrown_out_needs_reconnecting(self, agency, oauth, acme):
        linked = make_connection(acme, "gohighlevel", account_id="loc-1")
        linked.company_id = COMPANY
        linked.save(update_fields=["company_id"])
        later = datetime.now(UTC) + timedelta(days=2)  # the agency's token has ended
        old = Credentials("gone", None, later)
        credentials.store(linked, old)
        oauth.forget()

        with pytest.raises(renewal.Revoked):
            renewal.renew(linked, old, at=later)

        assert Connection.objects.get(pk=linked.pk).reconnect_since is not None

    def test_a_location_whose_agency_is_gone_needs_reconnecting(self, agency, acme):
        linked = make_connection(acme, "gohighlevel", account_id="loc-1")
        linked.company_id = "another-company"
        linked.save(update_fields=["company_id"])
        old = Credentials("gone", None, datetime.now(UTC))
        credentials.store(linked, old)

        with pytest.raises(renewal.Revoked):
            renewal.renew(linked, old, at=datetime.now(UTC))

        assert Connection.objects.get(pk=linked.pk).reconnect_since is not None

    def test_an_owners_agency_waits_for_an_operator(self, oauth, acme, owner, member):
        page = sentence(install(client_of(owner), oauth, companyId=COMPANY, userType="Company"), 200)

        assert "service team" in page
        assert (Agency.objects.get().tenant, Connection.objects.count()) == (acme, 0)
        code = Agency.objects.get().code
        assert client_of(owner).post(f"/admin/triggers/agency/{code}/choose/").status_code in {302, 404}

    def test_a_crm_that_is_down_is_told_on_the_page(self, agency, operator, settings):
        settings.GOHIGHLEVEL_API_URL = "http://127.0.0.1:9"

        page = client_of(operator).get(f"/admin/triggers/agency/{agency.code}/change/").content.decode()

        assert "cannot be reached" in page
