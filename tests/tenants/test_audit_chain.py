"""The audit log's chain is looked at in stretches, and what was taken out is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tenants import audit, audit_chain
from tenants.models import AuditEvent

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def write(number: int = 3):
    return [audit.record(actor="ada", verb="did", target=f"thing {n}", at=AT) for n in range(number)]


def without_guard(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER USER")


def later(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


class TestLook:
    def test_goes_on_where_the_last_one_ended_and_then_begins_anew(self):
        write(5)

        first, second, third = (audit_chain.look(at=later(n), most=2) for n in range(3))
        anew = audit_chain.look(at=later(4), most=2)

        assert [each.rows for each in (first, second, third, anew)] == [2, 4, 5, 2]
        assert (second.whole_at, third.whole_at) == (None, later(2))
        assert anew.holds

    def test_finds_a_changed_row(self):
        _, second, _ = write()
        without_guard(f"UPDATE tenants_auditevent SET actor = 'eve' WHERE id = {second.pk}")

        chain = audit_chain.look(at=AT)

        assert (chain.holds, chain.broken_id) == (False, second.pk)
        assert f"breaks at row {second.pk}" in audit_chain.state().sentence

    def test_finds_that_the_end_was_cut_off_and_goes_on_saying_so(self):
        third = write()[-1]
        audit_chain.look(at=AT)
        without_guard(f"DELETE FROM tenants_auditevent WHERE id = {third.pk}")

        assert audit_chain.look(at=later(1)).broken_id == third.pk
        assert audit_chain.look(at=later(2)).broken_id == third.pk

    def test_holds_again_once_it_was_restored(self):
        first = write()[0]
        without_guard(f"UPDATE tenants_auditevent SET actor = 'eve' WHERE id = {first.pk}")
        audit_chain.look(at=AT)
        without_guard(f"UPDATE tenants_auditevent SET actor = 'ada' WHERE id = {first.pk}")

        assert audit_chain.look(at=later(1)).holds


class TestShown:
    def test_to_operators_by_the_api(self, acme, api, operator_token, acme_token):
        write()
        audit_chain.look(at=AT)

        told = api(operator_token).get("/api/v1/audit/chain/")
        refused = api(acme_token).get("/api/v1/audit/chain/")

        assert (told.json()["holds"], told.json()["rows"]) == (True, 3)
        assert refused.status_code == 403

    def test_in_the_console_where_it_can_be_looked_at(self, console):
        write()

        before = console.get("/admin/tenants/auditevent/").content.decode()
        after = console.post("/admin/tenants/auditevent/look/", follow=True).content.decode()

        assert "was not looked at yet" in before
        assert "The chain holds: 3 rows" in after
        assert AuditEvent.objects.filter(verb="looked at").exists()

    def test_who_may_only_look_on_cannot_have_it_looked_at(self, viewer):
        assert viewer.post("/admin/tenants/auditevent/look/").status_code == 403
