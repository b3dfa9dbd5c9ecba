"""What every CRM writer takes and gives: how changes of records become requests of the CRM's API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Key = tuple[str, str]  # object, id


@dataclass
class Hints:
    """What a change means beside its fields, told from the record in our mirror."""

    tags_added: list[str] = field(default_factory=list)
    tags_removed: list[str] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)  # fields as they stand: contact_id, name, status

    def followed_by(self, later: Hints) -> Hints:
        """Both, the later one last: a tag that was added and then removed is removed."""
        added = [tag for tag in self.tags_added if tag not in later.tags_removed]
        removed = [tag for tag in self.tags_removed if tag not in later.tags_added]
        return Hints(
            list(dict.fromkeys([*added, *later.tags_added])),
            list(dict.fromkeys([*removed, *later.tags_removed])),
            {**self.known, **later.known},
        )


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
    # What the mirror knows besides: what became of its tags, and what a CRM wants with every request.
    hints: Hints = field(default_factory=Hints)

    @property
    def key(self) -> Key:
        return self.object, self.id


@dataclass(frozen=True)
class Call:
    """One request: which writes it carries. ``is_repeatable``: sent twice, it does no more than once."""

    path: str
    writes: tuple[Write, ...]
    is_repeatable: bool
    method: str = "POST"
    is_part: bool = False  # refused, it leaves the other requests of its writes to be made


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
        """The requests in the order to send them, and the writes that cannot be sent, with the reason.

        A write may stand in several: it is sent when the last of them was accepted.
        """

    def body(
        self, call: Call, *, remote: Mapping[Key, str], names: Mapping[str, str], account: str, at: datetime
    ) -> dict[str, Any] | None:
        """The request's JSON. ``remote``: its ids of records we made; ``names``: its names of fields.

        ``account`` is the CRM's id of the account.
        """

    def address(self, call: Call, *, remote: Mapping[Key, str]) -> str:
        """The request's path, with the CRM's ids of what it is about."""

    def left_out(self, write: Write) -> list[str]:
        """Fields that the CRM lets nobody write: they stay in the mirror."""

    def read(self, call: Call, status: int, body: bytes, *, remote: Mapping[Key, str]) -> Said:
        """What a 2xx or 4xx answer means for each write."""
