"""Tenants are made and removed whole."""

from __future__ import annotations

import pytest
from django.db import connection

from tenants.models import Domain, Tenant, Tier
from tenants.provision import BadTenant, TenantExists, create_tenant, delete_tenant


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%'")
        return {name for (name,) in cursor.fetchall()}


def make(**changes: object) -> Tenant:
    values = {"slug": "initech", "name": "Initech", "tier": "free", **changes}
    return create_tenant(**values)  # type: ignore[arg-type]


@pytest.mark.django_db
class TestCreateTenant:
    def test_makes_a_row_a_host_and_a_migrated_schema(self):
        tenant = make()

        assert Domain.objects.get(tenant=tenant).domain == "initech.localhost"
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM t_initech.records_record")
            assert cursor.fetchone() == (0,)

    def test_leaves_nothing_behind_when_the_slug_is_taken(self, acme):
        before = schemas()

        with pytest.raises(TenantExists):
            make(slug="acme")

        assert schemas() == before

    def test_leaves_nothing_behind_when_the_host_is_taken(self, acme):
        with pytest.raises(TenantExists):
            make(host="acme.localhost")

        assert "t_initech" not in schemas()
        assert not Tenant.objects.filter(slug="initech").exists()

    @pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a-", "1a", "www", "t", "a" * 41, "a;drop", "ä"])
    def test_refuses_a_slug_that_is_no_host_label(self, slug):
        with pytest.raises(BadTenant):
            make(slug=slug)

    def test_names_the_tiers_there_are(self):
        with pytest.raises(BadTenant, match="free, paid"):
            make(tier="gold")

    def test_refuses_an_unknown_timezone(self):
        with pytest.raises(BadTenant, match="Mars"):
            make(timezone="Mars/Olympus")


@pytest.mark.django_db
class TestDeleteTenant:
    def test_drops_the_schema_and_touches_no_other_tenant(self, acme, acme_ghl):
        tenant = make()

        delete_tenant(tenant)

        assert "t_initech" not in schemas()
        assert "t_acme" in schemas()
        assert acme.connections.count() == 1


@pytest.mark.django_db
def test_every_installation_starts_with_two_tiers():
    figures = {tier.slug: (tier.executions_per_day, tier.api_calls_per_day) for tier in Tier.objects.all()}

    assert figures == {"free": (100, 1_000), "paid": (10_000, 100_000)}


class TestWorld:
    """The suite's own promise: tests with real commits leave the world as they found it."""

    @pytest.mark.django_db(transaction=True)
    def test_a_committed_tenant_goes_away(self):
        make(slug="leftover")

        assert "t_leftover" in schemas()

    @pytest.mark.django_db
    @pytest.mark.parametrize("_", range(2))
    def test_acme_and_globex_stand(self, acme, globex, _):
        assert {"t_acme", "t_globex"} <= schemas()
        assert "t_leftover" not in schemas()
        assert (acme.tier_id, globex.tier_id) == ("free", "paid")
