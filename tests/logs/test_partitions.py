"""Day partitions: made ahead, emptied into, dropped behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from logs import partitions, traces

pytestmark = pytest.mark.django_db
AT = datetime(2031, 5, 6, 12, tzinfo=UTC)  # far from the days of other tests


def rows_in(table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM public.{table}")
        return cursor.fetchone()[0]


def write(tenant, at):
    with connection.cursor() as cursor:
        traces.write(cursor, tenant_id=tenant.pk, execution=uuid4(), started_at=at, release="r", at=at)


class TestEnsure:
    def test_makes_a_week_ahead_once(self, acme):
        first, second = partitions.ensure(AT), partitions.ensure(AT)

        assert "logs_trace_20310506" in first.made
        assert "triggers_event_past_20310513" in first.made
        assert second.made == second.dropped == []

    def test_moves_rows_out_of_the_default(self, acme):
        write(acme, AT)
        write(acme, AT - timedelta(days=3))
        assert rows_in("logs_trace_default") == 2

        report = partitions.ensure(AT)

        assert report.moved == 2
        assert rows_in("logs_trace_default") == 0
        assert rows_in("logs_trace_20310506") == 1
        assert rows_in("logs_trace_20310503") == 1

    def test_drops_days_past_their_time_and_no_other(self, acme):
        partitions.ensure(AT)
        write(acme, AT)

        report = partitions.ensure(AT + timedelta(days=partitions.EVENT_DAYS + 1))

        assert "triggers_event_past_20310506" in report.dropped
        assert "triggers_event_past_20310507" not in report.dropped
        assert not any(name.startswith("logs_trace") for name in report.dropped)
        assert rows_in("logs_trace_20310506") == 1

    def test_each_row_lands_in_its_day(self, acme):
        partitions.ensure(AT)

        write(acme, AT.replace(hour=0, minute=0))
        write(acme, AT.replace(hour=23, minute=59))

        assert rows_in("logs_trace_20310506") == 2

    def test_two_at_once_do_not_collide(self, acme, django_db_blocker):
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", [partitions.LOCK_ID])

            assert partitions.ensure(AT).is_busy
        finally:
            other.close()
