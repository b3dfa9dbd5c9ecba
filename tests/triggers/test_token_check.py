"""The quick road: a private token is tried by one real call, and kept when it opens the account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from tenants.connections import BadConnection, api_token, needs_reconnecting
from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.crm_servers.private_tokens import PrivateTokens
from tests.factories import make_connection
from triggers import token_check
from triggers.models import RefusedDelivery

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    with HTTPServer(host="127.0.0.1") as found:
        yield found


@pytest.fixture
def crm(server, settings):
    server.clear()
    double = PrivateTokens(server)
    settings.GOHIGHLEVEL_API_URL = settings.HUBSPOT_API_URL = double.url
    return double


@pytest.fixture
def portal(owner):
    found = Client(HTTP_HOST="acme.localhost")
    found.force_login(owner)
    return found


@pytest.mark.parametrize("kind", ["gohighlevel", "hubspot"])
class TestKept:
    def test_what_opens_the_account(self, crm, acme, portal, kind):
        linked = make_connection(acme, kind)
        crm.tokens["pit-good"] = linked.account_id
        needs_reconnecting(linked, "The token was revoked.", AT)

        page = portal.post(f"/connections/{linked.code}/token/", {"token": " pit-good "}, follow=True)

        assert "The token works, and is kept sealed." in page.content.decode()
        assert "pit-good" not in page.content.decode()
        linked.refresh_from_db()
        assert api_token(linked) == "pit-good"
        assert (linked.is_proven, linked.reconnect_since, linked.is_held) == (True, None, False)
        assert AuditEvent.objects.filter(verb="set the API token of").count() == 1

    def test_not_what_does_not(self, crm, acme, portal, kind):
        linked = make_connection(acme, kind)
        crm.tokens["of-another"] = "777"
        for token, said in (
            ("unknown", "does not know this token"),
            ("of-another", "another HubSpot account" if kind == "hubspot" else "may not read"),
            ("två", "plain characters"),
            ("two words", "plain characters"),
        ):
            page = portal.post(f"/connections/{linked.code}/token/", {"token": token}, follow=True)
            assert said in page.content.decode()
        crm.down = True
        with pytest.raises(BadConnection, match="could not be tried"):
            token_check.keep(linked, "unknown", actor="owner", at=AT)

        linked.refresh_from_db()
        assert linked.sealed_credentials is None
        assert not linked.is_proven

    def test_proves_no_account_that_another_tenant_has(self, crm, acme, globex, kind):
        theirs = make_connection(globex, kind, account_id="4242", is_proven=True)
        linked = make_connection(acme, kind, account_id=theirs.account_id)
        crm.tokens["pit-good"] = "4242"

        token_check.keep(linked, "pit-good", actor="owner", at=AT)

        linked.refresh_from_db()
        assert not linked.is_proven
        assert linked.sealed_credentials is not None


class TestGuide:
    def test_says_what_to_allow_and_where(self, acme, portal):
        linked = make_connection(acme, "gohighlevel")

        page = portal.get(f"/connections/{linked.code}/").content.decode()

        assert "Private Integrations" in page
        assert all(need in page for need in token_check.NEEDED)

    def test_the_last_refused_says_which_address_was_verified(self, acme, globex, portal):
        now = datetime.now(UTC)
        linked, theirs = make_connection(acme, "hubspot"), make_connection(globex, "hubspot")
        with every_tenant():
            for number, of in ((1, linked), (2, linked), (3, theirs)):
                RefusedDelivery.objects.create(
                    tenant=of.tenant, connection=of, received_at=now - timedelta(minutes=9 - number),
                    error_code="triggers.bad-signature", detail=f"Reason {number}.",
                    headers={":uris": [f"http://inner-{number}.example/hooks/x/"]}, body=b"", size=0,
                )  # fmt: skip

        page = portal.get(f"/connections/{linked.code}/").content.decode()

        assert "Reason 2." in page
        assert "http://inner-2.example/hooks/x/" in page
        assert "PUBLIC_URL" in page
        assert "inner-1" not in page
        assert "inner-3" not in page
