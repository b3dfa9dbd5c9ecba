"""Traces: masked, bounded, in the caller's transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from logs import traces
from logs.models import Trace
from tenants.scope import every_tenant, tenant_scope

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def write(tenant, code, *, at=AT, **parts):
    with connection.cursor() as cursor:
        traces.write(
            cursor, tenant_id=tenant.pk, execution=code, started_at=at, release="v1.0.0", at=at, **parts
        )


def read(code):
    with every_tenant():
        return traces.of_execution(code, since=AT)


class TestWrite:
    def test_masks_and_dates(self, acme):
        code = uuid4()

        write(
            acme, code,
            entries=[{"level": "info", "message": "ada@example.test"}],
            outcomes={"r1": ["failed", "no call to +13035550100", {"token": "abc"}]},
            effects=[{"op": "http", "args": {"url": "https://x.test/?key=verysecret"}}],
            error={"code": "x.y", "traceback": "at ada@example.test"},
        )  # fmt: skip

        trace = read(code)
        assert trace.entries == [{"level": "info", "message": "a***@e***.test"}]
        assert trace.outcomes == {"r1": ["failed", "no call to ***00", {"token": "***"}]}
        assert trace.effects[0]["args"]["url"] == "https://x.test/?key=***"
        assert trace.error["traceback"] == "at a***@e***.test"
        assert trace.expires_on == (AT + timedelta(days=traces.TRACE_DAYS)).date()
        assert not trace.is_cut

    def test_a_long_log_keeps_head_and_tail(self, acme):
        code = uuid4()

        write(acme, code, entries=[{"message": f"{n} " + "x" * 1000} for n in range(1000)])

        trace = read(code)
        cut = next(place for place, entry in enumerate(trace.entries) if "cut" in entry)
        assert trace.is_cut
        assert trace.entries[0]["message"].startswith("0 ")
        assert trace.entries[-1]["message"].startswith("999 ")
        assert trace.entries[cut]["cut"] + len(trace.entries) - 1 == 1000
        assert trace.entries[cut]["message"] == f"{trace.entries[cut]['cut']} left out here"

    def test_one_endless_line_loses_its_middle(self, acme):
        code = uuid4()

        write(acme, code, entries=[{"message": "a" * 100_000 + "the end"}])

        trace = read(code)
        assert trace.is_cut
        assert trace.entries[0]["message"].endswith("the end")
        assert len(trace.entries[0]["message"]) < traces.LONGEST_TEXT + 100

    def test_an_entry_larger_than_the_budget_is_told(self, acme):
        code = uuid4()

        write(acme, code, spans=[{"name": "x", "data": ["y" * 7000] * 40}, {"name": "settle"}])

        assert [span.get("name", span.get("cut")) for span in read(code).spans] == [1, "settle"]

    def test_goes_with_the_callers_transaction(self, acme):
        code = uuid4()

        with transaction.atomic():
            write(acme, code)
            transaction.set_rollback(True)

        assert read(code) is None

    def test_a_second_write_of_the_same_start_replaces_the_first(self, acme):
        code = uuid4()

        write(acme, code, entries=[{"message": "one"}])
        write(acme, code, entries=[{"message": "two"}])

        assert read(code).entries == [{"message": "two"}]

    def test_takes_what_jsonb_refuses(self, acme):
        code = uuid4()

        write(acme, code, entries=[{"message": "a\x00b\ud800", "data": {"n": float("inf")}}])

        assert read(code).entries[0]["data"] == {"n": "inf"}


class TestRead:
    def test_needs_a_scope_and_keeps_tenants_apart(self, acme, globex):
        code = uuid4()
        write(acme, code)

        with tenant_scope(globex.pk):
            assert traces.of_execution(code, since=AT) is None
        with tenant_scope(acme.pk):
            assert traces.of_execution(code, since=AT) is not None

    def test_opens_only_the_days_since(self, acme):
        code = uuid4()
        write(acme, code, at=AT - timedelta(days=2))
        write(acme, code, at=AT)

        assert read(code).started_at == AT
        with every_tenant():
            assert Trace.objects.filter(execution=code).count() == 2
