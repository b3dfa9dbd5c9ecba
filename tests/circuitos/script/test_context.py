"""The context tells a handler about its batch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from circuitos.script.context import Context


def make_context(**start):
    return Context(
        {
            "trigger": "ContactTrigger.score",
            "object": "Contact",
            "operation": "update",
            "records": [
                {"id": "c1", "email": "new", "custom_fields": {"visits": 3}},
                {"id": "c2", "email": "x"},
            ],
            "olds": [{"id": "c1", "email": "old", "custom_fields": {"visits": 2}}, None],
            "old_known": [True, False],
            "now": "2026-01-02T03:04:05+00:00",
            "error_rate": 0.25,
            "tenant": {
                "slug": "acme",
                "name": "Acme",
                "tier": "free",
                "timezone": "UTC",
                "settings": {"a": 1},
            },
            **start,
        }
    )


class TestContext:
    def test_has_the_batch_and_its_old_images(self):
        context = make_context()

        assert context.size == 2
        assert [record.id for record in context.new_records] == ["c1", "c2"]
        assert context.old_records[1] is None
        assert set(context.new_map) == {"c1", "c2"}
        assert context.old_map["c1"].email == "old"
        assert context.new_record.id == "c1"
        assert context.old_record.email == "old"

    def test_has_every_name_in_camel_case_too(self):
        context = make_context()

        assert context.newRecords is context.new_records
        assert context.oldRecords == context.old_records
        assert context.newMap == context.new_map
        assert context.oldMap == context.old_map
        assert context.errorRate == 0.25
        assert context.executionId == context.execution_id
        assert context.isUpdate
        assert context.fieldChanged("email")

    def test_says_what_happened(self):
        context = make_context(timing="before")

        assert (context.is_update, context.is_insert, context.is_before, context.is_after) == (
            True,
            False,
            True,
            False,
        )
        assert not any([context.is_delete, context.is_undelete, context.is_merge])
        assert context.now == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert (context.tenant.slug, context.tenant.settings) == ("acme", {"a": 1})
        assert repr(context) == "<context of ContactTrigger.score: 2 × Contact update>"

    def test_an_empty_batch_has_no_record(self):
        context = make_context(records=[], olds=[], old_known=[])

        assert (context.new_record, context.old_record, context.size) == (None, None, 0)


class TestChanged:
    def test_compares_with_the_old_image(self):
        context = make_context()
        first = context.new_records[0]

        assert context.changed(first, "email")
        assert context.changed(first, "custom_fields.visits")
        assert not context.changed(first, "city")

    def test_takes_a_plain_copy_of_a_record(self):
        context = make_context()

        assert context.changed({"id": "c1", "email": "new"}, "email")
        assert not context.changed({"id": "c1", "email": "old"}, "email")

    def test_without_an_old_image_a_value_counts_as_changed(self):
        context = make_context()
        second = context.new_records[1]

        assert context.changed(second, "email")
        assert not context.changed(second, "city")

    def test_an_image_that_is_not_known_is_not_trusted(self):
        context = make_context(olds=[{"id": "c1", "email": "new"}, None], old_known=[False, False])

        assert context.new_records[0].old is None
        assert context.changed(context.new_records[0], "email")

    @pytest.mark.parametrize(("name", "expected"), [("email", True), ("city", False)])
    def test_field_changed_asks_the_whole_batch(self, name, expected):
        assert make_context().field_changed(name) is expected
