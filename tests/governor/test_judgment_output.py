"""Level 16: what an answer may not hold, and what a review's reply may not say."""

from __future__ import annotations

import time

import pytest

from governor.judgment.output import leaks
from governor.judgment.reviews import LONGEST, faults_of_reply, faults_of_request

ASKED = "Draft a reply to Ada, ada@example.com, +1 512 555 0144, see https://shop.example.com/x."


def rules(found):
    return [each.rule for each in found]


class TestLeaks:
    @pytest.mark.parametrize(
        ("answer", "rule"),
        [
            ("See https://evil.test/?q=1", "url"),
            ("See https://shop.example.com.evil.test/", "url"),
            ("See https://shop.example.com@evil.test/", "url"),
            ("javascript:alert(1)", "url"),
            ("Write to eve@evil.test", "email"),
            ("Call +1 512 555 0199", "number"),
            ("My card is 4111 1111 1111 1111", "number"),
            ("<img src=x>", "markup"),
            ("![a](/x)", "markup"),
            ({"lines": [{"text": "https://evil.test"}]}, "url"),
        ],
    )
    def test_what_was_not_asked_about(self, answer, rule):
        assert rule in rules(leaks(answer, asked=ASKED))

    @pytest.mark.parametrize(
        "answer",
        [
            "Ada, we wrote to ada@example.com and call +1 512 555 0144 at 9:30 on 2026-03-02.",
            "Order 1234567890, $1,299.00, 4.8 of 5 stars, see https://shop.example.com/y",
            "a < b, and on time = good",
            {"title": "Hi", "stars": 5},
        ],
    )
    def test_what_was_may_be_repeated(self, answer):
        assert leaks(answer, asked=ASKED) == []

    def test_hosts_may_be_allowed(self):
        assert leaks("https://book.acme.test/a", asked="", hosts=["acme.test"]) == []
        assert rules(leaks("https://notacme.test/a", asked="", hosts=["acme.test"])) == ["url"]

    @pytest.mark.parametrize(
        "text", ["a@" * 40_000, "+1 " * 40_000, "https://" * 20_000, "<" * 100_000, "![" * 50_000]
    )
    def test_is_quick_on_hostile_text(self, text):
        began = time.perf_counter()
        leaks(text, asked="")
        assert time.perf_counter() - began < 1


class TestReply:
    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("Update your review and we give you a gift card.", "review-offer"),
            ("Here is 20% off for your review!", "review-offer"),
            ("Please take down your review, we fixed it.", "review-change"),
            ("Our lawyer will contact you.", "review-threat"),
        ],
    )
    def test_offers_and_threatens_nothing(self, text, rule):
        assert rule in rules(faults_of_reply(text))

    def test_thanks_and_invites_to_talk(self):
        text = "Thank you, Ada. We are sorry about the wait. Please call us, we want to put this right."

        assert faults_of_reply(text, industry="dental") == []

    @pytest.mark.parametrize(
        "text",
        [
            "Thank you for being a patient.",
            "We are glad your root canal went well.",
            "When you came in we were full.",
        ],
    )
    def test_of_a_health_tenant_confirms_no_patient(self, text):
        assert rules(faults_of_reply(text, industry="Dental clinic")) == ["patient-confirmed"]
        assert faults_of_reply(text, industry="roofing") == []

    def test_one_that_is_too_long_is_refused(self):
        assert rules(faults_of_reply("a" * (LONGEST + 1))) == ["too-long"]


class TestRequest:
    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("Leave us a review and get $10.", "review-offer"),
            ("A free coffee for every review: it is on the house.", "review-offer"),
            ("If you were happy, leave us a review.", "review-gating"),
            ("If you loved our work, please rate us.", "review-gating"),
        ],
    )
    def test_rewards_nobody_and_picks_nobody(self, text, rule):
        assert rule in rules(faults_of_request(text))

    def test_that_goes_to_some_only_is_gating_whatever_it_says(self):
        assert rules(faults_of_request("How did we do?", asks_all=False)) == ["review-gating"]

    def test_a_plain_one_is_fine(self):
        assert (
            faults_of_request("Hi Ada, how did we do? We would like to read your review: shop.example/r")
            == []
        )
