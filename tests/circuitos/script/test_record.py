"""Records read as mappings and by attribute, and know what was set on them."""

from __future__ import annotations

import copy
import json

import pytest
from pydantic import BaseModel

from circuitos import Record, RecordError
from circuitos.script.record import changes_of, fields_set, has_unsaved, mark_saved, outcome_of


@pytest.fixture
def record():
    old = Record({"id": "c1", "email": "old@b.test"}, object="Contact")
    return Record({"id": "c1", "email": "a@b.test", "postal_code": None}, object="Contact", old=old)


class TestReading:
    def test_goes_by_key_and_by_attribute_in_both_spellings(self, record):
        assert record["email"] == record.email == "a@b.test"
        assert record.postalCode is None
        assert record.old.email == "old@b.test"

    def test_a_misspelt_field_says_which_was_meant(self, record):
        with pytest.raises(AttributeError, match=r"Contact has no field 'emial'\. Did you mean 'email'\?"):
            _ = record.emial

    def test_is_a_dictionary_for_everybody(self, record):
        class Schema(BaseModel):
            id: str
            email: str

        assert Schema(**record).email == Schema.model_validate(record).email == "a@b.test"
        assert json.loads(json.dumps(record)) == dict(record) == copy.deepcopy(record)
        assert type(copy.copy(record)) is dict
        assert repr(record) == "<Contact c1>"
        assert {record: 1}[record] == 1


class TestSetting:
    def test_marks_the_field_as_changed(self, record):
        record.email = "new@b.test"
        record["score"] = 7
        record.update(grade="A")
        record |= {"city": "Plano"}
        record.setdefault("state", "TX")

        assert fields_set(record) == {
            "email": "new@b.test", "score": 7, "grade": "A", "city": "Plano", "state": "TX",
        }  # fmt: skip
        assert changes_of(record)["id"] == "c1"

    def test_nothing_set_is_nothing_changed(self, record):
        assert changes_of(record) is None
        assert fields_set(record) == {}
        assert not has_unsaved(record)

    def test_knows_whether_somebody_saved_it(self, record):
        record.score = 7

        assert has_unsaved(record)
        mark_saved(record)
        assert not has_unsaved(record)

    @pytest.mark.parametrize("name", ["id", "old", "fail", "_object"])
    def test_of_what_is_no_field_is_refused(self, record, name):
        with pytest.raises(RecordError, match=name):
            setattr(record, name, "x")


class TestOutcome:
    def test_is_what_the_handler_said_last_and_bounded(self, record):
        assert outcome_of(record) is None
        record.skip()
        assert outcome_of(record) == ("skipped", "script")
        record.fail(ValueError("x" * 10_000))
        assert outcome_of(record)[0] == "failed"
        assert len(outcome_of(record)[1]) == 500
