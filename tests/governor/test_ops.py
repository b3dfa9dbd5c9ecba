"""Requests for records: overlaid, counted, validated row by row, and kept to the tenant."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from tenants.records import store
from tenants.records.store import Change
from tests.governor.conftest import NOW


@pytest.fixture
def contacts(acme, globex):
    """Two contacts of acme's, and two of globex's with the same ids."""
    for tenant in (acme, globex):
        changes = [
            Change(
                "Contact",
                "insert",
                key,
                fields_of(tenant, key),
            )
            for key in ("c1", "c2")
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            store.apply_changes(cursor, schema=tenant.schema_name, changes=changes, at=NOW)


def fields_of(tenant, key):
    return {"name": f"{tenant.name} {key}", "score": 1, "custom_fields": {"a": 1}}


def said(result):
    """The data of a result's log lines by message."""
    assert result.error is None, result.error
    return {entry["message"]: entry["data"] for entry in result.entries}


@pytest.mark.usefixtures("contacts")
class TestReading:
    def test_reads_see_the_runs_own_changes(self, execute):
        result = execute("records.RecordTrigger.reads_its_own_writes")

        changed = {"id": "c1", "name": "Acme c1", "score": 5, "custom_fields": {"a": 1, "b": 2}}
        assert said(result) == {"get": {"c1": changed}, "query": [changed], "new": "made"}

    def test_each_tenant_finds_its_own(self, execute, globex):
        ours = execute("records.RecordTrigger.finds")
        theirs = execute("records.RecordTrigger.finds", tenant=globex)

        assert said(ours) == {"found": ["Acme c1", "Acme c2"]}
        assert said(theirs) == {"found": ["Globex c1", "Globex c2"]}

    def test_queries_and_rows_are_counted(self, execute):
        result = execute("records.RecordTrigger.reads_its_own_writes")

        assert result.usage["record_queries"] == [3, 100]
        assert result.usage["records_read"] == [4, 10_000]
        assert result.usage["records_written"] == [3, 10_000]

    def test_one_row_too_many_is_the_limit(self, execute):
        result = execute("records.RecordTrigger.reads_all", limits={"records_read": 1})

        assert (result.error.limit, result.error.used, result.error.max) == ("records_read", 2, 1)
        assert result.error.at.startswith("tests/governor/scripts/records.py:")

    def test_a_query_has_so_many_conditions(self, execute):
        result = execute("records.RecordTrigger.asks_too_much")

        assert result.error.code == "script.bad-request"


@pytest.mark.django_db(transaction=True)
class TestSlowReading:
    def test_a_query_ends_with_the_wall_limit(self, acme, execute):
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {acme.schema_name}.records_record"
                " (object, external_id, data, marks, source, created_at, updated_at)"
                " SELECT 'Contact', n::text, jsonb_build_object('text', repeat('x', 20000)), '{}', 'x',"
                " now(), now() FROM generate_series(1, 5000) n"
            )

        result = execute("records.RecordTrigger.reads_slowly", limits={"wall_ms": 200})

        assert result.error.limit == "wall_ms"
        assert result.effects[0]["state"] == "refused"
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


@pytest.mark.usefixtures("contacts")
class TestWriting:
    def test_changes_of_one_record_become_one(self, execute):
        result = execute("records.RecordTrigger.touches_twice")

        fields = {"score": 5, "name": "New", "custom_fields": {"a": 1, "b": 2}}
        assert result.changes == [Change("Contact", "update", "c1", fields)]

    def test_an_unknown_record_is_an_error_of_its_row(self, execute):
        result = execute("records.RecordTrigger.names_strangers")

        errors = ["records.unknown: there is no Contact nobody."]
        assert said(result)["saved"] == [
            ["c1", True, []],
            ["nobody", False, errors],
            ["nobody", False, errors],
            ["new", True, []],
        ]
        assert [change.id for change in result.changes] == ["c1", "new"]

    def test_a_task_is_a_change_too(self, execute):
        result = execute("records.RecordTrigger.makes_a_task")

        (task,) = result.changes
        assert (task.object, task.operation) == ("Task", "insert")
        assert task.fields["title"] == "Call now"
        assert result.usage["records_written"] == [1, 10_000]

    def test_rows_that_cannot_be_stored_are_refused_one_by_one(self, execute):
        result = execute("records.RecordTrigger.writes_rubbish")

        assert said(result)["errors"] == [
            ["score is not a finite number."],
            ["name holds a NUL character."],
            ["deep is a bytes, which cannot be stored."],
            ["A row is a mapping of fields."],
            ["records.unknown: there is no Contact ."],
        ]
        assert result.changes == []

    def test_too_many_rows_are_the_limit_and_nothing_is_kept(self, execute):
        result = execute("records.RecordTrigger.touches_twice", limits={"records_written": 1})

        assert result.error.limit == "records_written"
        assert result.changes == []

    def test_what_a_dry_run_writes_is_told_as_planned(self, execute):
        result = execute("records.RecordTrigger.touches_twice", mode="dry")

        assert {effect["state"] for effect in result.effects} == {"planned"}

    def test_a_before_trigger_gives_its_fields(self, execute):
        result = execute("records.BeforeTrigger.stamps", timing="before", operation="update")

        assert result.fields == {"c1": {"stamped": True}, "c2": {"stamped": True}}
