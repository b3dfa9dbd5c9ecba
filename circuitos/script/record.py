"""Records: what a handler is given, readable as a mapping and by attribute."""

from __future__ import annotations

from typing import Any

from circuitos.script.aliases import snake
from circuitos.script.errors import RecordError

REASON_CHARACTERS = 500


class Record(dict[str, Any]):
    """One CRM record: a dictionary of its fields, ``record["email"]`` or ``record.email``.

    It carries every documented field of its object; one the CRM did not send is ``None``. Setting a field
    marks it as changed: ``CircuitDB.update(object, [record])`` stores the changed fields and nothing else.
    """

    __slots__ = ("_changed", "_object", "_old", "_outcome", "_saved")

    def __init__(self, fields: Any = (), *, object: str = "", old: Record | None = None) -> None:
        super().__init__(fields)
        _set(self, "_object", object)
        _set(self, "_old", old)
        _set(self, "_changed", None)
        _set(self, "_outcome", None)
        _set(self, "_saved", False)  # noqa: FBT003

    @property
    def id(self) -> str:
        """The CRM's id of the record."""
        return str(self.get("id") or "")

    @property
    def old(self) -> Record | None:
        """The record as it was before this event, ``None`` when that is not known."""
        old: Record | None = self._old
        return old

    def fail(self, reason: object) -> None:
        """Fail this record alone: the others of the batch go on."""
        _set(self, "_outcome", ("failed", str(reason)[:REASON_CHARACTERS]))

    def skip(self, reason: object = "script") -> None:
        """Say that this record needed nothing."""
        _set(self, "_outcome", ("skipped", str(reason)[:REASON_CHARACTERS]))

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        spelled = snake(name)
        if spelled in self:
            return self[spelled]
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(_no_field(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"id", "old", "fail", "skip"} or name.startswith("_"):
            raise RecordError(f"{name} of a record cannot be set.")
        self[snake(name)] = value

    def __setitem__(self, name: str, value: Any) -> None:
        changed = self._changed
        if changed is None:
            changed = set()
            _set(self, "_changed", changed)
        changed.add(name)
        super().__setitem__(name, value)

    def update(self, *fields: Any, **more: Any) -> None:
        for name, value in dict(*fields, **more).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, fields: Any) -> Record:  # type: ignore[override,misc]
        self.update(fields)
        return self

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((self._object, self.id))

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        import copy

        return {name: copy.deepcopy(value, memo) for name, value in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def __repr__(self) -> str:
        return f"<{self._object or 'Record'} {self.id}>"


_set = object.__setattr__
_get = object.__getattribute__


def complete(record: Record, fields: dict[str, Any]) -> None:
    """Give the record the fields it lacks, as what was never sent and not as a change."""
    for name, value in fields.items():
        if name not in record:
            dict.__setitem__(record, name, value)


def changes_of(record: Record) -> dict[str, Any] | None:
    """The fields set since the record was given, with its id; ``None`` when none was."""
    changed = _get(record, "_changed")
    return (
        {"id": record.id, **{name: record[name] for name in record if name in changed}} if changed else None
    )


def fields_set(record: Record) -> dict[str, Any]:
    """The fields set since the record was given, without its id."""
    return {name: record[name] for name in record if name in (_get(record, "_changed") or ())}


def mark_saved(record: Record) -> None:
    """Note that the record's changes were handed to ``CircuitDB``."""
    _set(record, "_saved", True)  # noqa: FBT003


def has_unsaved(record: Record) -> bool:
    """Whether fields were set that nobody handed to ``CircuitDB``."""
    return bool(_get(record, "_changed")) and not _get(record, "_saved")


def outcome_of(record: Record) -> tuple[str, str] | None:
    """What the handler said of the record: ``("failed" | "skipped", reason)``."""
    outcome: tuple[str, str] | None = _get(record, "_outcome")
    return outcome


def _no_field(record: Record, name: str) -> str:
    import difflib

    near = difflib.get_close_matches(snake(name), list(record), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{_get(record, '_object') or 'This record'} has no field {name!r}.{hint}"
