"""The quarantine: what an operator releases, rejects and runs again, and what that leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import connection
from django.urls import reverse

from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.triggers import engine
from triggers import past, quarantine, quarantine_page
from triggers.models import Event, LiveEvent, PastEvent
from triggers.work import Verdict

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PAGE = "/admin/triggers/event/quarantine/"
JUDGED = Verdict("quarantined", "judgment.override", "Level 10: an instruction to a model.")
TAGS = Verdict(
    "quarantined",
    "triggers.misfit",
    "Contact does not fit its schema: tags.",
    [{"field": "tags.0", "reason": "Input should be a valid string"}],
)


def set_aside(tenant: Tenant, verdict: Verdict = JUDGED, *, trigger: str = "", **fields: object) -> UUID:
    """An event of the tenant that ended in quarantine."""
    live = engine.put(tenant, **fields)
    with connection.cursor() as cursor:
        past.move(cursor, [past.end_of(live.pk, {trigger: verdict})], at=AT)
    return live.code


def event_of(code: UUID) -> Event:
    with every_tenant():
        return Event.objects.get(code=code)


class TestRelease:
    def test_waits_in_its_lane_again_and_the_same_verdict_is_known(self, acme, globex):
        mine, other = set_aside(acme), set_aside(globex)
        was = event_of(mine).pk

        decided = quarantine.release([mine], actor="op", at=AT, note="A real customer.")

        event = event_of(mine)
        assert (decided.done, decided.refused) == (1, {})
        assert (event.pk, event.status, event.lane.object) == (was, "queued", "Contact")
        assert quarantine.released(event.error) == {"judgment.override"}
        assert event_of(other).status == "quarantined"
        row = AuditEvent.objects.get(verb="quarantine.release")
        assert (row.tenant, row.data["events"], row.data["note"]) == (acme, [str(mine)], "A real customer.")

    def test_stays_released_through_a_later_quarantine(self, acme):
        mine = set_aside(acme)
        quarantine.release([mine], actor="op", at=AT)
        with connection.cursor() as cursor:
            past.move(cursor, [past.end_of(event_of(mine).pk, {"": TAGS})], at=AT)

        assert event_of(mine).reason == "triggers.misfit"
        quarantine.rerun([mine], actor="op", at=AT)

        assert quarantine.released(event_of(mine).error) == {"judgment.override"}

    @pytest.mark.parametrize(
        ("verdict", "trigger", "why"),
        [
            (TAGS, "", "mend the mapping"),
            (Verdict("quarantined", "triggers.record-missing", ""), "", "no record"),
            (JUDGED, "ContactTrigger.score", "replay its execution"),
        ],
    )
    def test_what_cannot_run_is_left_and_says_why(self, acme, verdict, trigger, why):
        mine = set_aside(acme, verdict, trigger=trigger)

        decided = quarantine.release([mine], actor="op", at=AT)

        assert decided.done == 0
        assert why in next(iter(decided.refused))
        assert event_of(mine).status == "quarantined"
        assert not AuditEvent.objects.filter(verb="quarantine.release").exists()

    def test_twice_is_once(self, acme):
        mine = set_aside(acme)
        quarantine.release([mine], actor="op", at=AT)

        again = quarantine.release([mine], actor="op", at=AT)

        assert (again.done, sum(again.refused.values())) == (0, 1)
        with every_tenant():
            assert LiveEvent.objects.filter(code=mine).count() == 1

    @pytest.mark.parametrize("count", [0, quarantine.MOST + 1])
    def test_none_and_too_many_are_refused(self, acme, count):
        with pytest.raises(quarantine.BadDecision):
            quarantine.release([UUID(int=n) for n in range(count)], actor="op", at=AT)


class TestReject:
    def test_never_runs_and_keeps_its_reason(self, acme, globex):
        mine, other = set_aside(acme), set_aside(globex)

        quarantine.reject([mine, other], actor="op", at=AT)

        event = event_of(mine)
        assert (event.status, event.reason) == ("skipped", "rejected")
        assert event.error["reason"] == "judgment.override"
        assert event.error["rejected"]["by"] == "op"
        assert set(
            AuditEvent.objects.filter(verb="quarantine.reject").values_list("tenant__slug", flat=True)
        ) == {
            "acme",
            "globex",
        }


class TestProblems:
    def test_one_kind_of_misfit_of_one_field_is_one_problem_of_one_tenant(self, acme, globex):
        for _ in range(3):
            set_aside(acme, TAGS)
        set_aside(globex, TAGS)
        set_aside(acme)

        with every_tenant():
            found = quarantine_page.page({})["problems"]

        assert sorted((one.tenant, one.field, one.count) for one in found) == [
            ("acme", "", 1),
            ("acme", "tags", 3),
            ("globex", "tags", 1),
        ]


class TestPage:
    def test_shows_the_reason_and_masks_what_was_sent(self, console: Client, acme, globex):
        set_aside(acme, TAGS, email="ada.lovelace@example.test")
        set_aside(globex)

        shown = console.get(PAGE, {"tenant": "acme"}).content.decode()

        assert "Input should be a valid string" in shown
        assert "ada.lovelace" not in shown
        assert "judgment.override" not in shown

    def test_runs_a_whole_problem_again(self, console: Client, acme, globex):
        mine, other = [set_aside(acme, TAGS) for _ in range(2)], set_aside(globex, TAGS)
        with every_tenant():
            mark = next(
                one for one in quarantine_page.page({})["problems"] if one.tenant == "acme"
            ).fingerprint

        answer = console.post(f"{PAGE}decide/", {"verb": "rerun", "all": mark}, follow=True)

        assert "2 events run again" in answer.content.decode()
        assert {event_of(code).status for code in mine} == {"queued"}
        assert event_of(other).status == "quarantined"

    @pytest.mark.parametrize("sent", [{}, {"verb": "burn"}, {"verb": "release", "event": ["x", "\x00"]}])
    def test_bad_input_is_a_sentence(self, console: Client, acme, sent):
        set_aside(acme)

        assert console.post(f"{PAGE}decide/", sent, follow=True).status_code == 200
        with every_tenant():
            assert PastEvent.objects.get().status == "quarantined"

    def test_costs_the_same_with_more_rows(self, console: Client, acme, django_assert_max_num_queries):
        for _ in range(12):
            set_aside(acme, TAGS)
        console.get(PAGE)

        with django_assert_max_num_queries(4):
            console.get(reverse("admin:triggers_event_quarantine"))
