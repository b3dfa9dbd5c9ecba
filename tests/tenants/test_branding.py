"""A tenant's look, and the frame it may be shown in."""

from __future__ import annotations

import base64

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tenants import accents, branding, mail
from tenants.models import AuditEvent, Branding, Tenant

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CRM = "https://app.gohighlevel.com"


def browser(person, **more):
    client = Client(HTTP_HOST="acme.localhost", **more)
    client.force_login(person)
    return client


def values(**change):
    return {"name": "Acme Solar", "timezone": "America/Denver", **change}


@pytest.mark.parametrize("colour", ["000000", "ffffff", "ffff00", "0b6b2a", "1a1aff", "ff0000", "808080"])
def test_every_accent_can_be_read(colour):
    dark, light = accents.on_dark(colour), accents.on_light(colour)

    assert accents.contrast(dark, accents.DARK_GROUND) >= accents.READABLE
    assert accents.contrast(light, accents.LIGHT_GROUND) >= accents.READABLE
    for shade in (dark, light):
        assert accents.contrast(accents.text_on(shade), shade) >= accents.READABLE


@pytest.mark.django_db
class TestSettings:
    def test_an_owner_sets_the_look(self, acme, globex, owner):
        client = browser(owner)
        logo = SimpleUploadedFile("x.exe", PNG)

        answer = client.post(
            "/settings/",
            values(accent="#F0F", sender_name="Acme Leads", reply_to="hi@acme.test", logo=logo),
        )

        assert answer["Location"] == "/settings/"
        row = Branding.objects.get()
        assert (row.tenant, row.accent) == (acme, "ff00ff")
        tenant = Tenant.objects.get(pk=acme.pk)
        assert (tenant.name, tenant.timezone) == ("Acme Solar", "America/Denver")
        page = client.get("/settings/").content.decode()
        assert f"/brand/logo-{row.logo_digest}" in page
        assert "/brand/ff00ff.css" in page
        picture = client.get(f"/brand/logo-{row.logo_digest}")
        assert (picture["Content-Type"], picture["X-Content-Type-Options"]) == ("image/png", "nosniff")
        assert picture.content == PNG
        other = Client(HTTP_HOST="globex.localhost")
        assert other.get(f"/brand/logo-{row.logo_digest}").status_code == 404
        message = mail.compose(tenant, to="a@b.test", subject="Hi", template="code", code="1")
        assert message.from_email.startswith("Acme Leads <")
        assert message.reply_to == ["hi@acme.test"]
        assert AuditEvent.objects.get().verb == "set the look of"

    def test_a_logo_is_taken_away(self, owner):
        client = browser(owner)
        client.post("/settings/", values(logo=SimpleUploadedFile("x.png", PNG)))

        client.post("/settings/", values(forgets_logo="on"))

        assert Branding.objects.get().logo_digest == ""

    @pytest.mark.parametrize(
        "change",
        [
            {"accent": "red"},
            {"accent": "}*{"},
            {"timezone": "Mars/X"},
            {"name": ""},
            {"reply_to": "x"},
            {"frame_ancestors": "http://crm.example.com"},
            {"frame_ancestors": "https://*.example.com"},
            {"frame_ancestors": "https://a.example.com;script-src"},
            {"frame_ancestors": "\n".join(f"https://a{n}.example.com" for n in range(11))},
        ],
    )
    def test_refuses_what_does_not_hold(self, acme, owner, change):
        answer = browser(owner).post("/settings/", values(**change))

        assert answer.status_code == 200
        assert 'role="alert"' in answer.content.decode()
        assert not Branding.objects.exists()
        assert Tenant.objects.get(pk=acme.pk).name == "Acme"

    @pytest.mark.parametrize(
        "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", PNG + b"x" * 200_000]
    )
    def test_refuses_a_file_that_is_no_logo(self, owner, data):
        answer = browser(owner).post("/settings/", values(logo=SimpleUploadedFile("logo.png", data)))

        assert "The logo is" in answer.content.decode()
        assert not Branding.objects.exists()

    def test_is_for_owners(self, acme, member, stranger, operator):
        assert browser(member).get("/settings/").status_code == 403
        assert browser(operator).post("/settings/", values()).status_code == 403
        assert browser(stranger).post("/settings/", values()).status_code == 404

    @pytest.mark.parametrize("path", ["/brand/zz.css", "/brand/12345.css", "/brand/logo-x"])
    def test_garbage_is_a_404(self, acme, path):
        assert Client(HTTP_HOST="acme.localhost").get(path).status_code == 404


@pytest.mark.django_db
class TestFrame:
    @pytest.fixture
    def framed(self, acme, globex):
        look = branding.Look(name="Acme", timezone="UTC", frame_ancestors=(CRM,))
        return branding.save(acme, look, actor="x", at=acme.created_at)

    def test_only_the_named_sites_may_show_this_tenants_portal(self, framed, settings):
        settings.ALLOWED_HOSTS = ["*"]
        mine = Client(HTTP_HOST="acme.localhost").get("/sign-in/")
        other = Client(HTTP_HOST="globex.localhost").get("/sign-in/")
        console = Client(HTTP_HOST="acme.localhost").get("/admin/login/")

        assert f"frame-ancestors 'self' {CRM}" in mine["Content-Security-Policy"]
        assert "X-Frame-Options" not in mine
        for answer in (other, console):
            assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
            assert answer["X-Frame-Options"] == "DENY"

    @pytest.mark.parametrize(("secure", "samesite"), [(True, "None"), (False, "Lax")])
    def test_cookies_work_in_the_frame_over_https_only(self, framed, owner, secure, samesite):
        client = Client(HTTP_HOST="acme.localhost")
        answer = client.post("/sign-in/", {"username": "owner", "password": "owner-password"}, secure=secure)

        assert answer.cookies["sessionid"]["samesite"] == samesite

    def test_other_tenants_cookies_stay_strict(self, framed, stranger):
        client = Client(HTTP_HOST="globex.localhost")
        sent = {"username": "stranger", "password": "stranger-password"}

        answer = client.post("/sign-in/", sent, secure=True)

        assert answer.cookies["sessionid"]["samesite"] == "Lax"

    def test_a_forged_form_is_refused_all_the_same(self, framed, owner):
        client = Client(HTTP_HOST="acme.localhost", enforce_csrf_checks=True)
        client.force_login(owner)

        assert client.post("/settings/", values(), HTTP_ORIGIN=CRM, secure=True).status_code == 403
