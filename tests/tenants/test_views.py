"""The portal's home: for the tenant's people only."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tenants import portal

pytestmark = pytest.mark.django_db


def sign_in(username: str, host: str = "acme.localhost", path: str = "/sign-in/") -> tuple[Client, object]:
    client = Client(HTTP_HOST=host)
    password = f"{username}-password"
    return client, client.post(path, {"username": username, "password": password})


class TestEntrance:
    def test_asks_strangers_to_sign_in(self, acme):
        assert Client(HTTP_HOST="acme.localhost").get("/")["Location"] == "/sign-in/"
        assert Client().get("/t/acme/")["Location"] == "/t/acme/sign-in/"

    def test_works_by_path_too(self, owner, acme_ghl):
        client, response = sign_in("owner", "any.example", "/t/acme/sign-in/")

        assert response["Location"] == "/t/acme/"
        assert client.get("/t/acme/").status_code == 200

    def test_other_tenants_people_do_not_enter(self, acme, stranger):
        client, response = sign_in("stranger")
        assert response.status_code == 200
        assert "alert" in response.content.decode()

        client.force_login(stranger)
        assert client.get("/").status_code == 404

    def test_signing_out_ends_it(self, owner):
        client, _ = sign_in("owner")

        client.post("/sign-out/")

        assert client.get("/").status_code == 302
        assert client.get("/sign-out/").status_code == 405

    def test_a_page_of_the_platform_is_not_below_the_portal(self, owner):
        assert Client(HTTP_HOST="acme.localhost").get("/nothing/").status_code == 404


class TestNavigation:
    @pytest.fixture
    def pages(self, acme, globex):
        """``pages(person)``: the labels in the navigation as the person sees it."""

        def found(person):
            client = Client(HTTP_HOST="acme.localhost")
            client.force_login(person)
            page = client.get("/usage/").content.decode()
            side = page.partition('<header class="side">')[2].partition("</nav>")[0]
            return re.findall(r"<span>([^<]+)</span></a>", side)

        return found

    def test_lists_the_pages_that_exist(self, pages, owner):
        assert pages(owner) == [entry.label for entry in portal.there_are()]

    def test_leaves_out_what_only_owners_may_open(self, pages, member, operator):
        hidden = {entry.label for entry in portal.NAVIGATION if entry.is_owners_only}

        assert hidden
        assert not hidden & set(pages(member))
        assert pages(operator) == [entry.label for entry in portal.there_are()]

    def test_marks_the_page_that_is_open(self, owner):
        client = Client(HTTP_HOST="acme.localhost")
        client.force_login(owner)

        page = client.get("/usage/").content.decode()

        assert page.count('href="/usage/" aria-current="page"') == 2  # at the side, and in the phone's menu

    def test_is_not_shown_before_one_has_signed_in(self, acme):
        page = Client(HTTP_HOST="acme.localhost").get("/sign-in/").content.decode()

        assert "Acme" in page
        assert "<nav" not in page

    def test_an_entry_without_a_page_has_no_address(self, acme):
        assert portal.address_of("portal-nowhere") == ""
