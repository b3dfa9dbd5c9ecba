"""The schemas: tolerant of how CRMs write a value, strict in what it is, and mended by rules."""

from __future__ import annotations

import pytest

from triggers.schemas import FIELDS, Misfit, check, complete, mending, tolerance


class TestTolerance:
    @pytest.mark.parametrize(
        ("name", "sent", "read"),
        [
            ("Opportunity", {"monetary_value": "1,200.50"}, {"monetary_value": 1200.5}),
            ("Opportunity", {"monetary_value": " 12 "}, {"monetary_value": 12}),
            ("Opportunity", {"monetary_value": ""}, {"monetary_value": None}),
            ("Contact", {"phone": 13035550100}, {"phone": "13035550100"}),
            ("Contact", {"dnd": "TRUE"}, {"dnd": True}),
            ("Contact", {"tags": ""}, {"tags": None}),
            ("Contact", {"created_at": 1772452800000}, {"created_at": "2026-03-02T12:00:00+00:00"}),
            ("Contact", {"created_at": "1772452800000"}, {"created_at": "2026-03-02T12:00:00+00:00"}),
            ("Contact", {"created_at": "1772452800"}, {"created_at": "2026-03-02T12:00:00+00:00"}),
            (
                "Contact",
                {"created_at": "Mon, 02 Mar 2026 12:00:00 +0000"},
                {"created_at": "2026-03-02T12:00:00+00:00"},
            ),
            ("Contact", {"created_at": "2026-03-02"}, {"created_at": "2026-03-02"}),
            ("Contact", {"created_at": "next week"}, {"created_at": "next week"}),
            ("Contact", {"created_at": ""}, {"created_at": None}),
            ("Review", {"stars": "5", "is_answered": "false"}, {"stars": 5, "is_answered": False}),
            ("Order", {"total": "19.90", "number": 7}, {"total": 19.9, "number": "7"}),
            ("Invoice", {"amount_due": "0"}, {"amount_due": 0}),
            ("Campaign", {"budget": None, "name": "Spring"}, {"budget": None, "name": "Spring"}),
        ],
    )
    def test_reads_what_is_plainly_meant(self, name, sent, read):
        assert check(name, sent) == read

    @pytest.mark.parametrize(
        ("name", "sent", "field"),
        [
            ("Opportunity", {"monetary_value": "a lot"}, "monetary_value"),
            ("Opportunity", {"monetary_value": "1,2"}, "monetary_value"),
            ("Opportunity", {"monetary_value": True}, "monetary_value"),
            ("Contact", {"first_name": 5}, "first_name"),
            ("Contact", {"dnd": "yes"}, "dnd"),
            ("Contact", {"tags": ["a", 1]}, "tags.1"),
            ("Review", {"stars": "five"}, "stars"),
            ("Order", {"items": "one"}, "items"),
        ],
    )
    def test_refuses_another_type_and_names_the_field(self, name, sent, field):
        with pytest.raises(Misfit) as caught:
            check(name, sent)

        assert [fault["field"] for fault in caught.value.fields] == [field]

    def test_ten_objects_are_documented_each_with_what_is_unknown_apart(self):
        assert len(FIELDS) == 10
        assert all({"custom_fields", "extra"} <= set(fields) for fields in FIELDS.values())
        assert all(complete(name, {})["extra"] == {} for name in FIELDS)


class TestConvert:
    @pytest.mark.parametrize(
        ("value", "kind", "said"),
        [
            ({"value": "hot", "id": 3}, "text", "hot"),
            (["a", 2], "text", "a, 2"),
            ({"x": {}}, "text", {"x": {}}),
            ("Yes", "flag", True),
            ("perhaps", "flag", "perhaps"),
            ("a, b", "list", ["a", "b"]),
            ([{"name": "a"}], "list", ["a"]),
            ("12", "number", 12),
        ],
    )
    def test_says_what_is_meant_or_leaves_it(self, value, kind, said):
        assert tolerance.convert(value, kind) == said


class TestMending:
    def rule(self, **fields):
        return {"object": "Contact", "field": "tags", "verb": "convert", "to": "list", **fields}

    def test_a_converted_field_fits(self):
        with pytest.raises(Misfit):
            check("Contact", {"tags": "a,b"})
        with mending.using([self.rule()]):
            assert check("Contact", {"tags": "a,b"}) == {"tags": ["a", "b"]}
        with pytest.raises(Misfit):
            check("Contact", {"tags": "a,b"})

    def test_a_renamed_field_has_its_old_name_and_what_was_given_is_not_touched(self):
        given = {"postal_code": None, "extra": {"zip_code": "80202", "x": 1}}
        with mending.using([self.rule(field="extra.zip_code", verb="rename", to="postal_code")]):
            assert check("Contact", given) == {"postal_code": "80202", "extra": {"x": 1}}
        assert given["extra"] == {"zip_code": "80202", "x": 1}

    def test_an_ignored_field_is_kept_apart(self):
        with mending.using([self.rule(verb="ignore")]):
            assert check("Contact", {"tags": {"a": 1}}) == {"extra": {"tags": {"a": 1}}}

    def test_another_object_is_left_alone(self):
        with mending.using([self.rule(object="Task", field="title", verb="ignore")]):
            assert check("Contact", {"tags": ["a"]}) == {"tags": ["a"]}
