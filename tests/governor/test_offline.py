"""The offline writer: what it makes of a schema fits the schema, and is the same each time."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - pydantic reads them
from decimal import Decimal  # noqa: TC003
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID  # noqa: TC003

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, conlist

from circuitos.script.fitting import misfits, trimmed
from circuitos.script.schema import fault_of
from governor import ai, offline
from governor.ai_schema import form_of
from governor.meter import Meter
from governor.ops import BadRequest
from governor.questions import Questions


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str = Field(min_length=3, max_length=12)
    zip_code: str = Field(pattern=r"^\d{5}(-\d{4})?$")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Node(BaseModel):
    value: int
    next: Node | None
    others: list[Node]


class Mixed(BaseModel):
    name: str
    address: Address
    colour: Colour
    colours: list[Colour] = Field(min_length=1)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    tags: conlist(str, min_length=2, max_length=4)
    different: set[int] = Field(min_length=3)
    pair: tuple[int, str]
    nothing: None
    maybe: int | None
    either: int | str
    known: bool
    born: date
    at: datetime
    key: UUID
    price: Decimal
    by_name: dict[str, int]
    extra: str = "x"
    fixed: Literal[7]


class Numbers(BaseModel):
    above: int = Field(gt=0)
    below: int = Field(lt=0)
    between: float = Field(gt=0, lt=1)
    exact: int = Field(ge=5, le=5)
    steps: int = Field(multiple_of=7, ge=10)
    far: float = Field(ge=1e6)
    low: int = Field(ge=-9, le=-3)


class Words(BaseModel):
    code: str = Field(pattern="^[A-Z]{2}-[0-9]+$")
    slug: str = Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")
    either: str = Field(pattern="^(yes|no)$")
    phone: str = Field(pattern=r"^\+1 ?\(\d{3}\) \d{3}-\d{4}$")
    padded: str = Field(pattern="^[a-c]+$", min_length=6)
    not_a: str = Field(pattern="^[^a]$")
    any: str = Field(pattern=r"^.\w\s?x{2,3}$")


class Everything(RootModel[list[Mixed]]):
    pass


MODELS = [Address, Cat, Mixed, Node, Numbers, Words, Everything]


class TestSchema:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_what_is_written_is_valid(self, model):
        schema = model.model_json_schema()

        made = offline.write("Draft it.", schema=schema)

        model.model_validate(made)
        assert misfits(schema, made) == []
        assert offline.write("Draft it.", schema=schema) == made

    @given(
        data=st.data(), low=st.integers(-1000, 1000), width=st.integers(0, 50), fact=st.integers() | st.text()
    )
    def test_a_number_lies_in_its_range(self, data, low, width, fact):
        kind = data.draw(st.sampled_from(["integer", "number"]))
        schema = {
            "type": "object",
            "properties": {"n": {"type": kind, "minimum": low, "maximum": low + width}},
            "required": ["n"],
        }

        assert misfits(schema, offline.write("?", data={"n": fact}, schema=schema)) == []

    @given(least=st.integers(0, 200), more=st.integers(0, 50), fact=st.text() | st.none() | st.integers())
    def test_a_text_has_its_length(self, least, more, fact):
        schema = {
            "type": "object",
            "properties": {"t": {"type": "string", "minLength": least, "maxLength": least + more}},
            "required": ["t"],
        }

        assert misfits(schema, offline.write("?", data={"t": fact}, schema=schema)) == []

    def test_facts_are_taken_where_names_agree_and_values_fit(self):
        facts = {"street": "Main", "zip_code": "no", "name": "Ann"}

        made = offline.write("?", data=facts, schema=Address.model_json_schema())

        assert made == {"street": "Main", "zip_code": "00000"}

    def test_joined_schemas_are_joined(self):
        parts = [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]

        assert offline.write("?", schema={"type": "object", "allOf": parts}) == {"a": 0, "b": False}


WORDS = st.sampled_from(
    [
        "type", "properties", "items", "anyOf", "allOf", "oneOf", "$ref", "$defs", "enum", "const", "default",
        "required", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "multipleOf",
        "exclusiveMinimum", "exclusiveMaximum", "prefixItems", "additionalProperties", "pattern", "format",
        "title", "description", "uniqueItems", "a",
    ]
)  # fmt: skip
SCRAPS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from([1e-300, 1e300, 0.5]),
    st.sampled_from(
        ["object", "array", "string", "number", "integer", "null", "#", "#/$defs/a", "#/properties/a", "date"]
    ),
    st.text("ab[]()\\\\*+?{}1,^$|-.d", max_size=8),
)
HOSTILE = st.recursive(
    SCRAPS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


class TestHostileSchema:
    @settings(max_examples=400)
    @given(schema=st.dictionaries(WORDS, HOSTILE, max_size=5), value=HOSTILE)
    def test_one_that_passes_the_check_breaks_nothing(self, schema, value):
        if fault_of(schema):
            return

        form = form_of(schema)
        made = offline.write("?", data={"a": value}, schema=schema)
        misfits(schema, made)
        trimmed(schema, value)

        assert isinstance(form.schema, dict)
        assert misfits(schema, value) == misfits(schema, value)

    @pytest.mark.parametrize(
        "schema",
        [
            {"properties": []},
            {"anyOf": {}},
            {"anyOf": []},
            {"allOf": [5]},
            {"required": "a"},
            {"type": []},
            {"enum": []},
            {"minLength": "3"},
            {"minItems": -1},
            {"maximum": True},
            {"pattern": 5},
            {"$defs": {"a": None}},
            {"items": "string"},
            {5: 5},
        ],
    )
    def test_others_are_told_why(self, schema):
        assert fault_of(schema).endswith(".")
        with pytest.raises(BadRequest):
            Questions(Meter({})).check({"prompt": "?", "schema": schema})

    @pytest.mark.parametrize(
        "args", [{}, {"prompt": 5}, {"prompt": "?", "schema": "x"}, {"prompt": "?", "model": "two words"}]
    )
    def test_a_forged_question_is_refused(self, args):
        with pytest.raises(BadRequest):
            Questions(Meter({})).check(args)

    def test_a_bottomless_one_is_refused(self):
        schema: dict[str, object] = {}
        schema["items"] = schema

        assert "nested too deep" in fault_of(schema)


class TestAsk:
    def test_without_a_key_says_that_it_is_offline(self):
        written = ai.ask("Draft it.", schema=Address.model_json_schema())

        assert written.is_offline
        assert (written.model, written.tokens) == ("offline", 0)
        assert ai.ask("Draft it.").text.startswith(offline.NOTICE)

    def test_what_it_cannot_make_is_told_as_a_misfit(self):
        schema = {"type": "string", "pattern": "^(a{2}){2}b{3,}[x-z]&&$", "maxLength": 2}

        with pytest.raises(ai.NoAnswer) as caught:
            ai.ask("?", schema=schema)

        assert caught.value.code == "script.answer-does-not-fit"
