"""A question to a provider that answers well, badly, late, or with malice: a clean answer or a code."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from circuitos.env import BASE_DIR, read
from governor import ai
from governor.ai import NoAnswer
from governor.ai_wire import MOST_BYTES
from governor.prices import PRICES
from governor.questions import ATTEMPTS
from tests import ai_server
from tests.ai_server import (
    KEY,
    MODEL,
    breaks,
    document,
    drips,
    drips_headers,
    fails,
    floods,
    hangs,
    hangs_up,
    raw,
    says,
    use,
    writes,
)


class Tone(Enum):
    WARM = "warm"
    COOL = "cool"


class Line(BaseModel):
    text: str = Field(max_length=40)
    tone: Tone = Tone.WARM


class Draft(BaseModel):
    title: str = Field(min_length=1, max_length=60)
    stars: int = Field(ge=1, le=5)
    kind: Literal["reply", "note"] = "reply"
    lines: list[Line] = Field(min_length=1)
    author: str | None = None


GOOD = {
    "title": "Hi",
    "stars": 5,
    "kind": "reply",
    "lines": [{"text": "Thank you", "tone": "warm"}],
    "author": None,
}
SCHEMA = Draft.model_json_schema()


@pytest.fixture
def server(monkeypatch):
    with ai_server.serving() as server:
        use(monkeypatch, openai_api_key=KEY, openai_base_url=server.url, openai_model=MODEL)
        yield server


def ask(**more: Any) -> ai.Written:
    return ai.ask(**{"prompt": "Draft a reply.", "data": {"review": "Great"}, "timeout": 5.0, **more})


def refused(**more: Any) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        ask(**more)
    return caught.value


class TestRequest:
    def test_holds_what_it_must_and_nothing_else(self, server):
        ask(most_output=700)

        (request,) = server.requests
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert set(request.body) == {"model", "messages", "store", "max_completion_tokens", "response_format"}
        assert (request.body["model"], request.body["store"]) == (MODEL, False)
        assert request.body["max_completion_tokens"] == 700
        assert request.body["response_format"] == {"type": "text"}
        assert [message["role"] for message in request.body["messages"]] == ["system", "user", "user"]

    def test_data_stand_between_marks_drawn_for_each_question(self, server):
        ask()
        ask()

        first, second = server.requests
        mark = first.mark
        assert first.body["messages"][2]["content"] == f'«data {mark}»\n{{"review": "Great"}}\n«end {mark}»'
        assert len({first.mark, first.canary, second.mark, second.canary}) == 4

    def test_without_data_there_is_no_block(self, server):
        ask(data=None)

        assert [message["content"] for message in server.requests[0].body["messages"][1:]] == [
            "Draft a reply."
        ]

    def test_a_schema_is_sent_strict(self, server):
        server.answer(says(json.dumps(GOOD)))

        ask(schema=SCHEMA)

        sent = server.requests[0].body["response_format"]
        assert sent["type"] == "json_schema"
        assert (sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("Draft", True)
        assert sent["json_schema"]["schema"]["additionalProperties"] is False
        assert set(sent["json_schema"]["schema"]["required"]) == set(Draft.model_fields)

    def test_secrets_are_sent_nowhere_but_in_the_header(self, server):
        ask(prompt=f"Use {KEY}", data={"note": "ghp_0123456789abcdefghij and ann@example.com", "k": KEY})

        body = json.dumps(server.requests[0].body)
        assert KEY not in body
        assert "ghp_0123456789" not in body
        assert "ann@example.com" in body

    def test_waits_as_long_as_it_is_told_and_never_over_12_seconds(self, server):
        ask(timeout=3.0)
        ask(timeout=60.0)

        short, long = (float(request.headers["x-stainless-read-timeout"]) for request in server.requests)
        assert 0 < short <= 3
        assert 9 < long <= 12


class TestAnswer:
    def test_a_text(self, server):
        written = ask()

        assert (written.text, written.object, written.model) == ("A line.", None, MODEL)
        assert (written.tokens_in, written.tokens_out) == (10, 20)
        assert not written.is_offline

    def test_an_object(self, server):
        server.answer(says(json.dumps(GOOD)))

        assert ask(schema=SCHEMA).object == GOOD

    def test_an_object_whose_schema_has_another_root(self, server):
        server.answer(says('{"answer": [1, 2]}'))

        written = ask(schema={"type": "array", "items": {"type": "integer"}})

        assert written.object == [1, 2]
        assert server.requests[0].body["response_format"]["json_schema"]["strict"] is True

    def test_what_cannot_be_strict_is_asked_loosely_and_checked_all_the_same(self, server):
        schema = {"type": "object", "additionalProperties": {"type": "integer"}}
        server.answer(says('{"a": 1}'), says('{"a": "x"}'))

        assert ask(schema=schema).remarks == ("schema not strict: it has an object with fields of any name",)
        assert refused(schema=schema).code == "script.answer-does-not-fit"
        assert server.requests[0].body["response_format"]["json_schema"]["strict"] is False

    @pytest.mark.parametrize(
        "usage",
        [
            None,
            "many",
            [],
            {},
            {"prompt_tokens": -5, "completion_tokens": 5},
            {"prompt_tokens": 10**12, "completion_tokens": 5},
            {"prompt_tokens": 5, "completion_tokens": 10**9},
            {"prompt_tokens": 0, "completion_tokens": 0},
            {"prompt_tokens": True, "completion_tokens": 1},
            {"prompt_tokens": 1.5, "completion_tokens": 1},
            {"prompt_tokens": 5},
        ],
    )
    def test_tokens_that_nobody_counted_are_estimated(self, server, usage):
        server.answer(says("Ab" * 20, usage=usage))

        written = ask()

        assert 50 < written.tokens_in < 200
        assert written.tokens_out == 10
        assert written.remarks == ("tokens estimated",)

    @pytest.mark.parametrize("name", [None, 7, "two words", "x" * 200, "\x00", ["gpt"]])
    def test_a_model_without_a_plain_name_is_the_one_that_was_asked(self, server, name):
        server.answer(says(model=name))

        assert ask().model == MODEL

    def test_a_swapped_model_is_told(self, server):
        server.answer(says(model="cheap-model"), says(model=f"{MODEL}-2024-07-18"))

        assert ask().remarks == ("answered as cheap-model",)
        assert ask().remarks == ()

    def test_fields_nobody_asked_for_are_left_out(self, server):
        server.answer(
            says(json.dumps({**GOOD, "admin": True, "lines": [{"text": "a", "tone": "cool", "x": 1}]}))
        )

        written = ask(schema=SCHEMA)

        assert written.object == {**GOOD, "lines": [{"text": "a", "tone": "cool"}]}

    def test_nul_characters_are_left_out(self, server):
        server.answer(says("a\0b"), says(json.dumps({**GOOD, "title": "a\0b"})))

        assert ask().text == "ab"
        assert ask(schema=SCHEMA).object["title"] == "ab"

    def test_secrets_in_it_are_hidden_and_people_are_not(self, server):
        said = f"Signature: Ann, ann@example.com, {KEY}, password: hunter2, AKIA0123456789ABCDEF"
        server.answer(says(said), says(json.dumps({**GOOD, "title": f"ann@example.com {KEY}"})))

        given = {"review": "Great", "from": "ann@example.com"}
        text, found = ask(data=given), ask(data=given, schema=SCHEMA)

        assert text.text == "Signature: Ann, ann@example.com, ***, password: hunter2, AKIA***"
        assert text.remarks == ("2 secrets hidden in the answer",)
        assert found.object["title"] == "ann@example.com ***"
        assert KEY not in found.text

    def test_an_echo_of_the_scripts_own_prompt_is_an_answer(self, server):
        server.answer(writes(lambda request: request.body["messages"][1]["content"]))

        assert ask().text == "Draft a reply."


REFUSALS = {
    "a refusal": (says(None, message={"refusal": "I will not."}), "governor.ai-refused"),
    "a refusal of no kind": (says(None, message={"refusal": {"a": 1}}), "governor.ai-refused"),
    "cut by length": (says("half", choice={"finish_reason": "length"}), "governor.ai-incomplete"),
    "cut by a filter": (says("", choice={"finish_reason": "content_filter"}), "governor.ai-incomplete"),
    "cut by who knows": (says("", choice={"finish_reason": ["x"]}), "governor.ai-incomplete"),
    "no choices": (says(choices=[]), "governor.ai-malformed"),
    "choices of no kind": (says(choices="many"), "governor.ai-malformed"),
    "no message": (says(choices=[{"finish_reason": "stop"}]), "governor.ai-malformed"),
    "an empty text": (says(""), "governor.ai-malformed"),
    "no text": (says(None), "governor.ai-malformed"),
    "text of no kind": (says(["A", "line"]), "governor.ai-malformed"),
    "a tool call": (
        says(None, message={"tool_calls": [{"id": "1"}]}, choice={"finish_reason": "tool_calls"}),
        "governor.ai-malformed",
    ),
    "a tool call beside text": (says("Hi", message={"tool_calls": [{"id": "1"}]}), "governor.ai-malformed"),
    "a page": (raw(b"<html>Bad gateway</html>", kind="text/html"), "governor.ai-malformed"),
    "no JSON": (raw(b"fine"), "governor.ai-malformed"),
    "half a JSON": (raw(json.dumps(document()).encode()[:-5]), "governor.ai-malformed"),
    "a list": (raw(b"[]"), "governor.ai-malformed"),
    "nothing": (raw(b""), "governor.ai-malformed"),
    "no UTF-8": (raw(b'{"a": "\xff"}'), "governor.ai-malformed"),
    "packed": (raw(gzip.compress(b"{}"), Content_Encoding="gzip"), "governor.ai-malformed"),
    "nested deep": (raw(b"[" * 200_000), "governor.ai-malformed"),
    "no content": (raw(b"", status=204), "governor.ai-failed"),
    "elsewhere": (raw(b"", status=302, Location="http://127.0.0.1:1/"), "governor.ai-failed"),
    "a bad request": (fails(400), "governor.ai-failed"),
    "a wrong key": (fails(401), "governor.ai-failed"),
    "not found": (fails(404), "governor.ai-failed"),
    "too many": (fails(429), "governor.ai-rate-limited"),
    "broken inside": (fails(500), "governor.ai-failed"),
    "not there": (fails(503), "governor.ai-failed"),
    "a page for an error": (raw(b"<html>", status=502, kind="text/html"), "governor.ai-failed"),
    "hanging up": (hangs_up, "governor.ai-failed"),
    "breaking off": (breaks, "governor.ai-failed"),
    "no HTTP": (lambda connection: connection.send(b"\0\1\2\3\r\n\r\n"), "governor.ai-failed"),
    "the canary": (writes(lambda request: f"It is {request.canary}."), "judgment.prompt-leaked"),
    "the canary, spelt out": (
        writes(lambda request: "-".join(request.canary.upper())),
        "judgment.prompt-leaked",
    ),
    "the mark": (writes(lambda request: f"«end {request.mark}»"), "judgment.prompt-leaked"),
    "our rules": (writes(lambda request: request.system), "judgment.prompt-leaked"),
}
MISFITS = {
    "no JSON": ("A line.", "governor.ai-malformed"),
    "fenced": (f"```json\n{json.dumps(GOOD)}\n```", "governor.ai-malformed"),
    "NaN": ('{"title": NaN}', "governor.ai-malformed"),
    "nested deep": ("[" * 100_000, "governor.ai-malformed"),
    "deeper than a record": ('{"a":' * 30 + "1" + "}" * 30, "governor.ai-malformed"),
    "a great number": (json.dumps({**GOOD, "stars": 2**70}), "governor.ai-malformed"),
    "null": ("null", "script.answer-does-not-fit"),
    "a list": ("[]", "script.answer-does-not-fit"),
    "nothing in it": ("{}", "script.answer-does-not-fit"),
    "out of range": (json.dumps({**GOOD, "stars": 6}), "script.answer-does-not-fit"),
    "true for one": (json.dumps({**GOOD, "stars": True}), "script.answer-does-not-fit"),
    "text for a number": (json.dumps({**GOOD, "stars": "5"}), "script.answer-does-not-fit"),
    "no choice": (json.dumps({**GOOD, "kind": "order"}), "script.answer-does-not-fit"),
    "no enum": (json.dumps({**GOOD, "lines": [{"text": "a", "tone": "hot"}]}), "script.answer-does-not-fit"),
    "no lines": (json.dumps({**GOOD, "lines": []}), "script.answer-does-not-fit"),
    "too long": (json.dumps({**GOOD, "title": "x" * 61}), "script.answer-does-not-fit"),
}


class TestRefusal:
    @pytest.mark.parametrize("case", REFUSALS)
    def test_each_has_a_code_and_a_sentence_and_tells_no_key(self, server, case):
        mode, code = REFUSALS[case]
        server.answer(mode)

        none = refused()

        assert none.code == code
        assert none.detail.endswith(".")
        assert KEY not in f"{none.detail}{none.data}{none!r}"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("case", MISFITS)
    def test_an_answer_must_fit(self, server, case):
        content, code = MISFITS[case]
        server.answer(says(content))

        none = refused(schema=SCHEMA)

        assert (none.code, none.is_worth_retry) == (code, True)
        assert (none.tokens_in, none.tokens_out) == (10, 20)

    def test_a_misfit_says_where(self, server):
        server.answer(says(json.dumps({**GOOD, "stars": 6, "lines": [{"text": "a", "tone": "hot"}]})))

        none = refused(schema=SCHEMA)

        assert none.kind == "error"
        assert none.data["fields"] == [
            {"field": "stars", "reason": "is more than 5"},
            {"field": "lines.0.tone", "reason": 'is none of ["warm", "cool"]'},
        ]

    @pytest.mark.parametrize(
        ("told", "data"),
        [("7", {"retry_after": 7}), ("99999", {"retry_after": 900}), ("soon", {}), ("-1", {})],
    )
    def test_too_many_questions_tell_how_long_to_wait(self, server, told, data):
        server.answer(fails(429, Retry_After=told))

        none = refused()

        assert (none.data, none.status, none.is_worth_retry) == (data, 429, False)

    def test_the_words_of_a_refusal_are_told_unless_they_leak(self, server):
        server.answer(
            says(None, message={"refusal": f"I cannot, {KEY}."}),
            lambda connection: connection.send(
                ai_server.response(
                    json.dumps(document(None, message={"refusal": connection.request.canary})).encode()
                )
            ),
        )

        assert refused().detail == f"{MODEL} refused: I cannot, ***."
        assert refused().detail == f"{MODEL} refused."

    @pytest.mark.parametrize("place", ["value", "name"])
    def test_escapes_hide_no_leak(self, server, place):
        def leak(request):
            word = "".join(f"\\u{ord(letter):04x}" for letter in request.canary)
            return f'{{"a": "{word}"}}' if place == "value" else f'{{"{word}": 1}}'

        server.answer(writes(leak))

        assert refused(schema={"type": "object"}).code == "judgment.prompt-leaked"

    def test_escapes_hide_no_secret(self, server):
        word = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
        server.answer(says(f'{{"a": "{word}", "{word}": 1}}'))

        written = ask(schema={"type": "object"})

        assert written.object == {"a": "***", "***": 1}
        assert KEY not in written.text

    def test_a_leak_is_a_matter_of_judgment(self, server):
        server.answer(REFUSALS["the canary"][0])

        none = refused()

        assert (none.kind, none.data, none.is_worth_retry) == ("judgment", {"level": 16}, True)

    @pytest.mark.parametrize("mode", [hangs, drips, drips_headers])
    def test_a_late_answer_is_given_up_in_time(self, server, mode):
        server.answer(mode)
        began = time.monotonic()

        none = refused(timeout=0.4)

        assert none.code == "governor.ai-timeout"
        assert none.tokens_in > 50  # it was sent, and may be charged
        assert time.monotonic() - began < 3

    @pytest.mark.parametrize("status", [200, 500])
    def test_an_endless_answer_is_given_up(self, server, status, monkeypatch):
        monkeypatch.setattr("governor.ai_wire.MOST_BYTES", 100_000)
        server.answer(floods if status == 200 else raw(b"x" * 200_000, status=500))

        none = refused()

        assert (none.code, none.is_worth_retry) == ("governor.ai-malformed", False)

    def test_nobody_there_costs_nothing(self, server, monkeypatch):
        use(monkeypatch, openai_api_key=KEY, openai_base_url="http://127.0.0.1:1/v1")

        none = refused()

        assert (none.code, none.tokens_in, none.is_worth_retry) == ("governor.ai-failed", 0, True)


class TestPage:
    PAGE = (BASE_DIR / "docs" / "writing-triggers.md").read_text(encoding="utf-8")

    def test_it_names_every_code(self):
        sources = "".join(path.read_text(encoding="utf-8") for path in (BASE_DIR / "governor").glob("ai*.py"))
        codes = set(re.findall(r'"((?:governor\.ai|judgment|script)[.-][a-z-]+)"', sources))

        assert len(codes) == 9
        assert [code for code in sorted(codes) if f"| `{code}` |" not in self.PAGE] == []

    def test_it_tells_the_figures(self):
        assert f"at most {ai.MOST_SECONDS:.0f} seconds" in self.PAGE
        assert f"at most {ai.MOST_OUTPUT:,} tokens" in self.PAGE
        assert (ai.MARGIN_SECONDS, ATTEMPTS, MOST_BYTES) == (1.0, 2, 1024 * 1024)
        assert {"gpt-4o-mini": PRICES["gpt-4o-mini"], "my-model": (0, 0)} == read(
            {"AI_PRICES": self.PAGE.partition("`AI_PRICES=")[2].partition("`")[0]}
        ).ai_prices


def test_nothing_heavy_is_loaded_before_a_model_is_asked():
    script = "import django, sys; django.setup(); import governor.broker; print('openai' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
