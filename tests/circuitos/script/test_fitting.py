"""Whether a value fits a schema: as a known validator says, and bounded on anything."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitos.script.fitting import misfits, trimmed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 12) | st.floats(-5, 12) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
LEAVES = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10},
        {"type": "integer", "exclusiveMinimum": 1, "maximum": 9},
        {"type": "string", "minLength": 1, "maxLength": 3},
        {"type": "string", "pattern": "^a+$"},
        {"type": ["boolean", "null"]},
        {"enum": ["a", 1, None, True]},
        {"const": 1},
        {"type": "integer", "multipleOf": 3},
        {"$ref": "#/$defs/name"},
        True,
        False,
        {},
    ]
)


def _grown(inner):
    return st.one_of(
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1, "maxItems": 2}, inner),
        st.builds(lambda items: {"type": "array", "items": items, "uniqueItems": True}, inner),
        st.builds(lambda first, rest: {"type": "array", "prefixItems": [first], "items": rest}, inner, inner),
        st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
        st.builds(lambda one, other: {"allOf": [one, other]}, inner, inner),
        st.builds(
            lambda a, b, others: {
                "type": "object",
                "properties": {"a": a, "b": b},
                "required": ["a"],
                "additionalProperties": others,
            },
            inner,
            inner,
            st.booleans(),
        ),
    )


SCHEMAS = st.recursive(LEAVES, _grown, max_leaves=5)


class TestMisfits:
    @given(schema=SCHEMAS, value=VALUES)
    def test_agree_with_the_reference(self, schema, value):
        whole = {"$defs": {"name": {"type": "string"}}, "allOf": [schema]}

        fits = jsonschema.Draft202012Validator(whole).is_valid(value)

        assert (misfits(whole, value) == []) is fits

    @pytest.mark.parametrize(
        ("schema", "value", "field", "reason"),
        [
            ({"type": "object", "required": ["a"]}, {}, "a", "is missing"),
            ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, "x"]}, "a.1", "is no integer"),
            ({"minimum": 3}, 2, "", "is less than 3"),
            ({"maxLength": 2}, "abc", "", "has 3, more than 2"),
            ({"maxProperties": 1}, {"a": 1, "b": 2}, "", "has 2, more than 1"),
            ({"properties": {}, "additionalProperties": False}, {"b": 1}, "b", "is not allowed here"),
            ({"oneOf": [{"type": "null"}, {"type": "string"}]}, 1, "", "fits none of the alternatives"),
            ({"$ref": "#/$defs/none"}, 1, "", "is not allowed here"),
            ({"$ref": "#"}, 1, "", "is not allowed here"),
            ({"type": "no-such"}, 1, "", "is no no-such"),
        ],
    )
    def test_say_where_and_why(self, schema, value, field, reason):
        assert misfits(schema, value) == [{"field": field, "reason": reason}]

    def test_are_few(self):
        assert len(misfits({"items": {"type": "integer"}}, ["x"] * 1_000)) == 20

    def test_a_pattern_that_could_take_for_ever_is_left_to_the_jail(self):
        assert misfits({"pattern": r"^(?=a)(a+)+\1$"}, "a" * 50 + "!") == []

    def test_alternatives_of_alternatives_end(self):
        schema = {"$defs": {"a": {"anyOf": [{"items": {"$ref": "#/$defs/a"}, "maxItems": 0}] * 9}}}
        value: list[object] = []
        for _ in range(30):
            value = [value, value]

        assert misfits({**schema, "$ref": "#/$defs/a"}, value) != []


class TestTrimmed:
    def test_leaves_out_what_a_schema_says_nothing_of(self):
        part = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}
        schema = {
            "$defs": {"part": part},
            "type": "object",
            "properties": {
                "one": {"$ref": "#/$defs/part"},
                "many": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/part"}]}},
                "open": {"type": "object"},
            },
        }
        value = {"one": {"b": 1, "x": 2}, "many": [None, {"b": 3, "x": 4}], "open": {"x": 5}, "x": 6}

        assert trimmed(schema, value) == {"one": {"b": 1}, "many": [None, {"b": 3}], "open": {"x": 5}}
