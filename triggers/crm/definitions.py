"""Field definitions: the fields of a CRM's contacts and opportunities, asked of its API, read strictly."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tenants.choices import CRM
from tenants.errors import CodedError
from triggers.crm import gohighlevel_fields, hubspot_fields
from triggers.schemas.naming import snake

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tenants.models import Connection
    from triggers.crm.reader import Asks

MOST = 2_000  # definitions kept of one connection
MOST_OPTIONS = 20
_OBJECTS = {"contact": "Contact", "opportunity": "Opportunity"}
_HUBSPOT = {"contacts": "Contact", "deals": "Opportunity"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,120}")


class NoDefinitions(CodedError):
    """The CRM does not tell its fields, or did not answer with them."""

    code = "triggers.no-definitions"
    status = 502


@dataclass(frozen=True, slots=True)
class Definition:
    """One field. ``key`` is what scripts call it; ``id`` what the CRM sends and takes."""

    object: str
    id: str
    key: str
    label: str
    type: str
    options: tuple[str, ...] = ()
    is_custom: bool = True

    @property
    def place(self) -> str:
        """Where a record has it."""
        return f"custom_fields.{self.key}" if self.is_custom else self.key

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "options": list(self.options)}


def of_document(kept: Any) -> list[Definition]:
    """What ``Definition.document`` gave."""
    return [Definition(**{**each, "options": tuple(each.get("options") or ())}) for each in kept or ()]


def ask(client: Asks, connection: Connection, *, is_counted: bool = True) -> list[Definition]:
    """The definitions as the CRM has them now; ``is_counted`` is the client's.

    Raises ``NoDefinitions``, and what the client raises.
    """
    if connection.crm == CRM.GOHIGHLEVEL:
        path = f"/locations/{quote(connection.account_id, safe='')}/customFields"
        document = _asked(client, path, params={"model": "all"}, is_counted=is_counted)
        return [*_standard(), *gohighlevel(document)]
    if connection.crm == CRM.HUBSPOT:
        found: list[Definition] = []
        for plural, name in _HUBSPOT.items():
            found += hubspot(_asked(client, f"/crm/v3/properties/{plural}", is_counted=is_counted), name)
        return found[:MOST]
    raise NoDefinitions("This kind of connection does not tell its fields.")


def can_tell(crm: str) -> bool:
    """Whether a CRM of this kind tells its fields."""
    return crm in {CRM.GOHIGHLEVEL, CRM.HUBSPOT}


def gohighlevel(document: Any) -> list[Definition]:
    """``{"customFields": [{id, name, fieldKey, dataType, model, picklistOptions}]}``."""
    keys: dict[str, set[str]] = {}
    found = []
    for item in _items(document, "customFields"):
        field_id, label = item.get("id"), _text(item.get("name"))
        if not isinstance(field_id, str) or not _ID.fullmatch(field_id):
            continue
        name = _OBJECTS.get(str(item.get("model") or "contact").lower())
        if name is None:
            continue
        # "contact.site_visits": stays as it is when somebody renames the field.
        written = _text(item.get("fieldKey")).rpartition(".")[2] or label
        key = _free(snake(written)[:100] or field_id, keys.setdefault(name, set()))
        options = item.get("picklistOptions") or item.get("options")
        found.append(
            Definition(
                object=name,
                id=field_id,
                key=key,
                label=label or key,
                type=_text(item.get("dataType")).lower()[:40],
                options=_options(options),
            )
        )
    return found[:MOST]


def hubspot(document: Any, name: str) -> list[Definition]:
    """``{"results": [{name, label, type, options, hidden}]}``."""
    known = hubspot_fields.NAMES[name]
    found = []
    for item in _items(document, "results"):
        prop = item.get("name")
        if not isinstance(prop, str) or not _ID.fullmatch(prop) or item.get("hidden") or item.get("archived"):
            continue
        found.append(
            Definition(
                object=name,
                id=prop,
                key=known.get(prop, prop),
                label=_text(item.get("label")) or prop,
                type=_text(item.get("type")).lower()[:40],
                options=_options(item.get("options")),
                is_custom=prop not in known,
            )
        )
    return found


def _standard() -> list[Definition]:
    """HighLevel's own fields of a contact, which it does not list."""
    names = gohighlevel_fields.NAMES["Contact"]
    return [
        Definition("Contact", theirs, ours, ours.replace("_", " ").capitalize(), "standard", is_custom=False)
        for theirs, ours in names.items()
    ]


def _asked(client: Asks, path: str, *, params: Mapping[str, Any] | None = None, is_counted: bool) -> Any:
    answer = client.request("GET", path, params=params, is_counted=is_counted)
    if answer.status in {401, 403}:
        raise NoDefinitions("The CRM refuses to tell its fields: the token may not read them.")
    if answer.status != 200:
        raise NoDefinitions(f"The CRM answered {answer.status} when asked for its fields.")
    return answer.document


def _items(document: Any, name: str) -> Iterable[dict[str, Any]]:
    items = document.get(name) if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise NoDefinitions("The CRM answered something other than its fields.")
    return [item for item in items if isinstance(item, dict)]


def _free(key: str, taken: set[str]) -> str:
    number, free = 2, key
    while free in taken:
        free, number = f"{key}_{number}", number + 1
    taken.add(free)
    return free


def _text(value: Any) -> str:
    return value.replace("\x00", "").strip()[:200] if isinstance(value, str) else ""


def _options(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    texts = [
        _text(item.get("label") or item.get("name") if isinstance(item, dict) else item) for item in items
    ]
    return tuple(text[:80] for text in texts if text)[:MOST_OPTIONS]
