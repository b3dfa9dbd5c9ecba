"""Activity: what a lead did, worked out from the records about it, each fact with the record it comes from.

An enrichment that asks nobody outside: one query of the mirror for a whole batch. The names of the facts are
those of the scoring's readings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tenants.records import activity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SOURCE = "activity"
# The facts there can be, by the object of the mirror that they come from.
FROM_OBJECT: dict[str, tuple[str, ...]] = {
    "Appointment": ("appointment", "hours_since_activity", "actions_7d", "actions_30d"),
    "Message": (
        "called",
        "reply_minutes",
        "proactive_contact",
        "hours_since_activity",
        "actions_7d",
        "actions_30d",
    ),
    "LCEmailStats": ("email_opens", "email_clicks", "hours_since_activity", "actions_7d", "actions_30d"),
}
AHEAD = timedelta(hours=1)  # clocks differ; what is dated later is no deed
_EPOCH_S = re.compile(r"\d{9,10}(?:\.\d+)?")
_EPOCH_MS = re.compile(r"\d{12,13}")
_NOT_HELD = frozenset({"cancelled", "canceled", "noshow", "no-show", "no_show", "invalid", "deleted"})
_CALLS = frozenset({"call", "type_call", "phone", "voicemail"})
_OPENED, _CLICKED = frozenset({"opened", "open"}), frozenset({"clicked", "click"})


class _Deed(NamedTuple):
    at: datetime
    source: str


def facts(
    cursor: Any, *, schema: str, records: Iterable[Mapping[str, Any]], at: datetime
) -> dict[str, dict[str, Any]]:
    """Facts by record id: ``{"called": {"value": True, "source": "Message m1"}, …}``. One query."""
    emails: dict[str, str] = {}
    for record in records:
        email = record.get("email")
        emails[str(record["id"])] = email.strip().lower() if isinstance(email, str) else ""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in activity.about(cursor, schema=schema, subjects=[*emails, *emails.values()]):
        rows[row["subject"]].append(row)
    return {
        record_id: work_out([*rows.get(record_id, ()), *(rows.get(email, ()) if email else ())], at=at)
        for record_id, email in emails.items()
    }


def work_out(rows: Sequence[Mapping[str, Any]], *, at: datetime) -> dict[str, Any]:
    """The facts that these records of one lead tell, as of ``at``."""
    dated = [(moment, row) for row in rows if (moment := _moment(row)) is not None and moment <= at + AHEAD]
    dated.sort(key=lambda pair: (pair[0], pair[1]["id"]))
    deeds = _Deeds()
    for moment, row in dated:
        _READ[row["object"]](deeds, _Deed(moment, f"{row['object']} {row['id']}"), row)
    # Of a contact with so many records the first message may not be among the newest.
    if len(rows) >= activity.MOST:
        deeds.found.pop("proactive_contact", None)
    return deeds.told(at)


@dataclass
class _Deeds:
    """What a lead did, read record by record from the oldest on."""

    found: dict[str, Any] = field(default_factory=dict)
    all: list[_Deed] = field(default_factory=list)
    opens: list[_Deed] = field(default_factory=list)
    clicks: list[_Deed] = field(default_factory=list)
    asked: datetime | None = None  # when we wrote, and have no answer yet
    quickest: tuple[float, str] | None = None  # minutes, and the message that answered
    has_messages: bool = False

    def appointment(self, deed: _Deed, row: Mapping[str, Any]) -> None:
        if _word(row["status"]) not in _NOT_HELD:
            self.found["appointment"] = _fact(True, deed.source)  # noqa: FBT003
            self.all.append(deed)

    def mail(self, deed: _Deed, row: Mapping[str, Any]) -> None:
        event = _word(row["mail_event"])
        kept = self.opens if event in _OPENED else self.clicks if event in _CLICKED else None
        if kept is not None:
            kept.append(deed)
            self.all.append(deed)

    def message(self, deed: _Deed, row: Mapping[str, Any]) -> None:
        is_first, self.has_messages = not self.has_messages, True
        if _word(row["direction"]) != "inbound":
            self.asked = self.asked or deed.at
            return
        self.all.append(deed)
        if _word(row["message_type"]) in _CALLS:
            self.found["called"] = _fact(True, deed.source)  # noqa: FBT003
        if is_first:
            self.found["proactive_contact"] = _fact(True, deed.source)  # noqa: FBT003
        if self.asked is not None:
            answer = ((deed.at - self.asked).total_seconds() / 60, deed.source)
            self.quickest, self.asked = min(self.quickest or answer, answer), None

    def told(self, at: datetime) -> dict[str, Any]:
        if self.quickest is not None:
            self.found["reply_minutes"] = _fact(round(self.quickest[0], 1), self.quickest[1])
        lately = {
            days: [deed for deed in self.all if deed.at > at - timedelta(days=days)] for days in (7, 30)
        }
        counts = {"email_opens": self.opens, "email_clicks": self.clicks}
        counts |= {"actions_7d": lately[7], "actions_30d": lately[30]}
        self.found |= {name: _counted(deeds) for name, deeds in counts.items() if deeds}
        if self.all:
            newest = self.all[-1]
            self.found["hours_since_activity"] = _fact(newest.at.isoformat(), newest.source)
        return self.found


_READ: dict[str, Callable[[_Deeds, _Deed, Mapping[str, Any]], None]] = {
    "Appointment": _Deeds.appointment,
    "Message": _Deeds.message,
    "LCEmailStats": _Deeds.mail,
}


def _word(text: Any) -> str:
    return str(text or "").strip().lower()


def _fact(value: Any, source: str) -> dict[str, Any]:
    return {"value": value, "source": source}


def _counted(deeds: Sequence[_Deed]) -> dict[str, Any]:
    newest, more = deeds[-1].source, len(deeds) - 1
    return _fact(len(deeds), f"{newest} and {more} more" if more else newest)


def _moment(row: Mapping[str, Any]) -> datetime | None:
    """When it happened, by the CRM; else when we heard of it."""
    for text in (row["mail_at"], row["created_at"]):
        if not text:
            continue
        try:
            if _EPOCH_S.fullmatch(text):
                return datetime.fromtimestamp(float(text), tz=UTC)
            if _EPOCH_MS.fullmatch(text):
                return datetime.fromtimestamp(int(text) / 1000, tz=UTC)
            found = datetime.fromisoformat(text)
        except (ValueError, OverflowError, OSError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    stored: datetime | None = row["stored_at"]
    return stored
