"""The command that sets a tenant up."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.models import AuditEvent, Membership, Tenant
from triggers.models import TriggerConfig

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("createtenant", *arguments, stdout=out)
    return out.getvalue()


class TestCreateTenant:
    def test_prints_what_is_shown_once(self):
        said = run("initech", "--owner", "Bill@Initech.test")

        membership = Membership.objects.get(tenant__slug="initech")
        assert membership.role == "owner"
        assert "bill@initech.test" in said
        assert "cos_" in said

    def test_reads_a_file_and_options_win(self, tmp_path):
        file = tmp_path / "tenant.json"
        file.write_text(
            json.dumps(
                {"slug": "filed", "tier": "paid", "connections": [{"crm": "standard", "name": "Forms"}]}
            )
        )

        told = json.loads(run("initech", "--from", str(file), "--json"))

        assert (told["slug"], told["tier"], told["host"]) == ("initech", "paid", "initech.localhost")
        assert told["connections"][0]["secrets"][0].startswith("whsec_")
        assert AuditEvent.objects.get().target == "tenant initech"

    def test_takes_settings_of_a_tenant_but_no_people(self, acme, owner):
        Tenant.objects.filter(pk=acme.pk).update(settings={"industry": "solar"}, timezone="America/Denver")

        TriggerConfig.objects.create(tenant=acme, trigger="A.b", is_enabled=False, pause_reason="mending")

        run("initech", "--from", "acme")

        tenant = Tenant.objects.get(slug="initech")
        assert (tenant.settings, tenant.timezone) == ({"industry": "solar"}, "America/Denver")
        switch = TriggerConfig.objects.get(tenant=tenant)
        assert (switch.trigger, switch.is_enabled, switch.pause_reason) == ("A.b", False, "")
        assert not tenant.memberships.exists()

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["www"], "cannot be a slug"),
            ([], "slug: Field required"),
            (["acme"], "exists already"),
            (["initech", "--tier", "gold"], "there are: free, paid"),
            (["initech", "--from", "nobody"], "neither a tenant nor a file"),
        ],
    )
    def test_refuses_with_a_sentence(self, acme, arguments, sentence):
        with pytest.raises(CommandError, match=sentence):
            run(*arguments)

    @pytest.mark.parametrize("text", ["{", "[]", '{"slug": "x1", "colour": "red"}'])
    def test_refuses_a_file_that_is_no_description(self, tmp_path, text):
        file = tmp_path / "tenant.json"
        file.write_text(text)

        with pytest.raises(CommandError):
            run("--from", str(file))
        assert not Tenant.objects.filter(slug="x1").exists()
