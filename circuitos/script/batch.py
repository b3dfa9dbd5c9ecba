"""The records of a batch as a handler goes over them, and at which of them it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from circuitos.script import frames
from circuitos.script.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

LONGEST_ID = 1_000  # bytes of a record's id that the page holds
PAGE_BYTES = 4_096
_LENGTH = 2


class Whereabouts:
    """The record a running script is at. ``page`` is memory that whoever watches the process can see."""

    __slots__ = ("page", "record")

    def __init__(self) -> None:
        self.record = ""
        self.page: Any = None

    def note(self, record_id: str) -> None:
        """The script is at this record now, or (``""``) at none."""
        self.record = record_id
        if self.page is not None:
            told = record_id.encode(errors="replace")[:LONGEST_ID]
            self.page[: _LENGTH + len(told)] = len(told).to_bytes(_LENGTH, "big") + told


here = Whereabouts()


def read_page(page: bytes) -> str:
    """What a process noted in its page. It may be anything: the reader knows the batch's ids."""
    length = min(int.from_bytes(page[:_LENGTH], "big"), LONGEST_ID)
    return page[_LENGTH : _LENGTH + length].decode(errors="replace")


class Batch(list[Record]):
    """A list of records; going over it notes at which record the script is."""

    def __iter__(self) -> Iterator[Record]:
        before = here.record
        for record in super().__iter__():
            here.note(_id(record))
            yield record
        here.note(before)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Batch: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Record | Batch:
        found = super().__getitem__(index)
        if isinstance(found, list):
            return Batch(quietly(found))
        here.note(_id(found))
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(quietly(self)),)


def _id(record: Any) -> str:
    return record.id if isinstance(record, Record) else ""  # a script may have put anything in


def quietly(records: Iterable[Record]) -> Iterator[Record]:
    """Go over the records without being at any of them."""
    return list.__iter__(records) if isinstance(records, list) else iter(records)


def current_record(frame: FrameType | None = None) -> str:
    """The id of the record the script is at: what the running function was handed, or where its loop is."""
    frame = frame or frames.script_frame()
    if frame is not None:
        names = _arguments(frame.f_code)
        handed = [value for name in names if isinstance(value := frame.f_locals.get(name), Record)]
        if len(handed) == 1:
            return handed[0].id
    return here.record


def record_of(error: BaseException) -> str:
    """The id of the record at which ``error`` was raised, or ``""``."""
    step, found = error.__traceback__, None
    while step is not None:
        if frames.is_script(step.tb_frame.f_code.co_filename):
            found = step.tb_frame
        step = step.tb_next
    return current_record(found) if found is not None else here.record


def _arguments(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
