"""Callouts: http, the model, and SDKs built on httpx."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable  # noqa: TC003 - pydantic reads it

import httpx2
import pytest
from pydantic import BaseModel, field_validator

from circuitos import CalloutError, CircuitAI, CircuitError, CircuitTrigger, JudgmentBlocked, http, trigger
from circuitos.script.testing import NoAnswer, run


def running(body, **more):
    """Run ``body()`` as a handler, in an event loop when it is a coroutine function."""

    class Made(CircuitTrigger):
        @trigger("Contact", ["afterInsert"])
        def handle(self, context):
            return asyncio.run(body()) if asyncio.iscoroutinefunction(body) else body()

    return run(Made.handle, [{"id": "c1"}], **more)


class TestHttp:
    def test_gives_a_response(self):
        seen = []

        running(
            lambda: seen.append(http.get("https://api.test/x")),
            api={"https://api.test/x": (404, {"error": "none"}, {"X-Left": "3"})},
        ).check()

        (response,) = seen
        assert (response.status, response.status_code, response.ok) == (404, 404, False)
        assert response.headers["x-left"] == "3"
        assert (
            response.json() == {"error": "none"} == json.loads(response.text) == json.loads(response.content)
        )
        assert repr(response) == "<Response 404 of GET https://api.test/x>"
        with pytest.raises(CalloutError, match="answered 404") as caught:
            response.raise_for_status()
        assert caught.value.status == 404

    @pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
    def test_sends_every_method(self, method):
        call = lambda: getattr(http, method)("https://api.test/x", json={"a": 1}, headers={"X": "1"})  # noqa: E731

        (sent,) = running(call, api={f"{method.upper()} https://api.test/*": 204}).check().callouts

        assert (sent.method, sent.json, sent.headers, sent.status) == (
            method.upper(),
            {"a": 1},
            {"X": "1"},
            204,
        )

    def test_a_body_that_is_no_json_is_a_callout_error(self):
        error = running(
            lambda: http.get("https://api.test/").json(), api={"https://api.test/": "<html>"}
        ).error

        assert (error.type, error.code) == ("CalloutError", "script.callout-failed")

    def test_no_answer_is_a_callout_error_that_may_be_caught(self):
        def body():
            with pytest.raises(CalloutError, match="timed out"):
                http.get("https://api.test/")

        result = running(body, api={"https://api.test/": CalloutError("It timed out.")}).check()

        assert result.callouts[0].status is None

    def test_sends_query_parameters(self):
        result = running(
            lambda: http.get("https://api.test/x", params={"q": ["a", "b"], "n": 1}),
            api={"GET https://api.test/x": lambda request: {"url": request.url}},
        ).check()

        assert result.callouts[0].url == "https://api.test/x?q=a&q=b&n=1"

    def test_what_nobody_prepared_fails_the_test_even_when_caught(self):
        def body():
            with contextlib.suppress(Exception):
                http.get("https://api.test/x")

        with pytest.raises(NoAnswer, match=r"GET https://api\.test/x"):
            running(body, api={"POST https://api.test/x": {}})


class TestTransport:
    def test_carries_an_sdk_built_on_httpx(self):
        def body():
            with httpx2.Client(transport=http.transport(), base_url="https://api.test") as client:
                answer = client.post("/v1/ask", json={"q": 1}, headers={"Authorization": "{{secret:KEY}}"})
                assert answer.json() == {"a": 2}

        (sent,) = running(body, api={"POST https://api.test/v1/ask": {"a": 2}}).check().callouts

        assert json.loads(sent.body) == {"q": 1}
        assert sent.headers["authorization"] == "{{secret:KEY}}"
        assert "host" not in sent.headers

    def test_carries_an_async_one_and_counts_each_request(self):
        async def body():
            async with httpx2.AsyncClient(transport=http.transport(), timeout=3) as client:
                await asyncio.gather(*[client.get("https://api.test/x") for _ in range(3)])

        assert running(body, api={"https://api.test/x": b""}).check().usage["api_calls"][0] == 3


class Reply(BaseModel):
    text: str
    stars: int


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number):
        if number % 2:
            raise ValueError("is odd")
        return number


class WithoutSchema(BaseModel):
    call: Callable[[], None]


class TestAsk:
    def test_gives_text(self):
        seen = []

        result = running(
            lambda: seen.append(CircuitAI.ask("Reply.", data={"review": "Great"})), ai="Thanks!"
        ).check()

        assert seen == ["Thanks!"]
        assert result.questions[0].data == {"review": "Great"}
        assert result.usage["api_calls"][0] == 1
        assert result.usage["ai_tokens"][0] > 3

    @pytest.mark.parametrize(
        "ai", [{"text": "Hi", "stars": 5}, Reply(text="Hi", stars=5), '{"text": "Hi", "stars": 5}']
    )
    def test_gives_an_object_of_the_schema(self, ai):
        seen = []

        running(lambda: seen.append(CircuitAI.ask("Reply.", schema=Reply)), ai=ai).check()

        assert seen == [Reply(text="Hi", stars=5)]

    def test_takes_a_json_schema(self):
        seen = []

        running(lambda: seen.append(CircuitAI.ask("Reply.", schema={"type": "object"})), ai={"a": 1}).check()

        assert seen == [{"a": 1}]

    @pytest.mark.parametrize(
        ("ai", "code"),
        [
            ({"text": "Hi", "stars": "many"}, "script.answer-does-not-fit"),
            ('{"text": "Hi"}', "script.answer-does-not-fit"),
            ("no json", "governor.ai-malformed"),
            ("[" * 100_000, "governor.ai-malformed"),
        ],
    )
    @pytest.mark.parametrize("schema", [Reply, Reply.model_json_schema()])
    def test_an_answer_that_does_not_fit_is_an_error(self, ai, code, schema):
        result = running(lambda: CircuitAI.ask("Reply.", schema=schema), ai=ai)

        assert result.error.code == code
        assert result.usage["api_calls"][0] == 2  # the second attempt brings nothing better

    def test_a_rule_of_the_models_own_is_the_last(self):
        result = running(lambda: CircuitAI.ask("Reply.", schema=Even), ai={"number": 3})

        assert result.error.code == "script.answer-does-not-fit"
        assert [fault["field"] for fault in result.error.data["fields"]] == ["number"]
        assert result.usage["api_calls"][0] == 1

    def test_null_may_be_the_answer(self):
        seen = []

        running(lambda: seen.append(CircuitAI.ask("?", schema={"type": "null"})), ai="null").check()

        assert seen == [None]

    def test_fields_nobody_asked_for_are_left_out(self):
        seen = []
        ai = {"text": "Hi", "stars": 5, "admin": True}

        running(lambda: seen.append(CircuitAI.ask("Reply.", schema=Reply.model_json_schema())), ai=ai).check()

        assert seen == [{"text": "Hi", "stars": 5}]

    @pytest.mark.parametrize("schema", [[str], WithoutSchema])
    def test_a_schema_must_be_one(self, schema):
        assert running(lambda: CircuitAI.ask("Reply.", schema=schema)).error.code == "script.bad-schema"

    @pytest.mark.parametrize("model", ["two words", "m" * 81, "", "a\nb", 7, "../x"])
    def test_a_model_has_a_plain_name(self, model):
        assert running(lambda: CircuitAI.ask("Reply.", model=model)).error.code == "script.bad-model"

    def test_prepared_answers_come_in_turn_or_from_a_function(self):
        seen = []

        def body():
            seen.extend([CircuitAI.ask("1"), CircuitAI.ask("2")])

        running(body, ai=["a", "b"]).check()
        running(body, ai=lambda prompt, data: f"to {prompt}").check()
        running(body).check()

        assert seen == ["a", "b", "to 1", "to 2", "An offline answer.", "An offline answer."]

    def test_a_refusal_can_be_prepared(self):
        error = running(lambda: CircuitAI.ask("Reply."), ai=JudgmentBlocked("No.", level=10)).error

        assert (error.code, error.data) == ("judgment.blocked", {"level": 10})

    @pytest.mark.parametrize("ai", [None, []])
    def test_what_nobody_prepared_fails_the_test(self, ai):
        with pytest.raises(NoAnswer):
            running(lambda: CircuitAI.ask("Reply.", schema=Reply), ai=ai)

    def test_tokens_are_limited(self):
        error = running(lambda: CircuitAI.ask("word " * 1_000), limits={"ai_tokens": 100}).error

        assert error.data["limit"] == "ai_tokens"
        assert issubclass(CircuitError, Exception)
