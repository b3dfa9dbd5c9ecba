"""Retention of what deliveries leave behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection

from tenants.ids import new_code
from tenants.scope import every_tenant
from triggers import delivery_retention
from triggers.models import Dedup, RefusedCount, RefusedDelivery

if TYPE_CHECKING:
    import pytest

    from tenants.models import Connection

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


def put_key(key: str, *, expires_at: datetime) -> None:
    Dedup.objects.create(connection_id=1, key=key, event_code=new_code(), seen_at=AT, expires_at=expires_at)


class TestSweep:
    def test_keys_past_their_window_go(self, db: None) -> None:
        put_key("over", expires_at=AT - timedelta(seconds=1))
        put_key("open", expires_at=AT)

        with connection.cursor() as cursor:
            assert delivery_retention.sweep(cursor, at=AT) == 1

        assert [held.key for held in Dedup.objects.all()] == ["open"]

    def test_many_go_in_pieces(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery_retention, "CHUNK", 2)
        for number in range(5):
            put_key(f"over {number}", expires_at=AT - timedelta(days=1))

        with connection.cursor() as cursor:
            assert delivery_retention.sweep(cursor, at=AT) == 5

    def test_refused_bodies_go_after_a_day_and_counts_after_a_quarter(self, acme_ghl: Connection) -> None:
        with every_tenant():
            for hours in (23, 25):
                RefusedDelivery.objects.create(
                    tenant_id=acme_ghl.tenant_id,
                    connection=acme_ghl,
                    received_at=AT - timedelta(hours=hours),
                    error_code="triggers.bad-signature",
                    detail="",
                    body=b"",
                    size=0,
                )
            for days in (89, 91):
                RefusedCount.objects.create(
                    connection_id=acme_ghl.pk,
                    refused_on=(AT - timedelta(days=days)).date(),
                    error_code="triggers.bad-signature",
                    count=1,
                )

            with connection.cursor() as cursor:
                assert delivery_retention.sweep(cursor, at=AT) == 2

            assert RefusedDelivery.objects.get().received_at == AT - timedelta(hours=23)
            assert RefusedCount.objects.get().refused_on == (AT - timedelta(days=89)).date()
