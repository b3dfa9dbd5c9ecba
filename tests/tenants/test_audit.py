"""The audit log cannot be rewritten unnoticed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from tenants import audit
from tenants.models import AuditEvent
from tenants.provision import create_tenant, delete_tenant

AT = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def write(number: int = 3, **fields):
    return [
        audit.record(actor="ada", verb="did", target=f"thing {n}", at=AT, **fields) for n in range(number)
    ]


def without_guard(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER USER")


class TestRecord:
    def test_each_row_carries_the_hash_of_the_one_before(self, acme):
        first, second, third = write(tenant=acme, data={"at": AT, "n": 1})

        assert (second.previous, third.previous) == (first.digest, second.digest)
        assert audit.first_break() is None

    def test_rows_can_be_neither_changed_nor_deleted(self):
        write()

        for change in (
            lambda: AuditEvent.objects.update(actor="eve"),
            lambda: AuditEvent.objects.all().delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()

    def test_a_changed_row_is_found_by_its_hash(self):
        _, second, _ = write()

        without_guard(f"UPDATE tenants_auditevent SET actor = 'eve' WHERE id = {second.pk}")

        assert audit.first_break() == second

    def test_a_missing_row_is_found_by_the_next_ones(self):
        _, second, third = write()

        without_guard(f"DELETE FROM tenants_auditevent WHERE id = {second.pk}")

        assert audit.first_break() == third

    def test_outlives_its_tenant(self):
        tenant = create_tenant(slug="initech", name="Initech", tier="free")
        write(1, tenant=tenant)

        delete_tenant(tenant)

        event = AuditEvent.objects.get()
        assert (event.tenant_id, event.data) == (None, {"tenant": "initech"})
        assert audit.first_break() is None
