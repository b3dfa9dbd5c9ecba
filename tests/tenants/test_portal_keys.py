"""The portal's API keys: made and revoked by owners, for their own tenant alone."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tenants import keys
from tenants.models import ApiKey, AuditEvent
from tenants.tokens import issue
from tests.query_counts import counted

pytestmark = pytest.mark.django_db


@pytest.fixture
def enter(acme, globex):
    """``enter(person)``: the person's browser on acme's host."""

    def client(person, **options):
        found = Client(HTTP_HOST="acme.localhost", **options)
        found.force_login(person)
        return found

    return client


class TestPage:
    def test_lists_the_tenants_keys_without_their_tokens(self, enter, acme, globex, owner, operator):
        _, token = issue(tenant=acme, user=None, name="Reports")
        issue(tenant=globex, user=None, name="Of globex")

        for person in (owner, operator):
            page = enter(person).get("/keys/").content.decode()
            assert "Reports" in page
            assert token[:12] in page
            assert token not in page
            assert "Of globex" not in page

    def test_is_not_for_members_and_strangers(self, enter, member, stranger):
        assert enter(member).get("/keys/").status_code == 403
        assert enter(stranger).get("/keys/").status_code == 404

    @pytest.mark.parametrize("rows", [1, 30])
    def test_costs_the_same_however_many(self, enter, acme, owner, rows):
        for n in range(rows):
            issue(tenant=acme, user=None, name=f"key {n}")
        client = enter(owner)
        client.get("/keys/")

        with counted("portal.keys"):
            client.get("/keys/")


class TestMaking:
    def test_shows_the_token_once_and_it_opens_the_own_tenant(self, enter, api, globex, owner, globex_ghl):
        client = enter(owner)

        page = client.post("/keys/new/", {"name": "Reports"}).content.decode()

        (token,) = set(re.findall(r"cos_[\w-]{30,}", page))
        answer = api(token).get("/api/v1/tenants/").json()["results"]
        assert [row["slug"] for row in answer] == ["acme"]
        assert api(token).get("/api/v1/connections/").json()["results"] == []
        assert token not in client.get("/keys/").content.decode()
        said = AuditEvent.objects.get()
        assert (said.actor, said.verb, said.data["name"]) == ("owner", "created", "Reports")

    def test_asks_again_who_it_is_after_a_while(self, enter, owner):
        client = enter(owner)
        session = client.session
        session["proved_at"] = 0
        session.save()

        answer = client.post("/keys/new/", {"name": "Reports"})

        assert answer.status_code == 302
        assert "next=%2Fkeys%2F" in answer["Location"]
        assert not ApiKey.objects.exists()
        assert client.get(answer["Location"]).status_code == 200

    def test_needs_a_name(self, enter, owner):
        assert "This field is required." in enter(owner).post("/keys/new/", {}).content.decode()
        assert not ApiKey.objects.exists()

    def test_is_for_owners(self, enter, owner, member, operator, stranger):
        for person, status in ((member, 403), (operator, 403), (stranger, 404)):
            assert enter(person).post("/keys/new/", {"name": "x"}).status_code == status
        assert enter(owner, enforce_csrf_checks=True).post("/keys/new/", {"name": "x"}).status_code == 403
        assert not ApiKey.objects.exists()

    def test_has_an_end(self, enter, acme, owner, monkeypatch):
        monkeypatch.setattr(keys, "MOST_KEYS", 1)
        client = enter(owner)
        client.post("/keys/new/", {"name": "one"})

        page = client.post("/keys/new/", {"name": "two"}, follow=True).content.decode()

        assert "revoke one first" in page
        assert ApiKey.objects.get().name == "one"


class TestRevoking:
    def test_ends_the_key(self, enter, api, acme, owner):
        key, token = issue(tenant=acme, user=None, name="Reports")

        page = enter(owner).post(f"/keys/{key.code}/revoke/", follow=True).content.decode()

        assert "opens nothing any more" in page
        assert api(token).get("/api/v1/tenants/").status_code == 401
        enter(owner).post(f"/keys/{key.code}/revoke/")
        assert AuditEvent.objects.filter(verb="revoked").count() == 1

    def test_of_another_tenant_is_not_found(self, enter, globex, owner, member):
        key, _ = issue(tenant=globex, user=None, name="Of globex")

        assert enter(owner).post(f"/keys/{key.code}/revoke/").status_code == 404
        assert enter(member).post(f"/keys/{key.code}/revoke/").status_code == 403
        key.refresh_from_db()
        assert key.revoked_at is None
