"""CircuitDB: reads, changes, enrichment and tasks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from circuitos import CircuitDB, CircuitTrigger, RecordError, enricher, http, trigger
from circuitos.script.testing import run

STORED = {
    "Opportunity": [
        {"id": "o1", "name": "Roof", "value": 100, "tags": ["new"], "custom_fields": {"visits": 3}},
        {"id": "o2", "name": "Door", "value": 300, "tags": []},
        {"id": "o3", "name": "Wall", "value": None, "open": True},
    ]
}


def running(body, records=({"id": "c1"},), **more):
    """Run ``body(context)`` as a handler."""

    class Made(CircuitTrigger):
        @trigger("Contact", ["afterInsert"])
        def handle(self, context):
            return body(context)

    return run(Made.handle, records, **{"stored": STORED, **more})


def answer_of(body, **more):
    seen = []
    running(lambda context: seen.append(body(context)), **more).check()
    return seen[0]


class TestQuery:
    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({}, ["o1", "o2", "o3"]),
            ({"name": "Roof"}, ["o1"]),
            ({"value__gt": 100}, ["o2"]),
            ({"value__gte": 100}, ["o1", "o2"]),
            ({"value__lt": 300}, ["o1"]),
            ({"value__lte": "300"}, []),
            ({"value": None}, ["o3"]),
            ({"value__ne": None}, ["o1", "o2"]),
            ({"name__in": ["Roof", "Wall"]}, ["o1", "o3"]),
            ({"name__contains": "oo"}, ["o1", "o2"]),
            ({"tags__contains": "new"}, ["o1"]),
            ({"open": True}, ["o3"]),
            ({"open": 1}, []),
            ({"custom_fields__visits__gte": 3}, ["o1"]),
            ({"custom_fields__visits": 3}, ["o1"]),
        ],
    )
    def test_finds_what_meets_every_condition(self, where, ids):
        rows = answer_of(lambda context: CircuitDB.query("Opportunity", where))

        assert [row.id for row in rows] == ids

    def test_takes_conditions_as_keywords_orders_and_limits(self):
        rows = answer_of(
            lambda context: CircuitDB.query("Opportunity", orderBy="-value", limit=2, value__gt=1)
        )

        assert [row.name for row in rows] == ["Door", "Roof"]

    def test_absent_values_come_last(self):
        for order, last in (("value", "o3"), ("-value", "o3")):
            rows = answer_of(lambda context, order=order: CircuitDB.query("Opportunity", order_by=order))
            assert rows[-1].id == last

    def test_counts_a_query_and_the_records_read(self):
        usage = running(lambda context: CircuitDB.query("Opportunity")).check().usage

        assert (usage["record_queries"][0], usage["records_read"][0]) == (1, 3)

    @pytest.mark.parametrize("where", [{"value__near": 3}, {"name__in": "Roof"}])
    def test_refuses_lookups_that_do_not_exist(self, where):
        with pytest.raises(AssertionError, match="unknown-lookup"):
            running(lambda context: CircuitDB.query("Opportunity", where)).check()

    def test_refuses_a_missing_object(self):
        assert "object comes first" in running(lambda context: CircuitDB.query({"name": "Roof"})).error.detail


class TestGet:
    def test_gives_those_that_exist(self):
        rows = answer_of(lambda context: CircuitDB.get("Opportunity", ["o1", "nobody"]))

        assert list(rows) == ["o1"]

    def test_gives_one_for_one(self):
        assert answer_of(lambda context: CircuitDB.get("Opportunity", "o1")).name == "Roof"
        assert answer_of(lambda context: CircuitDB.get("Opportunity", "nobody")) is None


class TestChanges:
    def test_are_laid_over_what_is_read_by_id(self):
        def body(context):
            CircuitDB.update("Opportunity", [{"id": "o1", "value": 7, "custom_fields": {"calls": 1}}])
            CircuitDB.delete("Opportunity", ["o2"])
            made = CircuitDB.insert("Opportunity", {"name": "Gate"})
            return CircuitDB.get("Opportunity", ["o1", "o2", made[0].id]), CircuitDB.query(
                "Opportunity", value=100
            )

        by_id, by_filter = answer_of(body)

        assert by_id["o1"]["value"] == 7
        assert by_id["o1"]["custom_fields"] == {"visits": 3, "calls": 1}
        assert "o2" not in by_id
        assert by_id["new-1"].name == "Gate"
        assert [row["value"] for row in by_filter] == [7]

    def test_are_one_a_record(self):
        def body(context):
            CircuitDB.update("Opportunity", [{"id": "o1", "value": 7}])
            CircuitDB.update("Opportunity", [{"id": "o1", "name": "Tower"}])
            CircuitDB.upsert("Opportunity", [{"id": "o9", "name": "New"}, {"name": "No id"}])
            CircuitDB.delete("Opportunity", "o2")
            CircuitDB.upsert("Opportunity", {"id": "o2", "name": "Again"})
            gone = CircuitDB.insert("Opportunity", [{"name": "Gone"}])
            CircuitDB.delete("Opportunity", [gone[0].id])

        changes = running(body).check().changes

        assert [(change.operation, change.id, change.fields) for change in changes] == [
            ("update", "o1", {"value": 7, "name": "Tower"}),
            ("upsert", "o9", {"name": "New"}),
            ("upsert", "new-1", {"name": "No id"}),
            ("upsert", "o2", {"name": "Again"}),
        ]

    def test_to_what_is_not_there_are_refused_one_by_one(self):
        saved = answer_of(
            lambda context: CircuitDB.update("Opportunity", [{"id": "nobody", "a": 1}, {"id": "o1", "a": 1}])
        )

        assert [bool(each) for each in saved] == [False, True]
        assert "no Opportunity nobody" in saved[0].errors[0]

    def test_may_be_pydantic_objects_with_the_fields_that_were_set(self):
        class Score(BaseModel):
            id: str
            score: int
            note: str | None = None

        result = running(lambda context: CircuitDB.update("Contact", Score(id="c1", score=3))).check()

        assert result.changed("Contact") == {"c1": {"score": 3}}

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (lambda: CircuitDB.update("Contact", [{"score": 1}]), "Row 0 has no id"),
            (lambda: CircuitDB.update("Contact", ["c1"]), "Row 0 is a str"),
            (
                lambda: CircuitDB.update("Contact", [{"id": "c1", "score": float("nan")}]),
                "row 0.score is nan",
            ),
            (lambda: CircuitDB.delete("Contact", [{"name": "x"}]), "wants ids"),
        ],
    )
    def test_that_make_no_sense_say_why(self, call, said):
        error = running(lambda context: call()).error

        assert error.type == "RecordError"
        assert said in error.detail

    def test_count_as_records_written(self):
        usage = running(lambda context: CircuitDB.update("Contact", [{"id": "c1", "a": 1}] * 3)).check().usage

        assert usage["records_written"] == [3, 10_000]


class TestBatchEnrich:
    CENSUS = {"75024": {"median_income": 1}, "c3": {"median_income": 3}}
    LEADS = ({"id": "c1", "postal_code": "75024"}, {"id": "c2"}, {"id": "c3"})

    def test_gives_facts_by_record_and_source(self):
        enriched = answer_of(
            lambda context: CircuitDB.batch_enrich(context.new_records),
            records=self.LEADS,
            enrich={"census": self.CENSUS},
        )

        assert enriched["c1"]["census"]["median_income"] == 1
        assert enriched.of("c3", "census") == {"median_income": 3}
        assert enriched.of({"id": "c2"}, "census") == {}
        assert enriched.of("nobody", "weather") == {}
        assert (len(enriched), list(enriched)) == (3, ["c1", "c2", "c3"])

    def test_costs_one_call_a_source(self):
        body = lambda context: CircuitDB.batch_enrich(context.new_records, ["census", "crime"])  # noqa: E731

        result = running(body, self.LEADS, enrich={"crime": lambda records: {"c1": {"rate": 2}}}).check()

        assert result.usage["api_calls"][0] == 2
        assert result.enrichments == [("census", ["c1", "c2", "c3"]), ("crime", ["c1", "c2", "c3"])]

    @pytest.mark.parametrize("is_async", [False, True])
    def test_asks_a_source_of_the_release_once_for_distinct_keys(self, monkeypatch, is_async):
        monkeypatch.setattr("circuitos.script.database.enrichers", {})
        monkeypatch.setattr("circuitos.script.declare.enrichers", {})
        asked = []

        def weather(values):
            asked.append(values)
            http.get("https://weather.test/", params={"at": ",".join(values)})
            return {value: {"is_sunny": True} for value in values}

        async def weather_later(values):
            asked.append(values)
            await http.get("https://weather.test/", params={"at": ",".join(values)})
            return {value: {"is_sunny": True} for value in values}

        from circuitos.script import database, declare

        enricher("weather", key="city")(weather_later if is_async else weather)
        database.enrichers.update(declare.enrichers)
        leads = [{"id": "c1", "city": "Plano"}, {"id": "c2", "city": "Plano"}, {"id": "c3"}]

        def body(context):
            if is_async:

                async def enrich():
                    return await CircuitDB.batch_enrich(context.new_records, ["weather", "census"])

                return asyncio.run(enrich())
            return CircuitDB.batch_enrich(context.new_records, ["weather", "census"])

        enriched = answer_of(body, records=leads, api={"GET https://weather.test/": {}})

        assert asked == [["Plano"]]
        assert [enriched.of(key, "weather") for key in ("c1", "c2", "c3")] == [
            {"is_sunny": True},
            {"is_sunny": True},
            {},
        ]


class TestCreateTask:
    def test_takes_a_record_a_time_and_a_priority(self):
        due = datetime(2026, 1, 2, tzinfo=UTC)

        result = running(
            lambda context: CircuitDB.create_task(
                "Call", record_id=context.new_record, due_at=due, priority="CRITICAL", body="now"
            )
        ).check()

        assert result.tasks == [
            {
                "id": "new-1",
                "title": "Call",
                "record_id": "c1",
                "due_at": "2026-01-02T00:00:00+00:00",
                "priority": "critical",
                "body": "now",
            }
        ]

    @pytest.mark.parametrize(
        "call",
        [
            lambda: CircuitDB.createTask({"title": "Call", "contactId": "c1", "dueDate": "2026-01-02"}),
            lambda: CircuitDB.createTask("Call", recordId="c1", dueAt="2026-01-02"),
            lambda: CircuitDB.create_task("Call", contactId="c1", due_date="2026-01-02"),
        ],
    )
    def test_takes_other_spellings(self, call):
        (task,) = running(lambda context: call()).check().tasks

        assert (task["title"], task["record_id"], task["due_at"], task["priority"]) == (
            "Call",
            "c1",
            "2026-01-02",
            "normal",
        )

    @pytest.mark.parametrize(
        ("keywords", "said"),
        [
            ({"title": " "}, "needs a title"),
            ({"title": "Call", "priority": "asap"}, "priority is 'asap'"),
            ({"title": "Call", "colour": "red"}, "does not know colour"),
        ],
    )
    def test_refuses_what_it_does_not_know(self, keywords, said):
        error = running(lambda context: CircuitDB.create_task(**keywords)).error

        assert error.type == RecordError.__name__
        assert said in error.detail
