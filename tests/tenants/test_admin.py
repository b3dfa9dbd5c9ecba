"""The operators' pages of tenants, connections, tokens and the audit log."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils.timezone import now

from tenants import audit
from tenants.connections import api_token, set_credentials, signing_secrets
from tenants.models import ApiKey, AuditEvent, Connection, Tenant, Tier
from tenants.tokens import digest, issue

pytestmark = pytest.mark.django_db


def url(page: str, *args: object) -> str:
    return reverse(f"admin:tenants_{page}", args=args)


def messages_of(response) -> str:
    return " ".join(str(message) for message in response.wsgi_request._messages)


class TestPages:
    @pytest.mark.parametrize("model", ["tenant", "tier", "connection", "apikey", "auditevent"])
    @pytest.mark.usefixtures("acme_ghl", "globex_ghl", "acme_token")
    def test_lists_cost_a_fixed_number_of_queries(self, console, model, acme, django_assert_max_num_queries):
        audit.record(actor="a", verb="b", target="c", tenant=acme, at=now())

        with django_assert_max_num_queries(8):
            response = console.get(url(f"{model}_changelist"))

        assert response.status_code == 200

    def test_the_audit_log_is_read_only(self, console):
        event = audit.record(actor="ada", verb="did", target="it", at=now())

        assert console.get(url("auditevent_change", event.pk)).status_code == 200
        assert console.post(url("auditevent_change", event.pk), {"actor": "eve"}).status_code == 403
        assert console.get(url("auditevent_add")).status_code == 403

    def test_members_have_no_console(self, client, owner):
        client.force_login(owner)

        assert client.get(url("tenant_changelist")).status_code == 404


def filled(console, acme, **change):
    """What the page of acme would send."""
    page = console.get(url("tenant_change", acme.code))
    values = {
        "name": "Acme",
        "tier": "free",
        "timezone": "UTC",
        "settings": "{}",
        "status": "active",
        **change,
    }
    for formset in page.context["inline_admin_formsets"]:
        form = formset.formset.management_form
        values |= {form.add_prefix(name): form.initial.get(name, 0) for name in form.fields}
        for row in formset.formset.initial_forms:
            values |= {row.add_prefix(name): row.initial.get(name) or "" for name in row.fields}
            values[row.add_prefix("id")] = row.instance.pk
            values[row.add_prefix("tenant")] = acme.pk
    return values


class TestTenantPage:
    def test_keeps_the_last_owner_and_notes_what_changed_of_members(self, console, acme, owner, member):
        values = filled(console, acme)
        roles = {value: name for name, value in values.items() if name.endswith("-role")}

        refused = console.post(url("tenant_change", acme.code), {**values, roles["owner"]: "member"})
        raised = console.post(url("tenant_change", acme.code), {**values, roles["member"]: "owner"})

        assert "The last owner stays" in refused.content.decode()
        assert raised.status_code == 302
        assert set(acme.memberships.values_list("role", flat=True)) == {"owner"}
        noted = AuditEvent.objects.get(verb="changed a membership of")
        assert (noted.tenant, noted.data["role"]) == (acme, "owner")
        assert member.username in noted.data["row"]

    def test_adding_makes_the_schema(self, console):
        values = {"slug": "initech", "name": "Initech", "tier": "free", "timezone": "UTC", "settings": "{}"}

        response = console.post(url("tenant_add"), values)

        assert response.status_code == 302
        assert Tenant.objects.get(slug="initech").schema_name == "t_initech"
        assert AuditEvent.objects.get().verb == "created"

    @pytest.mark.parametrize(("field", "value"), [("slug", "www"), ("timezone", "Mars/X"), ("slug", "acme")])
    def test_tells_what_does_not_hold(self, console, acme, field, value):
        values = {"slug": "initech", "name": "I", "tier": "free", "timezone": "UTC", "settings": "{}"}

        response = console.post(url("tenant_add"), {**values, field: value})

        assert response.status_code == 200
        assert field in response.context["adminform"].form.errors

    def test_changing_the_tier_is_noted(self, console, acme):
        values = filled(console, acme, tier="paid")

        response = console.post(url("tenant_change", acme.code), values)

        assert response.status_code == 302
        acme.refresh_from_db()
        assert acme.tier_id == "paid"
        told = AuditEvent.objects.get().data
        assert "tier" in told["fields"]
        assert (told["before"]["tier"], told["after"]["tier"]) == ("free", "paid")


class TestTierPage:
    def values(self, **change):
        return {
            "name": "Free",
            "upgrade_to": "paid",
            "executions_per_day": 100,
            "api_calls_per_day": 1_000,
            "concurrent_executions": 4,
            "weight": 1,
            **change,
        }

    def test_a_change_is_noted_with_old_and_new_values(self, console, acme, globex):
        response = console.post(
            url("tier_change", "free"), self.values(executions_per_day=200, ai_tokens_per_day=5_000)
        )

        assert response.status_code == 302
        told = AuditEvent.objects.get()
        assert (told.actor, told.verb, told.target) == ("operator", "changed", "tier Free")
        assert told.data == {
            "fields": ["ai_tokens_per_day", "executions_per_day"],
            "before": {"ai_tokens_per_day": None, "executions_per_day": 100},
            "after": {"ai_tokens_per_day": 5_000, "executions_per_day": 200},
        }
        assert audit.first_break() is None
        assert Tier.objects.get(slug="paid").executions_per_day == 10_000

    def test_another_tier_to_offer_is_noted_by_its_slug(self, console, acme):
        console.post(url("tier_change", "free"), self.values(upgrade_to=""))

        told = AuditEvent.objects.get().data
        assert (told["before"], told["after"]) == ({"upgrade_to": "paid"}, {"upgrade_to": None})

    def test_says_what_its_numbers_mean(self, console, acme):
        shown = console.get(url("tier_change", "free")).content.decode()

        assert "Left empty, 30 times the day" in shown
        assert "Turns between tenants" in shown


class TestConnectionPage:
    def test_a_new_secret_is_sealed_and_the_old_overlaps(self, console, acme_hubspot):
        values = {
            "name": "",
            "account_id": "7",
            "signing_secret": "fresh",
            "public_keys": "[]",
            "is_active": "on",
        }

        response = console.post(url("connection_change", acme_hubspot.code), values)

        assert response.status_code == 302
        secrets = signing_secrets(Connection.objects.get(pk=acme_hubspot.pk), at=now())
        assert (secrets[0], len(secrets)) == ("fresh", 2)
        assert "fresh" not in str(AuditEvent.objects.values())

    @pytest.mark.parametrize(("written", "kept"), [("pat-1", "pat-1"), ("", "pat-0"), ("-", None)])
    def test_an_api_token_is_kept_replaced_or_forgotten(self, console, acme_hubspot, written, kept):
        set_credentials(acme_hubspot, token="pat-0")
        values = {"account_id": "7", "api_token": written, "public_keys": "[]", "is_active": "on"}

        response = console.post(url("connection_change", acme_hubspot.code), values)

        assert response.status_code == 302
        assert api_token(Connection.objects.get(pk=acme_hubspot.pk)) == kept
        assert "pat-" not in str(AuditEvent.objects.values())

    def test_shows_the_address_and_no_secret(self, console, acme_hubspot):
        page = console.get(url("connection_change", acme_hubspot.code)).content.decode()

        assert f"/hooks/{acme_hubspot.key}/" in page
        assert signing_secrets(acme_hubspot, at=now())[0] not in page

    def test_rotating_shows_the_secret_once(self, console, acme_standard):
        response = console.post(
            url("connection_changelist"), {"action": "rotate", "_selected_action": [acme_standard.pk]}
        )

        shown = re.search(r"whsec_[\w+/=]+", messages_of(response))
        assert shown
        newest = signing_secrets(Connection.objects.get(pk=acme_standard.pk), at=now())[0]
        assert shown[0] == newest


class TestTokenPage:
    def test_issuing_shows_the_token_once(self, console, acme, operator):
        response = console.post(url("apikey_add"), {"name": "CI", "tenant": acme.pk, "user": ""})

        shown = re.search(r"cos_[\w-]+", messages_of(response))
        assert shown
        assert ApiKey.objects.get(name="CI").digest == digest(shown[0])

    def test_revoking_is_noted(self, console, acme):
        key, _ = issue(tenant=acme, user=None, name="x")

        console.post(url("apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk]})

        key.refresh_from_db()
        assert key.revoked_at
        assert AuditEvent.objects.get().verb == "revoked"
