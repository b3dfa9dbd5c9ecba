"""Dead letters: failures sorted by their fault, counted once, and what people decide of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.rows import make_execution
from tests.triggers import engine
from triggers import dead_letters
from triggers.fingerprints import fault, normalise
from triggers.models import DeadLetterGroup, DeadLetterTenant, Execution

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def fail(tenant, detail="No postcode for contact-17.", *, at=AT, place="contact.py:12", **fields):
    error = {"code": "script.raised", "detail": detail, "at": place}
    return make_execution(
        tenant,
        at=at,
        trace={"error": error},
        **{
            "status": "failed",
            "error_code": "script.raised",
            "error_type": "ValueError",
            "error_detail": detail,
            "ok": 0,
            "failed": 3,
            **fields,
        },
    )


class TestNormalise:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("No postcode for contact-17.", "No postcode for contact-2204."),
            ("ada@example.test is refused", "grace@example.org is refused"),
            ("took 31 s of 30", "took 48 s of 30"),
            (
                "event 0190f3a4-1b2c-7d3e-8f4a-5b6c7d8e9f00 is gone",
                "event 0190f3a4-1b2c-7d3e-8f4a-5b6c7d8e9f01 is gone",
            ),
            ("no key ocQHyuzHvysMo5N5VsXc", "no key 8XcQHyuzHvysMo5N5VsX"),
            ("GET https://api.test/a/1 failed", "GET https://api.test/b failed"),
        ],
    )
    def test_what_differs_by_record_is_one_fault(self, one, other):
        assert normalise(one) == normalise(other)

    def test_what_differs_by_words_is_another(self):
        assert normalise("KeyError: 'email'") != normalise("KeyError: 'phone'")

    def test_a_release_that_moves_lines_keeps_the_fault(self):
        before = fault(trigger="T.a", code="c", place="contact.py:12")
        assert before.fingerprint == fault(trigger="T.a", code="c", place="contact.py:40").fingerprint
        assert before.fingerprint != fault(trigger="T.b", code="c", place="contact.py:12").fingerprint


class TestSweep:
    def test_sorts_what_the_engine_left_once(self, acme, globex):
        for tenant in (acme, globex):
            for name in ("bad", "good"):
                engine.put(tenant, name)
        engine.drain(engine.supervisor(engine.Runs(engine.poisoned_by("bad"))))

        assert dead_letters.sweep_all() == 2
        assert dead_letters.sweep_all() == 0

        group = DeadLetterGroup.objects.get()
        assert (group.count, group.records, group.status, group.message) == (2, 2, "open", "poison")
        with every_tenant():
            shares = DeadLetterTenant.objects.values_list("tenant__slug", "count")
            assert sorted(shares) == [("acme", 1), ("globex", 1)]
            assert Execution.objects.filter(dead_letter=group, status="failed").count() == 2

    def test_takes_a_failure_that_was_committed_late(self, acme):
        late = fail(acme, status="running")
        fail(acme)
        dead_letters.sweep_all()

        with every_tenant():
            Execution.objects.filter(pk=late.pk).update(status="failed", finished_at=AT)
        dead_letters.sweep_all()

        assert DeadLetterGroup.objects.get().count == 2

    def test_leaves_dry_runs_and_halves_that_went_on(self, acme):
        fail(acme, mode="dry")
        fail(acme, status="bisected")

        assert dead_letters.sweep_all() == 0

    def test_a_resolved_group_opens_again_by_what_fails_later(self, acme, globex):
        fail(acme)
        dead_letters.sweep_all()
        group = DeadLetterGroup.objects.get()
        dead_letters.resolve(group, note="Mended.", actor="eve", at=AT + timedelta(hours=1))
        fail(acme, at=AT + timedelta(minutes=5))
        dead_letters.sweep_all()
        group.refresh_from_db()
        assert (group.status, group.is_regression, group.count) == ("resolved", False, 2)

        fail(globex, at=AT + timedelta(hours=2))
        dead_letters.sweep_all()

        group.refresh_from_db()
        assert (group.status, group.is_regression, group.count) == ("open", True, 3)

    def test_an_ignored_group_stays_ignored_and_counts(self, acme):
        fail(acme)
        dead_letters.sweep_all()
        dead_letters.ignore(DeadLetterGroup.objects.get(), note="", actor="eve", at=AT)
        fail(acme, at=AT + timedelta(days=1))

        dead_letters.sweep_all()

        group = DeadLetterGroup.objects.get()
        assert (group.status, group.count) == ("ignored", 2)

    def test_asks_as_often_for_a_hundred_failures_of_a_fault(self, acme, django_assert_num_queries):
        for number in range(30):
            fail(acme, f"No postcode for contact-{number}.")

        with django_assert_num_queries(7):  # savepoint, rows, places, group, tenant, mark, release
            dead_letters.sweep()


class TestDecide:
    def test_assign_resolve_and_open_again_are_audited(self, acme, operator, member):
        fail(acme)
        dead_letters.sweep_all()
        group = DeadLetterGroup.objects.get()

        dead_letters.assign(group, to=operator, actor="eve", at=AT)
        dead_letters.resolve(group, note="Release 12 mends it.", actor="eve", at=AT)
        with pytest.raises(dead_letters.BadDecision, match="already"):
            dead_letters.resolve(group, note="", actor="eve", at=AT)
        dead_letters.reopen(group, note="", actor="eve", at=AT)
        with pytest.raises(dead_letters.BadDecision, match="operators"):
            dead_letters.assign(group, to=member, actor="eve", at=AT)

        group.refresh_from_db()
        assert (group.status, group.assignee, group.note) == ("open", operator, "Release 12 mends it.")
        assert [event.verb for event in AuditEvent.objects.order_by("id")] == [
            "dead-letters.assign",
            "dead-letters.resolve",
            "dead-letters.reopen",
        ]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_sweeps_count_each_failure_once(self, acme, globex):
        for number in range(40):
            fail(acme if number % 2 else globex, "abcdefgh"[number % 5])

        def one(_):
            try:
                while dead_letters.sweep(most=7):
                    pass
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(one, range(3)))

        counts = DeadLetterGroup.objects.values_list("count", flat=True)
        assert sorted(counts) == [8] * 5
