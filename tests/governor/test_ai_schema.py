"""A schema in the provider's strict subset, or sent loosely with the reason why."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads it
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from governor.ai_schema import form_of


class Kind(Enum):
    A = "a"
    B = "b"


class Part(BaseModel):
    label: str = Field("none", description="What it is.", min_length=1, max_length=9, pattern="^[a-z]+$")
    amount: float = Field(ge=0, lt=10)


class Whole(BaseModel):
    """A whole."""

    kind: Kind
    flag: Literal["on"]
    parts: list[Part] = Field(max_length=3)
    first: Part | None = None
    on: date | None = None
    score: int | str = 0


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Numbers(RootModel[list[int]]):
    pass


class Anything(BaseModel):
    data: dict[str, Any]


def every_object(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) and "properties" in schema else []
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in inner:
        found += every_object(part)
    return found


class TestStrict:
    @pytest.mark.parametrize("model", [Whole, Part, Tree, Numbers])
    def test_every_object_is_closed_and_names_all_its_fields(self, model):
        form = form_of(model.model_json_schema())

        assert form.loose == ""
        for found in every_object(form.schema):
            assert found["additionalProperties"] is False
            assert found["required"] == list(found["properties"])
        assert form.schema["type"] == "object"
        assert form.for_request()["json_schema"]["strict"] is True

    def test_what_the_subset_has_no_word_for_is_told_in_words(self):
        label = form_of(Part.model_json_schema()).schema["properties"]["label"]

        assert label == {
            "type": "string",
            "description": "What it is. (unless known otherwise none; at most 9 characters;"
            " at least 1 characters; matches ^[a-z]+$)",
        }

    def test_ranges_enums_references_and_null_stay(self):
        form = form_of(Whole.model_json_schema())
        properties, defs = form.schema["properties"], form.schema["$defs"]

        assert defs["Part"]["properties"]["amount"] == {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 10,
        }
        assert defs["Kind"]["enum"] == ["a", "b"]
        assert properties["flag"] == {"type": "string", "enum": ["on"]}
        assert properties["first"] == {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]}
        assert properties["on"]["anyOf"][0] == {"type": "string", "format": "date"}
        assert properties["parts"]["maxItems"] == 3
        assert (form.schema["description"], form.name) == ("A whole.", "Whole")

    def test_a_root_that_is_no_object_is_wrapped(self):
        form = form_of(Numbers.model_json_schema())

        assert form.is_wrapped
        assert form.schema["properties"]["answer"]["items"] == {"type": "integer"}
        assert not form_of(Tree.model_json_schema()).is_wrapped

    def test_a_field_called_like_a_word_of_the_language_is_a_field(self):
        schema = {
            "type": "object",
            "properties": {word: {"type": "string"} for word in ("title", "default", "pattern", "$ref")},
            "required": ["title", "default", "pattern", "$ref"],
        }

        assert list(form_of(schema).schema["properties"]) == ["title", "default", "pattern", "$ref"]

    def test_the_scripts_schema_stays_as_it_was(self):
        schema = Whole.model_json_schema()

        form_of(schema)

        assert schema == Whole.model_json_schema()


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


OPEN = {
    "any fields": (Anything.model_json_schema(), "fields of any name"),
    "no properties": ({"type": "object"}, "fields of any name"),
    "absent": ({"type": "object", "properties": {"a": {"type": "string"}}}, "may be absent"),
    "anything": ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, "leaves open"),
    "a title alone": (
        {"type": "object", "properties": {"a": {"title": "A"}}, "required": ["a"]},
        "leaves open",
    ),
    "a list of anything": (
        {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"]},
        "a list of anything",
    ),
    "a tuple": (
        {
            "type": "object",
            "properties": {"a": {"type": "array", "prefixItems": [{"type": "integer"}]}},
            "required": ["a"],
        },
        "prefixItems",
    ),
    "not": ({"type": "object", "properties": {}, "not": {}}, "it uses not"),
    "lost": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "required": ["a"]},
        "leads nowhere",
    ),
    "deep": (deep(12), "nested more than"),
    "many": (
        {"type": "object", "properties": {"a": {"enum": list(range(1_001))}}, "required": ["a"]},
        "more properties or choices",
    ),
}


class TestLoose:
    @pytest.mark.parametrize("case", OPEN)
    def test_says_why(self, case):
        schema, why = OPEN[case]

        form = form_of(schema)

        assert why in form.loose
        assert form.schema == schema
        assert form.for_request()["json_schema"]["strict"] is False

    def test_an_optional_field_needs_a_default_or_null(self):
        part = {"type": ["string", "null"]}

        assert form_of({"type": "object", "properties": {"a": part}}).loose == ""
