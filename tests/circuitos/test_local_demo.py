"""The demo's tenants, and the file that tells how to get in."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from circuitos.env import env
from circuitos.local import deliver, demo
from tenants.models import ApiKey, Connection, Membership, Tenant
from tenants.tokens import digest
from triggers.crm import ADAPTERS


@pytest.fixture
def home(tmp_path, monkeypatch, db):
    changed = type("Env", (), {**env().__dict__, "home": tmp_path, "port": 8123})
    monkeypatch.setattr(demo, "env", lambda: changed)
    return tmp_path


class TestCreate:
    def test_tells_how_to_get_in_as_operator_and_as_owner(self, home, client):
        document = demo.create()

        assert json.loads((home / "demo.json").read_text()) == document
        assert (home / "demo.json").stat().st_mode & 0o077 == 0
        assert document["base_url"] == "http://127.0.0.1:8123"
        operator = {"username": "operator", "password": document["admin"]["password"]}
        assert client.post("/admin/login/?next=/admin/", operator)["Location"] == "/admin/"
        assert ApiKey.objects.get(digest=digest(document["api_token"])).tenant is None
        for told in document["tenants"]:
            tenant = Tenant.objects.get(slug=told["slug"])
            assert told["tier"] == tenant.tier_id
            assert ApiKey.objects.get(digest=digest(told["api_token"])).tenant == tenant
            portal = told["portal"]
            person = {"username": portal["username"], "password": portal["password"]}
            home_page = f"/t/{told['slug']}/"
            assert client.post(f"{home_page}sign-in/", person)["Location"] == home_page
            owner = Membership.objects.get(tenant=tenant, user__username=portal["username"])
            assert owner.role == "owner"
        assert [told["tier"] for told in document["tenants"]] == ["free", "paid"]

    def test_its_hooks_are_the_connections_that_verify_their_signatures(self, home):
        from tenants.connections import signing_secrets

        at = datetime.now(UTC)
        for told in demo.create()["tenants"]:
            for crm, hook in told["hooks"].items():
                connection = Connection.objects.get(key=hook["url"].split("/")[-2])
                assert (connection.crm, connection.tenant.slug) == (crm, told["slug"])
                headers = deliver.Signer(hook).headers(b"{}", now=at.timestamp(), message_id="m")
                ADAPTERS[crm].verify(
                    body=b"{}",
                    headers={name.lower(): value for name, value in headers.items()},
                    method="POST",
                    uris=[hook["url"]],
                    secrets=signing_secrets(connection, at=at),
                    public_keys=connection.public_keys,
                    at=at,
                )

    def test_made_again_it_keeps_the_tenants_and_replaces_what_was_lost(self, home):
        first = demo.create()
        tenants = set(Tenant.objects.values_list("pk", flat=True))

        second = demo.create()

        assert set(Tenant.objects.values_list("pk", flat=True)) == tenants
        assert not ApiKey.objects.filter(digest=digest(first["api_token"])).exists()
        old = first["tenants"][0]["hooks"]["standard"]["url"].split("/")[-2]
        new = second["tenants"][0]["hooks"]["standard"]["url"].split("/")[-2]
        assert not Connection.objects.get(key=old).is_active
        assert Connection.objects.get(key=new).is_active
