"""The newest change of each field wins, in whatever order changes come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.records.merge import Applied, Change, Incoming, State, merge_change, merge_incoming

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NAMES = ["first_name", "email", "phone"]


def event(
    second: int | None, operation: str = "update", *, is_partial: bool = False, **fields: Any
) -> Incoming:
    occurred_at = None if second is None else AT - timedelta(seconds=1000 - second)
    return Incoming(second or 0, "c-1", operation, fields, occurred_at, is_partial, "hubspot")


def merged(*events: Incoming, state: State | None = None, at: datetime = AT) -> tuple[State, list[Applied]]:
    state = state or State("c-1", "hubspot")
    return state, [merge_incoming(state, change, at=at) for change in events]


fields = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=3)
custom = st.dictionaries(st.sampled_from(["visits", "plan"]), st.integers(0, 3), max_size=2)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Incoming], list[Incoming]]:
    """The same changes in two orders; each with a time of its own."""
    seconds = draw(st.lists(st.integers(1, 900), min_size=1, max_size=8, unique=True))
    events = []
    for second in seconds:
        operation = draw(st.sampled_from(["insert", "update", "update", "update", "delete"]))
        values: dict[str, Any] = draw(fields)
        if draw(st.booleans()):
            values = {**values, "custom_fields": draw(custom)}
        events.append(event(second, operation, is_partial=draw(st.booleans()), **values))
    return events, draw(st.permutations(events))


def newest(events: list[Incoming]) -> tuple[dict[str, Any], bool]:
    """What the rule says, computed the slow and plain way."""
    data: dict[str, Any] = {}
    alive = True
    for change in sorted(events, key=lambda change: change.key):
        values = dict(change.fields)
        inner = values.pop("custom_fields", {})
        data.update(values)
        if inner:
            data["custom_fields"] = {**data.get("custom_fields", {}), **inner}
        alive = change.operation != "delete"
    return data, alive


class TestOrder:
    @settings(max_examples=400, deadline=None)
    @given(histories())
    def test_any_order_ends_in_the_newest_value_of_each_field(self, history):
        events, shuffled = history

        state, _ = merged(*shuffled)

        data, alive = newest(events)
        assert state.data == data
        assert (not state.deleted_at) == alive

    @settings(max_examples=100, deadline=None)
    @given(histories())
    def test_a_second_delivery_changes_nothing(self, history):
        events, shuffled = history
        state, _ = merged(*events)
        data, deleted_at = state.data, state.deleted_at

        merged(*shuffled, state=state)

        assert (state.data, state.deleted_at) == (data, deleted_at)

    def test_undated_changes_count_as_newest(self):
        state, _ = merged(event(5, email="dated"), event(None, email="undated"))

        assert state.data == {"email": "undated"}

    def test_a_clock_far_ahead_does_not_lock_the_record(self):
        wrong = Incoming(1, "c-1", "update", {"email": "old"}, AT + timedelta(days=900), False, "hubspot")

        state, _ = merged(wrong, event(5, email="new"))

        assert state.data == {"email": "new"}


class TestApplied:
    def test_tells_what_was_before(self):
        _, (first, second) = merged(event(1, "insert", email="a"), event(2, email="b"))

        assert (first.before, first.old_known) == (None, False)
        assert (second.before, second.old_known) == ({"id": "c-1", "email": "a"}, True)
        assert second.after == {"id": "c-1", "email": "b"}

    def test_images_taken_earlier_do_not_change(self):
        _, (first, _) = merged(
            event(1, "insert", custom_fields={"visits": 1}), event(2, custom_fields={"visits": 2})
        )

        assert first.after == {"id": "c-1", "custom_fields": {"visits": 1}}

    def test_an_older_change_is_stale(self):
        _, (_, late) = merged(event(9, email="new"), event(3, email="old"))

        assert late.is_stale
        assert late.after == {"id": "c-1", "email": "new"}

    def test_an_older_change_of_another_field_is_not_stale(self):
        _, (_, late) = merged(event(9, is_partial=True, email="new"), event(3, is_partial=True, phone="1"))

        assert not late.is_stale
        assert late.after == {"id": "c-1", "email": "new", "phone": "1"}

    def test_the_insert_is_never_stale_for_its_triggers_have_not_run(self):
        _, (_, late) = merged(event(9, email="new"), event(3, "insert", email="old"))

        assert not late.is_stale
        assert late.after == {"id": "c-1", "email": "new"}

    def test_a_change_from_before_the_deletion_is_stale(self):
        state, (_, _, late) = merged(event(1, email="a"), event(9, "delete"), event(5, email="b"))

        assert late.is_stale
        assert state.deleted_at

    def test_deletion_keeps_the_data(self):
        state, _ = merged(event(1, email="a"), event(9, "delete"))

        assert state.data == {"email": "a"}

    def test_absent_custom_fields_of_a_whole_record_wipe_nothing(self):
        state, _ = merged(event(1, custom_fields={"visits": 1}), event(2, custom_fields=None, email="a"))

        assert state.data == {"custom_fields": {"visits": 1}, "email": "a"}


class TestEcho:
    def written(self, minutes: int) -> State:
        state, _ = merged(event(1, "insert", email="a", score=None))
        merge_change(
            state, Change("Contact", "update", "c-1", {"score": 80}), at=AT - timedelta(minutes=minutes)
        )
        return state

    def test_our_own_write_coming_back_is_an_echo(self):
        _, (back,) = merged(event(900, email="a", score=80), state=self.written(9))

        assert (back.is_echo, back.is_stale) == (True, False)

    def test_a_change_is_no_echo(self):
        _, (back,) = merged(event(999, email="b", score=80), state=self.written(9))

        assert not back.is_echo

    def test_a_field_of_ours_coming_back_as_a_custom_field_is_an_echo(self):
        told = {"email": "a", "updated_at": "later", "custom_fields": {"score": "80"}}
        state, (back,) = merged(event(900, **told), state=self.written(9))

        assert back.is_echo
        assert state.data["custom_fields"] == {"score": "80"}

    def test_a_custom_field_with_another_value_is_no_echo(self):
        for told in ({"score": "81"}, {"score": "80", "budget": 5}):
            _, (back,) = merged(event(900, email="a", custom_fields=told), state=self.written(9))

            assert not back.is_echo

    def test_after_ten_minutes_it_is_no_echo(self):
        _, (back,) = merged(event(900, email="a", score=80), state=self.written(11))

        assert not back.is_echo

    def test_a_record_we_never_wrote_gives_no_echo(self):
        _, (_, again) = merged(event(1, email="a"), event(2, email="a"))

        assert not again.is_echo


class TestChange:
    def test_an_event_from_before_the_write_does_not_take_it_back(self):
        state, _ = merged(event(1, "insert", email="a", phone="1"))
        merge_change(state, Change("Contact", "update", "c-1", {"phone": "2"}), at=AT)

        merged(event(500, email="b", phone="1"), state=state)

        assert state.data == {"email": "b", "phone": "2"}

    def test_a_deletion_from_before_the_write_still_deletes(self):
        state, _ = merged(event(1, "insert", email="a"))
        merge_change(state, Change("Contact", "update", "c-1", {"score": 2}), at=AT)

        merged(event(500, "delete"), state=state)

        assert state.deleted_at

    def test_updating_what_is_not_there_does_nothing(self):
        state = State("c-1", "circuitos")

        assert not merge_change(state, Change("Contact", "update", "c-1", {"a": 1}), at=AT)
        assert not state.is_dirty

    def test_insert_brings_a_deleted_record_back(self):
        state, _ = merged(event(1, "insert", email="a"), event(2, "delete"))

        assert merge_change(state, Change("Contact", "upsert", "c-1", {"phone": "1"}), at=AT)
        assert not state.deleted_at
