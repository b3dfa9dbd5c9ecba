"""What can be declared of a trigger, and what is refused while it is imported."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from circuitos import CircuitTrigger, enricher, schedule, trigger
from circuitos.script.declare import declaration, enrichers
from circuitos.script.errors import BadScript


def declared(*args, **keywords):
    def handler(self, context):
        pass

    return declaration(trigger(*args, **keywords)(handler))


class TestTrigger:
    def test_has_the_defaults_of_the_contract(self):
        made = declared("Contact", ["afterInsert"])

        assert (made.object, made.events, made.batch_size, made.order) == (
            "Contact",
            ("afterInsert",),
            200,
            0,
        )
        assert made.schema is None
        assert made.when is None
        assert made.limits == {}

    @pytest.mark.parametrize("spelling", ["afterInsert", "after_insert", "AFTER_INSERT"])
    def test_takes_events_as_people_write_them(self, spelling):
        assert declared("Contact", spelling).events == ("afterInsert",)

    @pytest.mark.parametrize(
        "event",
        [
            "beforeInsert",
            "beforeUpdate",
            "beforeDelete",
            "afterUpdate",
            "afterDelete",
            "afterUndelete",
            "afterMerge",
        ],
    )
    def test_takes_every_event(self, event):
        assert declared("Contact", [event, event]).events == (event,)

    def test_takes_camel_case_keywords(self):
        assert declared("Contact", ["afterInsert"], batchSize=5, staleAfter=60).batch_size == 5

    def test_takes_limits_by_name(self):
        assert declared("Contact", ["afterInsert"], limits={"apiCalls": 5}).limits == {"api_calls": 5}

    @pytest.mark.parametrize(
        ("keywords", "said"),
        [
            ({"events": ["onInsert"]}, "no event 'onInsert'"),
            ({"events": []}, "wants events"),
            ({"batch_size": 0}, "from 1 to 200"),
            ({"batch_size": 201}, "from 1 to 200"),
            ({"batch_size": True}, "from 1 to 200"),
            ({"order": "first"}, "order is 'first'"),
            ({"schema": dict}, "pydantic model"),
            ({"when": "email"}, "when must be a function"),
            ({"limits": {"api_cals": 3}}, "no limit 'api_cals'"),
            ({"limits": {"api_calls": -1}}, "api_calls is -1"),
            ({"stale_after": 0}, "stale_after"),
            ({"object": ["Contact"]}, "wants the object first"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, keywords, said):
        with pytest.raises(BadScript, match=said):
            declared(**{"object": "Contact", "events": ["afterInsert"], **keywords})

    def test_stands_before_a_method_once(self):
        with pytest.raises(BadScript, match="declared twice"):

            class Twice(CircuitTrigger):
                @trigger("Contact", ["afterInsert"])
                @trigger("Contact", ["afterUpdate"])
                def run(self, context):
                    pass

        with pytest.raises(BadScript, match="before a method"):
            trigger("Contact", ["afterInsert"])(CircuitTrigger)

    def test_takes_a_schema(self):
        class Schema(BaseModel):
            id: str

        assert declared("Contact", ["afterInsert"], schema=Schema).schema is Schema


class TestSchedule:
    @pytest.mark.parametrize("cron", ["0 2 * * *", "*/15 8-18 1,15 * 1-5"])
    def test_takes_a_cron_line(self, cron):
        @schedule(cron)
        def nightly(self, context):
            pass

        assert declaration(nightly).cron == cron
        assert declaration(nightly).kind == "schedule"

    @pytest.mark.parametrize(
        "cron", ["", "0 2 * *", "60 2 * * *", "0 2 * * mon", "5-1 * * * *", "*/0 * * * *", 5, "0 24 * * *"]
    )
    def test_refuses_what_is_none(self, cron):
        with pytest.raises(BadScript, match="no cron line"):
            schedule(cron)


class TestEnricher:
    def test_two_of_one_name_are_refused(self, monkeypatch):
        monkeypatch.setattr("circuitos.script.declare.enrichers", enrichers)

        @enricher("weather-of-test")
        def one(values):
            return {}

        try:
            with pytest.raises(BadScript, match="Two enrichers"):

                @enricher("weather-of-test")
                def two(values):
                    return {}

        finally:
            del enrichers["weather-of-test"]

    def test_wants_a_name(self):
        with pytest.raises(BadScript, match="wants a name"):
            enricher("")
