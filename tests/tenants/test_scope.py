"""No tenant in scope, no rows; and none of the six ways in which rows cross tenants elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Thread

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django_tenants.utils import schema_context

from tenants.records.store import Change, apply_changes, get
from tenants.scope import NoTenant, bound, current_tenant_id, every_tenant, tenant_scope
from triggers.models import Lane

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def lanes(acme, globex):
    with every_tenant():
        for tenant in (acme, globex):
            Lane.objects.create(tenant=tenant, object=f"of-{tenant.slug}")


def seen() -> set[str]:
    return set(Lane.objects.values_list("object", flat=True))


class TestScope:
    def test_without_one_nothing_can_be_asked(self):
        with pytest.raises(NoTenant):
            Lane.objects.all()
        with pytest.raises(NoTenant):
            current_tenant_id()

    def test_shows_one_tenant(self, acme, globex, lanes):
        with tenant_scope(acme.pk):
            assert seen() == {"of-acme"}
        with tenant_scope(globex.pk):
            assert seen() == {"of-globex"}
        with every_tenant():
            assert seen() == {"of-acme", "of-globex"}

    def test_leaving_brings_the_previous_one_back_also_by_an_error(self, acme, globex):
        with tenant_scope(acme.pk):
            with pytest.raises(ZeroDivisionError), tenant_scope(globex.pk):
                1 / 0  # noqa: B018
            assert current_tenant_id() == acme.pk
            with every_tenant():
                assert current_tenant_id() is None
            assert current_tenant_id() == acme.pk

    @pytest.mark.parametrize("nobody", [None, "", "x"])
    def test_refuses_what_is_no_tenant(self, nobody):
        with pytest.raises((TypeError, ValueError)), tenant_scope(nobody):
            pass


class TestLeakPatterns:
    """What crosses schemas with ``search_path`` switching stays with its tenant here."""

    def test_a_lazy_queryset_keeps_the_tenant_it_was_built_for(self, acme, globex, lanes):
        with tenant_scope(acme.pk):
            rows = Lane.objects.all()

        with tenant_scope(globex.pk):
            assert [lane.object for lane in rows] == ["of-acme"]
        assert [lane.object for lane in rows.all()] == ["of-acme"]

    def test_a_generator_goes_on_with_its_tenant(self, acme, globex, lanes):
        with tenant_scope(acme.pk):
            names = (lane.object for lane in Lane.objects.iterator())

        with tenant_scope(globex.pk):
            assert list(names) == ["of-acme"]

    def test_a_thread_starts_without_a_scope(self, acme):
        found = []

        def ask():
            try:
                found.append(current_tenant_id())
            except NoTenant:
                found.append("none")

        with tenant_scope(acme.pk):
            for target in (ask, bound(ask)):
                thread = Thread(target=target)
                thread.start()
                thread.join()

        assert found == ["none", acme.pk]

    def test_a_pooled_thread_keeps_no_scope_from_its_last_job(self, acme, globex):
        with ThreadPoolExecutor(1) as pool:
            for tenant in (acme, globex):
                with tenant_scope(tenant.pk):
                    job = bound(current_tenant_id)
                assert pool.submit(job).result() == tenant.pk
            with pytest.raises(NoTenant):
                pool.submit(current_tenant_id).result()

    def test_on_commit_of_an_outer_transaction_does_not_run_as_its_tenant(
        self, acme, globex, django_capture_on_commit_callbacks
    ):
        found = []
        with django_capture_on_commit_callbacks() as callbacks, tenant_scope(acme.pk):
            transaction.on_commit(bound(lambda: found.append(current_tenant_id())))
            transaction.on_commit(lambda: found.append(current_tenant_id()))

        with tenant_scope(globex.pk):
            callbacks[0]()
        with pytest.raises(NoTenant):
            callbacks[1]()
        assert found == [acme.pk]

    def test_saving_another_tenants_row_changes_that_row_and_nobody_elses(self, acme, globex, lanes):
        with tenant_scope(acme.pk):
            lane = Lane.objects.get()

        with tenant_scope(globex.pk):
            lane.parked_reason = "acme's"
            lane.save(update_fields=["parked_reason"])

        with every_tenant():
            reasons = dict(Lane.objects.values_list("object", "parked_reason"))
        assert reasons == {"of-acme": "acme's", "of-globex": ""}

    def test_records_go_to_the_schema_named_whatever_the_connection_is_set_to(self, acme, globex):
        change = [Change("Contact", "insert", "1", {"of": "acme"})]
        with schema_context(globex.schema_name), connection.cursor() as cursor:
            apply_changes(cursor, schema=acme.schema_name, changes=change, at=AT)
        with connection.cursor() as cursor:
            assert get(cursor, schema=globex.schema_name, object="Contact", ids=["1"]) == {}
            assert get(cursor, schema=acme.schema_name, object="Contact", ids=["1"])["1"]["of"] == "acme"

    def test_the_record_model_reaches_no_tenant_from_the_public_schema(self, acme):
        from django.db.utils import ProgrammingError

        from tenants.records.models import Record

        with pytest.raises(ProgrammingError), transaction.atomic():
            Record.objects.count()

    def test_cache_keys_of_two_schemas_differ(self, acme, globex, valkey):
        cache.set("greeting", "public")
        with schema_context(acme.schema_name):
            cache.set("greeting", "acme")

        with schema_context(globex.schema_name):
            assert cache.get("greeting") is None
        assert cache.get("greeting") == "public"
