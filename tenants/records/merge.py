"""How a change meets what the mirror holds: pure rules, the newest change of each field wins.

A field's time is its mark, or else the record's watermark. So one record may take whole-record
events, single-property events and a script's writes in any order, and ends the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ECHO_WINDOW = timedelta(minutes=10)
# A CRM clock further ahead than this tells nothing; believed, it would lock the record until then.
CLOCK_SKEW = timedelta(minutes=10)
# Merged key by key, for CRMs send the custom fields they happen to hold.
NESTED = "custom_fields"
_PREFIX = f"{NESTED}."
# Time of the newest event that showed the record alive, where the watermark does not tell.
ALIVE = "*"
NEVER = ""
OWN = "circuitos"  # the source of objects that no CRM holds


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event's change of one record. ``key`` is the event's id; undated changes count as newest."""

    key: int
    record_id: str
    operation: str
    fields: Mapping[str, Any]
    occurred_at: datetime | None
    is_partial: bool
    source: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What an event did to the mirror. ``before`` is None when the record was unknown."""

    key: int
    record_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    old_known: bool
    is_stale: bool  # a newer change is known: nothing of this one was applied
    is_echo: bool  # it changed nothing, and we wrote the record less than ten minutes ago


@dataclass(frozen=True, slots=True)
class Change:
    """A script's change of one record."""

    object: str
    operation: str  # insert, update, upsert, delete
    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What a script's changes did to one record; ``after`` is None when there is no such record."""

    object: str
    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(slots=True)
class State:
    """A row of the mirror while it is worked on. ``pk`` is None until it is stored."""

    external_id: str
    source: str
    pk: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict)  # what the row holds of ``data``
    watermark: str = NEVER
    marks: dict[str, str] = field(default_factory=dict)
    deleted_at: str = NEVER
    written_at: datetime | None = None
    is_known: bool = False
    is_dirty: bool = False

    def image(self) -> dict[str, Any]:
        """The record as scripts see it. Later changes of the state leave it alone."""
        return {"id": self.external_id, **self.data}

    def unstored(self) -> dict[str, Any]:
        """The fields that were set since the row was read."""
        stored = self.stored
        return {name: value for name, value in self.data.items() if stored.get(name, stored) is not value}

    def names_by_mark(self) -> dict[str, list[str]]:
        """The marks as they are stored: a script's write gives a dozen fields one time."""
        names: dict[str, list[str]] = {}
        for name, time in self.marks.items():
            names.setdefault(time, []).append(name)
        return names

    def time_of(self, name: str) -> str:
        mark = self.marks.get(name)
        if mark is not None:
            return mark
        return self.watermark if self._has(name) else NEVER

    def put(self, values: Mapping[str, Any]) -> None:
        """Set fields, named as ``flatten`` names them."""
        if not values:
            return
        # New dicts, for images taken earlier share the old ones.
        self.data = {**self.data, **values}
        nested = [name for name in values if name.startswith(_PREFIX)]
        if nested:
            self.data[NESTED] = {**self._nested()}
        for name in nested:
            self.data[NESTED][name[len(_PREFIX) :]] = self.data.pop(name)
        self.is_dirty = True

    def _has(self, name: str) -> bool:
        if name.startswith(_PREFIX):
            return name[len(_PREFIX) :] in self._nested()
        return name in self.data

    def _nested(self) -> dict[str, Any]:
        nested = self.data.get(NESTED)
        return nested if isinstance(nested, dict) else {}


