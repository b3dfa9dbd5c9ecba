"""Questions from the jail: each attempt counted, tokens and cost summed, answers kept in the journal."""

from __future__ import annotations

import json
import threading
from decimal import Decimal

import pytest

from governor.journal import read_answers
from governor.models import JournalEntry
from tenants.ids import new_code
from tenants.scope import tenant_scope
from tests import ai_server
from tests.ai_server import KEY, MODEL, breaks, fails, hangs, hangs_up, says, use, writes
from tests.governor.test_ops import said

GOOD = json.dumps({"title": "Hi", "stars": 4})
BAD = json.dumps({"title": "Hi", "stars": 9})


@pytest.fixture
def server(monkeypatch):
    with ai_server.serving() as server:
        use(monkeypatch, openai_api_key=KEY, openai_base_url=server.url, openai_model=MODEL)
        yield server


@pytest.fixture
def asks(execute):
    """``asks("fails")``: run a handler of AskTrigger."""
    return lambda handler, **more: execute(f"asking.AskTrigger.{handler}", **more)


class TestCounting:
    def test_an_answer_costs_a_call_its_tokens_and_money(self, asks, server):
        result = asks("asks")

        assert said(result) == {"text": "A line.", "used": [1, 30]}
        assert (result.usage["api_calls"], result.usage["ai_tokens"]) == ([1, 50], [30, 100_000])
        # 10 tokens in at 0.15 and 20 out at 0.60 micro-dollars each, rounded up.
        assert (result.ai_tokens_in, result.ai_tokens_out, result.ai_cost_micros) == (10, 20, 14)

    def test_the_trace_tells_model_tokens_and_cost(self, asks, server):
        server.answer(says(usage={"prompt_tokens": 212, "completion_tokens": 200}))

        (effect,) = asks("asks").effects

        assert effect["answer"] == "gpt-4o-mini, 412 tokens, $0.0002"

    def test_a_model_of_unknown_price_says_so(self, asks, server, monkeypatch):
        use(monkeypatch, openai_api_key=KEY, openai_base_url=server.url, openai_model="local/llama:7b")

        result = asks("asks")

        assert result.effects[0]["answer"].startswith("local/llama:7b, 30 tokens, price unknown")
        assert result.ai_cost_micros == 0

    def test_the_operators_price_counts(self, asks, server, monkeypatch):
        prices = {MODEL: (Decimal(100), Decimal(200))}
        use(monkeypatch, openai_api_key=KEY, openai_base_url=server.url, ai_prices=prices)

        assert asks("asks").ai_cost_micros == 10 * 100 + 20 * 200

    def test_an_execution_that_fails_tells_its_cost_too(self, asks, server):
        result = asks("asks_and_raises")

        assert result.error.type == "ValueError"
        assert (result.ai_tokens_in, result.ai_cost_micros) == (10, 14)

    def test_one_without_questions_costs_nothing(self, asks, server):
        result = asks("drafts_by", records=[{"id": "c1", "website": "no model"}])

        assert result.error.code == "script.bad-model"
        assert (result.ai_tokens_in, result.ai_tokens_out, result.ai_cost_micros) == (0, 0, 0)
        assert server.requests == []

    def test_questions_together_share_what_the_limit_leaves(self, asks, server):
        gate = threading.Barrier(4, timeout=20)
        server.answer(writes(lambda request: (gate.wait(), request.body["messages"][1]["content"])[1]))

        result = asks("asks_together", limits={"ai_tokens": 5_000})

        assert said(result)["lines"] == ["Line 0.", "Line 1.", "Line 2.", "Line 3."]
        assert result.usage["api_calls"] == [4, 50]
        most = sorted(request.body["max_completion_tokens"] for request in server.requests)
        assert most[0] == 512
        assert most[-1] == 4_096


