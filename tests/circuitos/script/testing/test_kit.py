"""The testing kit: what run takes and gives, and the pytest fixture."""

from __future__ import annotations

import pytest

from circuitos import CircuitDB, CircuitMonitor, CircuitTrigger, http, limits, trigger
from circuitos.script.testing import run
from circuitos.script.testing.fields import FIELDS

pytest_plugins = ["circuitos.script.testing.plugin"]


class LeadTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert", "afterUpdate"], limits={"api_calls": 2})
    def handle(self, context):
        for record in context.new_records:
            if not context.is_insert and not context.changed(record, "city"):
                record.skip("same city")
        CircuitDB.update(
            "Contact", [{"id": record.id, "seen": context.tenant.slug} for record in context.new_records]
        )

    @trigger("Contact", ["afterDelete"])
    def fails(self, context):
        CircuitDB.update("Contact", [{"id": "c1", "seen": True}])
        CircuitDB.create_task("Call")
        raise ValueError("no")


class OnlyTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    async def call(self, context):
        await http.get("https://api.test/x")
        await CircuitDB.query("Opportunity")
        CircuitMonitor.track_performance(1)


class TestRun:
    def test_completes_records_with_an_id_and_documented_fields(self):
        def look(self, context):
            assert context.new_record.id == "r1"
            assert set(FIELDS["Contact"]) < set(context.new_record)

        look = trigger("Contact", ["afterInsert"])(look)
        made = type("Look", (CircuitTrigger,), {"look": look})

        run(made, [{"email": "a@b.test"}]).check()

    def test_takes_old_images_in_order_or_by_id(self):
        records = [{"id": "c1", "city": "Plano"}, {"id": "c2", "city": "Plano"}]
        for old in (
            [{"city": "Plano"}, {"city": "Dallas"}],
            {"c1": {"city": "Plano"}, "c2": {"city": "Dallas"}},
        ):
            result = run(LeadTrigger.handle, records, old=old, event="afterUpdate").check()
            assert [outcome.status for outcome in result.outcomes.values()] == ["skipped", "ok"]

    def test_refuses_old_images_that_do_not_match(self):
        with pytest.raises(ValueError, match="1 old images were given for 2 records"):
            run(LeadTrigger.handle, [{}, {}], old=[{}])

    def test_takes_a_tenant(self):
        result = run(LeadTrigger.handle, [{"id": "c1"}], tenant="acme").check()

        assert result.changed("Contact") == {"c1": {"seen": "acme"}}

    def test_an_error_commits_nothing_and_fails_the_records(self):
        result = run(LeadTrigger.fails, [{"id": "c1"}])

        assert not result.ok
        assert (result.changes, result.tasks) == ([], [])
        assert result.outcomes["c1"].status == "failed"
        with pytest.raises(AssertionError, match="raised: no"):
            result.check()

    def test_takes_the_triggers_own_limits_and_those_given(self):
        def look(self, context):
            assert limits.api_calls.max == 1
            assert limits.record_queries.max == 7

        look = trigger("Contact", ["afterInsert"], limits={"api_calls": 9, "record_queries": 7})(look)

        run(type("Look", (CircuitTrigger,), {"look": look}).look, [{}], limits={"api_calls": 1}).check()

    def test_time_is_limited(self):
        def spin(self, context):
            total = 0
            while limits.cpu_ms.used < 20:
                total += 1

        spin = trigger("Contact", ["afterInsert"])(spin)
        made = type("Spin", (CircuitTrigger,), {"spin": spin})

        assert run(made, [{}], limits={"cpu_ms": 10}).error.data["limit"] == "cpu_ms"
        assert run(LeadTrigger.handle, [{"id": "c1"}], limits={"wall_ms": 0}).error.data["limit"] == "wall_ms"

    @pytest.mark.parametrize(
        "wrong", [LeadTrigger, len, LeadTrigger().handle.__func__.__name__, CircuitTrigger]
    )
    def test_wants_one_trigger(self, wrong):
        with pytest.raises(ValueError, match="trigger"):
            run(wrong, [])

    def test_takes_a_class_with_one_trigger_or_a_bound_method(self):
        for one in (OnlyTrigger, OnlyTrigger.call, OnlyTrigger().call):
            assert run(one, [{}], api={"https://api.test/*": 200}).check().usage["api_calls"][0] == 1


class TestFields:
    def test_are_those_of_the_platform(self):
        from triggers.schemas import FIELDS as PLATFORM

        assert dict(FIELDS) == dict(PLATFORM)


class TestFixture:
    def test_runs_with_its_own_answers_under_those_given(self, circuit):
        circuit.api["https://api.test/*"] = 500
        circuit.stored["Opportunity"] = [{"id": "o1"}]
        circuit.tenant = "acme"

        result = circuit.run(OnlyTrigger.call, [{}], api={"GET https://api.test/x": 200}).check()

        assert result.callouts[0].status == 200
        assert result.usage["records_read"][0] == 1