def flatten(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by name, custom ones as ``custom_fields.<name>``; without the id, which is no field."""
    flat = dict(fields)
    flat.pop("id", None)
    nested = flat.pop(NESTED, None)
    if isinstance(nested, dict):
        flat.update((_PREFIX + name, value) for name, value in nested.items())
    elif nested is not None:
        flat[NESTED] = nested
    return flat


@lru_cache(maxsize=1024)
def stamp(at: datetime | None) -> str:
    """A time as text that sorts as the time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else NEVER


def merge_incoming(state: State, change: Incoming, *, at: datetime) -> Applied:
    """Apply an event to ``state`` by the rule of the newest change."""
    was_known, was_deleted = state.is_known, bool(state.deleted_at)
    before = state.image() if was_known else None
    occurred = change.occurred_at
    time = NEVER if occurred is None or occurred > at + CLOCK_SKEW else stamp(occurred)

    is_overtaken = _mark_life(state, change, time=time, at=at)
    wins = fields = flatten(change.fields)
    if time and (state.marks or time < state.watermark):
        wins = {name: value for name, value in fields.items() if time >= state.time_of(name)}
    if change.is_partial:
        _mark_partial(state, wins, time=time)
    else:
        _mark_full(state, fields, wins, time=time)
    state.put(wins)
    if not was_known:
        state.is_known = state.is_dirty = True

    after = state.image()
    changed = before != after or bool(state.deleted_at) != was_deleted
    recently = state.written_at is not None and at - state.written_at <= ECHO_WINDOW
    if changed and recently and before is not None and not was_deleted and not state.deleted_at:
        changed = not _returns_only(before, after)
    is_echo = was_known and not changed and recently
    is_late = is_overtaken or (bool(fields) and not wins)
    # The only insert of a record is never too late: what waits for new records must hear of it.
    is_stale = (
        was_known and is_late and not is_echo and (change.operation != "insert" or bool(state.deleted_at))
    )
    return Applied(change.key, change.record_id, before, after, was_known, is_stale, is_echo)


def _returns_only(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether all that is new is the CRM's way to tell what we wrote: a field of ours as a custom field."""
    told = (NESTED, "updated_at")
    if any(before.get(name) != after.get(name) for name in before.keys() | after.keys() if name not in told):
        return False
    old, new = (image.get(NESTED) or {} for image in (before, after))
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    return old.keys() <= new.keys() and all(
        (name in old and old[name] == value) or (name in after and str(after[name]) == str(value))
        for name, value in new.items()
    )


def merge_change(state: State, change: Change, *, at: datetime) -> bool:
    """Apply a script's change, made now; False when it names a record that is not there."""
    if change.operation in {"update", "delete"} and (not state.is_known or state.deleted_at):
        return False
    time = stamp(at)
    fields = flatten(change.fields)
    state.put(fields)
    if state.source != OWN:
        # An event that left the CRM before this write must not take it back.
        state.marks.update(dict.fromkeys(fields, time))
    state.deleted_at = time if change.operation == "delete" else NEVER
    state.written_at = at
    state.is_known = state.is_dirty = True
    return True


def _mark_life(state: State, change: Incoming, *, time: str, at: datetime) -> bool:
    """Note a death, a return or a sign of life; True when a newer one of the other kind is known."""
    alive = max(state.watermark, state.marks.get(ALIVE, NEVER))
    if change.operation == "delete":
        if time and time < alive:
            return True
        state.deleted_at = max(state.deleted_at, time or stamp(at))
        state.is_dirty = True
        return False
    if state.deleted_at and time and time <= state.deleted_at:
        return True
    if state.deleted_at:
        state.deleted_at = NEVER
        state.is_dirty = True
    if change.is_partial and time > alive:
        state.marks[ALIVE] = time
        state.is_dirty = True
    return False


def _mark_partial(state: State, wins: Mapping[str, Any], *, time: str) -> None:
    if time:
        state.marks.update(dict.fromkeys(wins, time))


def _mark_full(state: State, fields: Mapping[str, Any], wins: Mapping[str, Any], *, time: str) -> None:
    if not time:
        return
    if time < state.watermark:
        state.marks.update(dict.fromkeys(wins, time))
        return
    if state.watermark:
        # Fields this event does not carry keep the time they had.
        for name in flatten(state.data):
            if name not in fields:
                state.marks.setdefault(name, state.watermark)
    for name in state.marks.keys() & wins.keys():
        del state.marks[name]
    if state.marks.get(ALIVE, NEVER) <= time:
        state.marks.pop(ALIVE, None)
    state.is_dirty = state.is_dirty or time != state.watermark
    state.watermark = time
