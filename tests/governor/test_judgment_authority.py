"""Level 17: messages leave with consent, within the caps, and by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governor.judgment.authority import (
    ALLOW,
    BLOCK,
    HOLD,
    Caps,
    Effect,
    Person,
    Ruling,
    Sent,
    allowed_fields,
    approval,
    loop,
    may_message,
    quiet,
    strongest,
    switch,
)

NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)  # 12:00 in Chicago
NIGHT = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)  # 22:30 there, the day before
SMS = Effect(channel="sms")
AGREED = Person(consents={"sms", "email"}, timezone="America/Chicago")


NOTHING_SENT = Sent()


def ruled(effect=SMS, person=AGREED, *, sent=NOTHING_SENT, at=NOON):
    return may_message(effect, person, sent=sent, caps=Caps(), timezone="UTC", at=at)


class TestMayMessage:
    def test_lets_a_text_by_day_to_who_agreed(self):
        assert ruled().verdict == ALLOW

    @pytest.mark.parametrize(
        ("effect", "person", "rule"),
        [
            (SMS, Person(consents={"email"}), "no-consent"),
            (SMS, Person(), "no-consent"),
            (SMS, Person(consents={"sms"}, opted_out={"sms"}), "opted-out"),
            (Effect(channel="email", is_marketing=False), Person(opted_out={"all"}), "opted-out"),
            (Effect(channel="pigeon"), AGREED, "unknown-channel"),
        ],
    )
    def test_blocks_without_consent_even_by_day(self, effect, person, rule):
        assert (ruled(effect, person).verdict, ruled(effect, person).rule) == (BLOCK, rule)

    def test_what_is_no_marketing_needs_no_consent(self):
        assert ruled(Effect(channel="email", is_marketing=False), Person()).verdict == ALLOW

    def test_holds_a_text_until_the_persons_own_morning(self):
        ruling = ruled(at=NIGHT)

        assert (ruling.verdict, ruling.rule) == (HOLD, "quiet-hours")
        assert ruling.until is not None
        assert ruling.until.astimezone(UTC) == datetime(2026, 3, 3, 14, tzinfo=UTC)

    def test_an_opt_out_outranks_the_night(self):
        assert ruled(person=Person(opted_out={"all"}), at=NIGHT).rule == "opted-out"

    def test_mail_has_no_night(self):
        assert ruled(Effect(channel="email"), at=NIGHT).verdict == ALLOW

    @pytest.mark.parametrize(
        ("sent", "rule"),
        [(Sent(to_person=2, oldest_at=NOON), "person-cap"), (Sent(of_tenant=1000), "tenant-cap")],
    )
    def test_holds_what_is_over_a_cap_for_a_day(self, sent, rule):
        ruling = ruled(sent=sent)

        assert (ruling.verdict, ruling.rule, ruling.until) == (HOLD, rule, NOON + timedelta(days=1))


class TestQuiet:
    @pytest.mark.parametrize(
        ("hour", "minute", "verdict"), [(7, 59, HOLD), (8, 0, ALLOW), (20, 59, ALLOW), (21, 0, HOLD)]
    )
    def test_from_nine_to_eight(self, hour, minute, verdict):
        assert quiet(SMS, "UTC", at=datetime(2026, 3, 2, hour, minute, tzinfo=UTC)).verdict == verdict

    def test_the_morning_comes_by_the_clock_that_was_put_forward(self):
        # 8 March 2026: at 2:00 it is 3:00 in New York.
        ruling = quiet(SMS, "America/New_York", at=datetime(2026, 3, 8, 4, tzinfo=UTC))

        assert ruling.until is not None
        assert ruling.until.astimezone(UTC) == datetime(2026, 3, 8, 12, tzinfo=UTC)


class TestOthers:
    def test_of_two_holds_the_longer_rules(self):
        short = Ruling(HOLD, "a", until=NOON)

        assert strongest(short, Ruling(HOLD, "b", until=NIGHT)).rule == "b"
        assert strongest(short, Ruling(HOLD, "c")).rule == "c"

    def test_an_approval_is_for_what_costs_more(self):
        assert approval(Effect(amount_cents=5_000), above_cents=5_000).verdict == ALLOW
        assert approval(Effect(amount_cents=5_001), above_cents=5_000).verdict == HOLD
        assert approval(Effect(amount_cents=9_999, is_approved=True), above_cents=5_000).verdict == ALLOW

    def test_a_field_that_was_not_given_is_blocked_by_name(self):
        ruling = allowed_fields(Effect(fields={"tags": [], "owner": 1}), allowed={"tags"})

        assert (ruling.verdict, "owner" in ruling.sentence) == (BLOCK, True)

    def test_a_loop_ends(self):
        assert [loop(Effect(depth=depth), deepest=3).verdict for depth in (3, 4)] == [ALLOW, BLOCK]

    def test_the_switch_holds(self):
        assert [switch(is_stopped=stopped).verdict for stopped in (False, True)] == [ALLOW, HOLD]