class TestSecondAttempt:
    @pytest.mark.parametrize(
        "first",
        [says(BAD), says("no json"), says(choices=[]), fails(500), breaks, hangs_up],
        ids=["misfit", "no json", "empty", "500", "broken", "hung up"],
    )
    def test_is_made_where_nothing_came_or_it_did_not_fit(self, asks, server, first):
        server.answer(first, says(GOOD))

        result = asks("drafts")

        assert said(result)["draft"] == ["Hi", 4]
        assert result.usage["api_calls"] == [2, 50]
        assert result.usage["ai_tokens"][0] == result.ai_tokens_in + result.ai_tokens_out >= 30
        assert "2 attempts" in result.effects[0]["answer"]
        assert len({request.canary for request in server.requests}) == len(server.requests) == 2

    @pytest.mark.parametrize(
        "mode",
        [
            fails(400),
            fails(429, Retry_After="1"),
            says("half", choice={"finish_reason": "length"}),
            says(None, message={"refusal": "No."}),
        ],
        ids=["400", "429", "length", "refusal"],
    )
    def test_is_not_made_where_it_would_not_help(self, asks, server, mode):
        server.answer(mode)

        result = asks("fails")

        assert len(server.requests) == 1
        assert result.usage["api_calls"] == [1, 50]

    @pytest.mark.parametrize(
        ("mode", "told"),
        [
            (says(BAD), ["CircuitError", "script.answer-does-not-fit"]),
            (says("no json"), ["CalloutError", "governor.ai-malformed"]),
            (fails(503), ["CalloutError", "governor.ai-failed"]),
            (writes(lambda request: request.canary), ["JudgmentBlocked", "judgment.prompt-leaked"]),
        ],
        ids=["misfit", "no json", "503", "leak"],
    )
    def test_is_the_last(self, asks, server, mode, told):
        server.answer(mode)

        result = asks("fails")

        assert said(result)["failed"] == told
        assert result.usage["api_calls"] == [2, 50]
        assert len(server.requests) == 2
        assert result.effects[0]["state"] == "failed"

    def test_a_misfit_tells_the_script_where(self, asks, server):
        server.answer(says(BAD))

        assert said(asks("fails"))["data"] == {"fields": [{"field": "stars", "reason": "is more than 5"}]}

    def test_how_long_to_wait_reaches_the_script(self, asks, server):
        server.answer(fails(429, Retry_After="7"))

        assert said(asks("fails"))["data"] == {"status": 429, "retry_after": 7}

    def test_is_not_made_when_no_call_is_left(self, asks, server):
        server.answer(says(BAD))

        result = asks("fails", limits={"api_calls": 1})

        assert said(result)["failed"] == ["CircuitError", "script.answer-does-not-fit"]
        assert result.usage["api_calls"] == [1, 1]
        assert result.error is None

    def test_is_not_made_when_no_tokens_are_left(self, asks, server):
        server.answer(says(BAD, usage={"prompt_tokens": 300, "completion_tokens": 150}))

        result = asks("fails", limits={"ai_tokens": 500})

        assert said(result)["failed"] == ["CircuitError", "script.answer-does-not-fit"]
        assert len(server.requests) == 1

    def test_is_not_made_when_no_time_is_left(self, asks, server):
        server.answer(hangs)

        result = asks("asks_late", limits={"wall_ms": 2_000})

        assert said(result)["failed"] == ["CalloutError", "governor.ai-timeout"]
        assert len(server.requests) == 1
        assert result.usage["api_calls"] == [1, 50]

    def test_is_not_for_rules_that_only_the_script_knows(self, asks, server):
        server.answer(says('{"number": 3}'))

        result = asks("asks_for_even")

        assert said(result)["failed"] == ["CircuitError", "script.answer-does-not-fit"]
        assert len(server.requests) == 1


class TestLimit:
    def test_a_question_that_cannot_fit_is_never_sent(self, asks, server):
        result = asks("hides_the_limit", limits={"ai_tokens": 1_000})

        assert (result.error.code, result.error.limit) == ("governor.limit-exceeded", "ai_tokens")
        assert result.error.used > 1_250
        assert result.error.at.startswith("tests/governor/scripts/asking.py:")
        assert server.requests == []
        assert (result.usage["api_calls"], result.ai_tokens_in) == ([0, 50], 0)

    def test_an_answer_may_have_what_is_left(self, asks, server):
        asks("asks", limits={"ai_tokens": 400})

        (request,) = server.requests
        assert 200 < request.body["max_completion_tokens"] < 330

    def test_an_answer_over_the_limit_ends_the_execution(self, asks, server):
        server.answer(says(usage={"prompt_tokens": 350, "completion_tokens": 300}))

        result = asks("asks", limits={"ai_tokens": 400})

        assert (result.error.limit, result.error.used, result.error.max) == ("ai_tokens", 650, 400)
        assert result.changes == []
        assert result.ai_tokens_out == 300

    def test_a_question_past_the_calls_is_the_limit(self, asks, server):
        result = asks("asks", limits={"api_calls": 0})

        assert (result.error.limit, result.error.used) == ("api_calls", 1)
        assert server.requests == []


