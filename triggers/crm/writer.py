"""What every CRM writer takes and gives: how changes of records become requests of the CRM's API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Key = tuple[str, str]  # object, id


@dataclass
class Write:
    """What one record of the CRM shall become: the newest value of each field of all its waiting rows."""

    object: str
    id: str  # ours; of a record that came from the CRM it is the CRM's
    operation: str  # insert, update, upsert, delete
    fields: dict[str, Any]
    code: str  # names the write in a request whose answer has no order
    about: str = ""  # the object of the record that a task is about
    rows: list[int] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.object, self.id


@dataclass(frozen=True)
class Call:
    """One request: which writes it carries. ``is_repeatable``: sent twice, it does no more than once."""

    path: str
    writes: tuple[Write, ...]
    is_repeatable: bool


@dataclass
class Said:
    """What the CRM said of each write of a request; a write in none of the three is to be sent again."""

    sent: dict[Key, str] = field(default_factory=dict)  # with the CRM's id of a record that it made
    refused: dict[Key, str] = field(default_factory=dict)  # with the reason, a sentence
    # The request was refused whole, and the answer does not say for which of its writes.
    is_unclear: bool = False
    detail: str = ""


class Writer(Protocol):
    """A module of this package. Pure: no network, no database, no clock."""

    OBJECTS: frozenset[str]

    def plan(
        self, writes: Sequence[Write], *, remote: Mapping[Key, str]
    ) -> tuple[list[Call], dict[Key, str]]:
        """The requests in the order to send them, and the writes that cannot be sent, with the reason."""

    def body(
        self, call: Call, *, remote: Mapping[Key, str], names: Mapping[str, str], at: datetime
    ) -> dict[str, Any]:
        """The request's JSON. ``remote``: its ids of records we made; ``names``: its names of fields."""

    def left_out(self, write: Write) -> list[str]:
        """Fields that the CRM lets nobody write: they stay in the mirror."""

    def read(self, call: Call, status: int, body: bytes, *, remote: Mapping[Key, str]) -> Said:
        """What a 2xx or 4xx answer means for each write."""
