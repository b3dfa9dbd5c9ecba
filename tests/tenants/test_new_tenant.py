"""An operator opens a tenant in the console: all of it, or nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from governor.models import Override
from tenants.models import AuditEvent, Invitation, Tenant
from triggers.models import TriggerConfig

VALUES = {
    "slug": "initech",
    "name": "Initech",
    "tier": "free",
    "timezone": "UTC",
    "settings": "{}",
    "owner": "",
    "template": "",
    "host": "",
}
SCORING = "ContactTrigger.score_new_leads"


def add(console, **fields):
    return console.post(reverse("admin:tenants_tenant_add"), {**VALUES, **fields}, follow=True)


class TestOpening:
    def test_invites_the_owner_and_shows_the_link_once(
        self, console, globex, mailoutbox, client, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            page = add(console, owner="Boss@initech.test")

        invitation = Invitation.objects.get(tenant__slug="initech")
        assert (invitation.email, invitation.role) == ("boss@initech.test", "owner")
        assert [mail.to for mail in mailoutbox] == [["boss@initech.test"]]
        said = [str(message) for message in page.context["messages"] if "/invitation/" in str(message)]
        link = said[0].partition("<code>")[2].partition("</code>")[0]
        assert link in mailoutbox[0].body
        client.logout()
        assert client.get(link.partition("testserver")[2]).status_code == 200
        assert {"invited", "created"} <= set(AuditEvent.objects.values_list("verb", flat=True))

    def test_copies_settings_and_switches_of_a_template_and_no_pause(self, console, acme, globex):
        acme.settings = {"industry": "fitness", "lpr": {"hot": 75}}
        acme.save(update_fields=["settings"])
        TriggerConfig.objects.create(
            tenant=acme, trigger=SCORING, is_enabled=False, order=7, pause_reason="mending"
        )
        TriggerConfig.objects.create(tenant=globex, trigger=SCORING, order=1)

        add(console, template=acme.pk, settings='{"industry": "dental"}')

        made = Tenant.objects.get(slug="initech")
        assert made.settings == {"industry": "dental", "lpr": {"hot": 75}}
        copied = TriggerConfig.objects.get(tenant=made)
        assert (copied.is_enabled, copied.order, copied.pause_reason) == (False, 7, "")
        assert not made.memberships.exists()
        assert not made.connections.exists()

    def test_copies_limits_that_stand_without_an_end(self, console, acme, globex):
        at = now()
        for tenant, fields in (
            (acme, {"value": 40}),
            (acme, {"value": 41, "ended_at": at}),
            (acme, {"name": "wall_ms", "value": 9_000, "until": at + timedelta(days=1)}),
            (globex, {"value": 30}),
        ):
            Override.objects.create(
                **{"tenant": tenant, "name": "api_calls", "reason": "Small plan.", "actor": "ada",
                   "created_at": at, **fields}
            )  # fmt: skip

        add(console, template=acme.pk)

        made = Tenant.objects.get(slug="initech")
        copied = Override.objects.get(tenant=made)
        assert (copied.name, copied.value, copied.until) == ("api_calls", 40, None)
        assert copied.reason == "From the template acme: Small plan."

    @pytest.mark.parametrize(
        ("field", "value"),
        [("slug", "acme"), ("owner", "nobody"), ("host", "acme.localhost"), ("slug", "www")],
    )
    def test_makes_nothing_of_what_does_not_hold(self, console, acme, globex, field, value):
        page = add(console, **{field: value})

        assert field in page.context["adminform"].form.errors
        assert set(Tenant.objects.values_list("slug", flat=True)) >= {"acme", "globex"}
        assert not Tenant.objects.filter(slug="initech").exists()

    def test_leaves_nothing_when_the_invitation_fails(self, console, acme, monkeypatch):
        from tenants import invitations, new_tenant

        def full(**_):
            raise invitations.BadInvitation("No more invitations.")

        monkeypatch.setattr(new_tenant.invitations, "invite", full)
        page = add(console, owner="boss@initech.test")

        assert "No more invitations." in page.content.decode()
        assert not Tenant.objects.filter(slug="initech").exists()
