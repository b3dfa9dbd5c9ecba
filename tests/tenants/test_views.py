"""The portal's home: for the tenant's people only."""

from __future__ import annotations

import pytest
from django.test import Client

from tenants.portal import Figure, register
from tenants.scope import every_tenant
from triggers.models import Execution

pytestmark = pytest.mark.django_db


def sign_in(username: str, host: str = "acme.localhost", path: str = "/sign-in/") -> tuple[Client, object]:
    client = Client(HTTP_HOST=host)
    password = f"{username}-password"
    return client, client.post(path, {"username": username, "password": password})


class TestHome:
    def test_asks_strangers_to_sign_in(self, acme):
        assert Client(HTTP_HOST="acme.localhost").get("/")["Location"] == "/sign-in/"
        assert Client().get("/t/acme/")["Location"] == "/t/acme/sign-in/"

    @pytest.mark.parametrize("person", ["owner", "member", "operator"])
    def test_shows_members_and_operators_what_ran_and_where_to_send(
        self, request, person, acme, acme_ghl, globex_hubspot
    ):
        request.getfixturevalue(person)
        client, response = sign_in(person)

        page = client.get(response["Location"]).content.decode()

        assert "<h1>Acme</h1>" in page
        assert f"http://acme.localhost/hooks/{acme_ghl.key}/" in page
        assert globex_hubspot.key not in page
        assert "Executions in 24 hours" in page

    def test_counts_the_tenants_own_executions(self, owner, acme, globex):
        from tests.rows import make_execution

        with every_tenant():
            make_execution(acme)
            for _ in range(2):
                make_execution(globex)
            assert Execution.objects.count() == 3
        client, _ = sign_in("owner")

        assert "<dd>1</dd>" in client.get("/").content.decode()

    def test_works_by_path_too(self, owner, acme_ghl):
        client, response = sign_in("owner", "any.example", "/t/acme/sign-in/")

        assert response["Location"] == "/t/acme/"
        assert client.get("/t/acme/").status_code == 200

    def test_other_tenants_people_do_not_enter(self, acme, stranger):
        client, response = sign_in("stranger")
        assert response.status_code == 200
        assert "alert" in response.content.decode()

        client.force_login(stranger)
        assert client.get("/").status_code == 403

    def test_signing_out_ends_it(self, owner):
        client, _ = sign_in("owner")

        client.post("/sign-out/")

        assert client.get("/").status_code == 302
        assert client.get("/sign-out/").status_code == 405

    def test_a_page_of_the_platform_is_not_below_the_portal(self, owner):
        assert Client(HTTP_HOST="acme.localhost").get("/nothing/").status_code == 404


def test_figures_of_a_name_are_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        register("triggers", lambda tenant: [Figure("a", "b")])
