"""Invited, accepted, signed in by code, and the look of a portal, in a real browser."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail as outbox

from tenants import mail
from tenants.models import Branding
from tests.browser.chromium import PHONE, WIDE, fits
from tests.browser.test_portal import keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def is_accessible(page):
    page.wait_for_load_state()
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response["violations"]
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    assert fits(page)


def sign_in(page, base):
    page.goto(f"{base}/t/acme/sign-in/")
    page.fill("#id_username", "owner@acme.test")
    page.fill("#id_password", "owner-password")
    page.click("button:text('Sign in')")
    page.wait_for_url("**/t/acme/")


def test_invited_accepted_and_signed_in_by_code_without_javascript(open_page, live_server, owner, globex):
    page = open_page("dark", WIDE, java_script_enabled=False)
    sign_in(page, live_server.url)
    page.goto(f"{live_server.url}/t/acme/members/")
    page.fill("#email", "ada@people.test")
    page.click("button:text('Send invitation')")
    assert "on its way to ada@people.test" in page.inner_text("main")
    keep(page, "members-dark-1280")

    link = re.search(r"http\S+", outbox.outbox[-1].body)[0]
    guest = open_page("light", PHONE, java_script_enabled=False)
    guest.goto(link)
    keep(guest, "invitation-light-390")
    guest.fill("#id_new_password1", "a-long-password")
    guest.fill("#id_new_password2", "a-long-password")
    guest.click("button:text('Join')")
    guest.wait_for_url("**/t/acme/")

    again = open_page("light", PHONE, java_script_enabled=False)
    again.goto(f"{live_server.url}/t/acme/sign-in/")
    keep(again, "sign-in-light-390")
    again.click("text=Send me a code by e-mail")
    again.fill("#id_email", "ada@people.test")
    again.click("button:text('Send the code')")
    mail.settle()
    keep(again, "code-light-390")
    again.fill("#id_code", re.search(r"^[A-Z0-9-]{6,}$", outbox.outbox[-1].body, re.MULTILINE)[0])
    again.click("button:text('Sign in')")
    again.wait_for_url("**/t/acme/")


@pytest.mark.parametrize(("scheme", "size"), [("dark", PHONE), ("light", WIDE)], ids=["dark", "light"])
def test_the_pages_of_people_are_accessible(open_page, live_server, owner, scheme, size):
    Branding.objects.create(tenant=owner.memberships.get().tenant, accent="ff5a1f")
    page = open_page(scheme, size)
    for path in ("sign-in/", "sign-in/code/", "password/"):
        page.goto(f"{live_server.url}/t/acme/{path}")
        is_accessible(page)
    sign_in(page, live_server.url)
    for path in ("members/", "settings/"):
        page.goto(f"{live_server.url}/t/acme/{path}")
        is_accessible(page)
        keep(page, f"{path.strip('/')}-{scheme}-{size['width']}")
