"""The fields a score is written to: which of them a CRM lacks, and making those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from tenants.choices import CRM
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tenants.models import Connection
    from triggers.crm.definitions import Definition
    from triggers.crm.reader import Asks

Kind = Literal["number", "text", "long", "flag"]
# The rows that lead scoring writes, in their order. HubSpot refuses a write that names a field it lacks.
SCORE_FIELDS: dict[str, tuple[str, Kind]] = {
    "lpr_score": ("LPR score", "number"),
    "lpr_grade": ("LPR grade", "text"),
    "lpr_hot": ("LPR hot", "flag"),
    "lpr_priority": ("LPR priority", "text"),
    "lpr_confidence": ("LPR confidence", "text"),
    "lpr_needs_review": ("LPR needs review", "flag"),
    "lpr_next_action": ("LPR next action", "text"),
    "lpr_breakdown": ("LPR breakdown", "long"),
    "lpr_attribution": ("LPR attribution", "long"),
    "lpr_missing": ("LPR missing", "long"),
    "lpr_weights_version": ("LPR weights version", "text"),
    "lpr_scored_at": ("LPR scored at", "text"),
}
_GOHIGHLEVEL: dict[Kind, str] = {"number": "NUMERICAL", "text": "TEXT", "long": "LARGE_TEXT", "flag": "TEXT"}
_HUBSPOT: dict[Kind, tuple[str, str]] = {
    "number": ("number", "number"),
    "text": ("string", "text"),
    "long": ("string", "textarea"),
    "flag": ("enumeration", "booleancheckbox"),
}
_YES_NO = [
    {"label": "Yes", "value": "true", "displayOrder": 0},
    {"label": "No", "value": "false", "displayOrder": 1},
]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one field."""

    name: str
    label: str
    state: Literal["created", "there", "refused", "not tried"]
    reason: str = ""


def missing(definitions: Iterable[Definition]) -> list[str]:
    """Those that contacts of the CRM do not have."""
    has = {each.key for each in definitions if each.object == "Contact"}
    return [name for name in SCORE_FIELDS if name not in has]


def create(client: Asks, connection: Connection, *, there: Collection[str]) -> list[Made]:
    """Make the fields that are not ``there``; one that somebody made meanwhile counts as there.

    When the CRM cannot be reached, the fields left are not tried, and say why.
    """
    made: list[Made] = []
    problem = ""
    for name, (label, kind) in SCORE_FIELDS.items():
        if name in there:
            made.append(Made(name, label, "there"))
        elif problem:
            made.append(Made(name, label, "not tried", problem))
        else:
            try:
                made.append(_create(client, connection, name, label, kind))
            except CodedError as error:
                problem = str(error)
                made.append(Made(name, label, "not tried", problem))
    return made


def _create(client: Asks, connection: Connection, name: str, label: str, kind: Kind) -> Made:
    path, body = _request(connection, name, label, kind)
    answer = client.request("POST", path, json=body)
    if answer.status in {200, 201}:
        return Made(name, label, "created")
    said = _message(answer.document)
    if answer.status == 409 or (answer.status in {400, 422} and "already" in said.lower()):
        return Made(name, label, "there")
    return Made(name, label, "refused", said or f"The CRM answered {answer.status}.")


def _request(connection: Connection, name: str, label: str, kind: Kind) -> tuple[str, dict[str, Any]]:
    if connection.crm == CRM.GOHIGHLEVEL:
        # HighLevel makes the key of the name: "LPR score" is contact.lpr_score.
        body: dict[str, Any] = {"name": label, "dataType": _GOHIGHLEVEL[kind], "model": "contact"}
        return f"/locations/{quote(connection.account_id, safe='')}/customFields", body
    type_, field_type = _HUBSPOT[kind]
    body = {
        "name": name,
        "label": label,
        "type": type_,
        "fieldType": field_type,
        "groupName": "contactinformation",
        "description": "Written by lead scoring.",
    }
    return "/crm/v3/properties/contacts", body | ({"options": _YES_NO} if kind == "flag" else {})


def _message(document: Any) -> str:
    said = document.get("message") if isinstance(document, dict) else ""
    if isinstance(said, list):
        said = "; ".join(str(each) for each in said)
    return str(said or "")[:200]
