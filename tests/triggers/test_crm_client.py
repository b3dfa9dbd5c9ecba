"""Calling a CRM's API: tokens renewed once, rates shared, refusals told apart."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer

from governor import hosts
from governor.models import Charged
from tenants import credentials
from tenants.connections import api_token, set_credentials
from tenants.credentials import Credentials
from tenants.models import Connection
from tenants.scope import every_tenant
from tests.crm_servers.accounts import CLIENT_ID, CLIENT_SECRET, Accounts, say
from triggers import oauth_providers
from triggers.crm import budget, renewal
from triggers.crm.budget import Budget
from triggers.crm.client import Client, CrmUnavailable, Unauthorised
from triggers.models import RateBudget

pytestmark = pytest.mark.django_db


@pytest.fixture
def crm(settings, monkeypatch):
    with HTTPServer(host="127.0.0.1") as server:
        double = Accounts(server)
        double.serve("/contacts/c1", "GET", lambda request: say(200, {"version": request.headers["Version"]}))
        settings.GOHIGHLEVEL_API_URL = settings.HUBSPOT_API_URL = double.url
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        known = oauth_providers.env()
        ours = replace(known, gohighlevel_client_id=CLIENT_ID, gohighlevel_client_secret=CLIENT_SECRET)
        monkeypatch.setattr(oauth_providers, "env", lambda: ours)
        hosts.forget()
        yield double


@pytest.fixture
def linked(acme_ghl, crm):
    """A connection with a token that has not ended."""
    token, refresh = crm.issue()
    credentials.store(acme_ghl, Credentials(token, refresh, datetime.now(UTC) + timedelta(hours=1), ("a.b",)))
    return acme_ghl


class TestCredentials:
    def test_come_back_as_they_were(self, acme_ghl):
        end = datetime(2026, 3, 2, 12, tzinfo=UTC)
        kept = Credentials("t", "r", end, ("contacts.readonly", "contacts.write"))

        credentials.store(acme_ghl, kept)

        assert credentials.load(Connection.objects.get(pk=acme_ghl.pk)) == kept
        assert b"contacts" not in bytes(acme_ghl.sealed_credentials)

    def test_a_private_token_has_no_end(self, acme_ghl):
        set_credentials(acme_ghl, token="pit-1")

        assert credentials.load(acme_ghl) == Credentials("pit-1")
        assert api_token(acme_ghl) == "pit-1"
        assert not Credentials("pit-1").is_stale(datetime.now(UTC))

    def test_no_log_shows_them(self):
        assert "secret" not in repr(Credentials("secret", "secret"))


class TestRequests:
    def test_speak_as_the_crm_wants_and_are_counted(self, linked, crm, acme, globex):
        answer = Client(linked).request("GET", "/contacts/c1")

        assert (answer.status, answer.document) == (200, {"version": "2021-07-28"})
        with every_tenant():
            assert list(Charged.objects.values_list("tenant_id", "api_calls")) == [(acme.pk, 1)]

    def test_of_our_own_accord_are_not_counted(self, linked, crm):
        Client(linked).request("GET", "/contacts/c1", is_counted=False)

        with every_tenant():
            assert not Charged.objects.exists()

    def test_without_a_token_say_so(self, acme_ghl, crm):
        with pytest.raises(Unauthorised, match="no token"):
            Client(acme_ghl).request("GET", "/contacts/c1")

    def test_429_holds_all_workers_for_as_long_as_the_crm_says(self, linked, crm):
        crm.instead = [say(429, {"message": "Too many"}, Retry_After="7")]

        with pytest.raises(CrmUnavailable) as told:
            Client(linked).request("GET", "/contacts/c1")
        assert told.value.retry_after == 7
        with pytest.raises(CrmUnavailable) as later:
            Client(linked).request("GET", "/contacts/c1")
        assert 5 < later.value.retry_after <= 7
        assert len(crm.requests) == 1

    def test_5xx_comes_again_later(self, linked, crm):
        crm.instead = [say(502, {})]

        with pytest.raises(CrmUnavailable, match="answered 502"):
            Client(linked).request("GET", "/contacts/c1")


class TestRenewal:
    def test_before_it_ends(self, linked, crm):
        known = credentials.load(linked)
        credentials.store(linked, replace(known, expires_at=datetime.now(UTC) + timedelta(seconds=30)))

        assert Client(linked).request("GET", "/contacts/c1").is_ok

        fresh = credentials.load(Connection.objects.get(pk=linked.pk))
        assert (fresh.token, fresh.refresh_token, fresh.scopes) == ("token-2", "refresh-2", ("a.b",))
        assert fresh.expires_at > datetime.now(UTC) + timedelta(hours=23)

    def test_when_the_crm_refuses_it_earlier(self, linked, crm):
        crm.tokens.clear()

        assert Client(linked).request("GET", "/contacts/c1").is_ok
        assert crm.renewals == 1

    def test_a_used_up_refresh_token_needs_reconnecting(self, linked, crm):
        crm.tokens.clear()
        crm.refresh_tokens.clear()

        with pytest.raises(Unauthorised):
            Client(linked).request("GET", "/contacts/c1")

        assert Connection.objects.get(pk=linked.pk).reconnect_since is not None

    def test_a_private_token_that_is_refused_needs_reconnecting(self, acme_ghl, crm):
        set_credentials(acme_ghl, token="pit-gone")

        with pytest.raises(Unauthorised, match="refuses our token"):
            Client(acme_ghl).request("GET", "/contacts/c1")

        assert Connection.objects.get(pk=acme_ghl.pk).reconnect_since is not None

    def test_a_provider_that_is_down_changes_nothing(self, linked, crm):
        known = credentials.load(linked)
        stale = replace(known, expires_at=datetime.now(UTC))
        credentials.store(linked, stale)
        crm.server.clear_all_handlers()

        with pytest.raises(CrmUnavailable, match="no new token"):
            Client(linked).request("GET", "/contacts/c1")

        after = Connection.objects.get(pk=linked.pk)
        assert credentials.load(after) == stale
        assert after.reconnect_since is None

    @pytest.mark.django_db(transaction=True)
    def test_once_however_many_workers_need_it(self, linked, crm):
        stale = replace(credentials.load(linked), expires_at=datetime.now(UTC))
        credentials.store(linked, stale)
        got, together = [], threading.Barrier(4)

        def work():
            try:
                together.wait()
                got.append(renewal.renew(Connection.objects.get(pk=linked.pk), stale, at=datetime.now(UTC)))
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert crm.renewals == 1
        assert {each.token for each in got} == {"token-2"}


class TestBudget:
    SMALL = Budget(burst=3, rate=0.5, daily=100)

    def taken(self, linked, count, of=SMALL):
        with connection.cursor() as cursor:
            return [budget.take(cursor, linked.pk, of) for _ in range(count)]

    def test_allows_a_burst_and_then_tells_how_long(self, acme_ghl):
        *first, last = self.taken(acme_ghl, 4)

        assert first == [0, 0, 0]
        assert 1 < last <= 2

    def test_is_each_connections_own(self, acme_ghl, acme_hubspot):
        self.taken(acme_ghl, 4)

        assert self.taken(acme_hubspot, 1) == [0]

    def test_fills_as_time_goes_by(self, acme_ghl):
        self.taken(acme_ghl, 4)
        RateBudget.objects.update(filled_at=datetime.now(UTC) - timedelta(seconds=2.5))

        assert self.taken(acme_ghl, 1) == [0]
        assert self.taken(acme_ghl, 1)[0] > 0

    def test_ends_with_the_day(self, acme_ghl):
        day = replace(self.SMALL, daily=2)
        *_, last = self.taken(acme_ghl, 3, day)
        assert 0 < last <= 86_400

        RateBudget.objects.update(day=datetime.now(UTC).date() - timedelta(days=1))
        assert self.taken(acme_ghl, 1, day) == [0]