class TestTime:
    def test_what_is_left_less_a_margin_is_how_long_to_wait(self, asks, server):
        asks("asks", limits={"wall_ms": 6_000})
        asks("asks", limits={"wall_ms": 30_000})

        short, long = (float(request.headers["x-stainless-read-timeout"]) for request in server.requests)
        assert 2 < short <= 5
        assert 9 < long <= 12

    def test_without_time_nothing_is_sent(self, asks, server):
        result = asks("asks_late", limits={"wall_ms": 1_200})

        assert said(result)["failed"] == ["CalloutError", "governor.ai-timeout"]
        assert server.requests == []
        assert result.usage["api_calls"] == [0, 50]

    def test_what_was_sent_and_not_heard_of_is_counted_by_its_prompt(self, asks, server):
        server.answer(hangs)

        result = asks("asks_late", limits={"wall_ms": 2_000})

        assert 50 < result.ai_tokens_in < 200
        assert result.ai_cost_micros > 0

    def test_so_is_one_that_the_execution_did_not_wait_for(self, asks, server):
        def answer(connection):
            is_slow = connection.request.body["messages"][1]["content"] == "Slow."
            return hangs(connection) if is_slow else says()(connection)

        server.answer(answer)

        result = asks("asks_and_leaves")

        assert result.error.type == "ValueError"
        assert (result.usage["api_calls"], result.ai_tokens_out) == ([2, 50], 20)
        assert 10 + 50 < result.ai_tokens_in < 10 + 200


class TestModes:
    def test_a_dry_run_asks_and_writes_nothing(self, asks, server):
        server.answer(says(GOOD))

        result = asks("drafts", mode="dry")

        assert said(result)["draft"] == ["Hi", 4]
        assert [effect["state"] for effect in result.effects] == ["done", "planned"]
        assert len(server.requests) == 1

    def test_a_recorded_run_gets_the_earlier_answer_though_every_mark_is_new(self, asks, server, acme):
        root = new_code()
        asks("asks", root=root)
        with tenant_scope(acme.pk):
            recorded = read_answers(root=root)

        result = asks("asks", mode="recorded", recorded=recorded)

        assert said(result) == {"text": "A line.", "used": [0, 0]}
        assert result.effects[0]["state"] == "reused"
        assert result.ai_cost_micros == 0
        assert len(server.requests) == 1

    def test_what_was_not_recorded_is_refused(self, asks, server):
        result = asks("fails", mode="recorded", recorded={})

        assert said(result)["failed"] == ["CalloutError", "governor.not-recorded"]
        assert server.requests == []

    def test_a_retry_reuses_the_answer(self, asks, server):
        root = new_code()

        asks("asks_and_raises", execution=root)
        second = asks("asks_and_raises", root=root)

        assert second.effects[0]["state"] == "reused"
        assert (second.usage["api_calls"], second.ai_tokens_in) == ([0, 50], 0)
        assert len(server.requests) == 1

    def test_an_answer_is_only_its_tenants(self, asks, server, acme, globex):
        root = new_code()
        asks("asks", root=root)
        asks("asks", root=new_code(), tenant=globex)

        with tenant_scope(acme.pk):
            assert [entry.root for entry in JournalEntry.objects.all()] == [root]
        assert len(server.requests) == 2

    def test_only_the_answer_that_counts_is_journalled(self, asks, server, acme):
        root = new_code()
        server.answer(says(BAD), says(GOOD))
        asks("drafts", root=root)

        with tenant_scope(acme.pk):
            (answer,) = read_answers(root=root).values()

        assert answer["ok"]["object"] == {"title": "Hi", "stars": 4}


class TestSecrecy:
    @pytest.mark.parametrize("status", [400, 401, 429, 500])
    def test_the_key_reaches_neither_script_nor_trace(self, asks, server, status):
        server.answer(fails(status))

        result = asks("fails")

        assert KEY not in json.dumps([result.entries, result.effects, result.spans])

    def test_nor_does_what_leaked(self, asks, server):
        server.answer(writes(lambda request: f"{request.canary} {request.mark}"))

        result = asks("fails")

        told = json.dumps([result.entries, result.effects, result.spans])
        assert all(word not in told for request in server.requests for word in (request.canary, request.mark))


class TestOffline:
    def test_the_writer_answers_and_the_trace_says_so(self, asks):
        text, draft = asks("asks"), asks("drafts")

        assert "offline writer" in said(text)["text"]
        assert said(draft)["draft"] == ["Hello", 5]
        assert all("offline" in span["note"] for span in draft.spans if span["kind"] == "ai")
        assert (draft.usage["api_calls"], draft.usage["ai_tokens"]) == ([0, 50], [0, 100_000])

    def test_it_says_the_same_each_time(self, asks):
        assert said(asks("asks")) == said(asks("asks"))
