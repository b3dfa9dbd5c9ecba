"""One contact of a tenant: found by id, e-mail address or phone number, with all that is about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection
from django.db.models import Q
from psycopg2 import sql

from governor.judgment.masking import mask
from logs import search
from tenants.errors import CodedError
from tenants.records.jsonb import load
from tenants.secrets import blind, unseal
from triggers.models import Approval, Event, Execution, OutboxWrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from tenants.models import Tenant

CONTACT = "Contact"
MOST_RECORDS = 5_000  # of one contact; more is no contact
MOST_EVENTS = 500  # newest, read for what named the contact before
MOST_EXECUTIONS = 50  # looked through for a contact that the mirror does not hold
LONGEST = 200
_NAMES = frozenset({"firstname", "lastname", "name", "fullname"})
_WITHIN = ("data", "contact", "properties")  # where CRMs put the fields, if not on top
_COLUMNS = "id, object, external_id, source, data::text, deleted_at, created_at, updated_at"
_BY_NAME = """
SELECT {columns} FROM {schema}.records_record
WHERE object = 'Contact' AND (external_id = %(text)s OR lower(data->>'email') = lower(%(text)s)
    OR (%(digits)s <> '' AND regexp_replace(data->>'phone', '\\D', '', 'g') LIKE '%%' || %(digits)s))
ORDER BY id LIMIT %(most)s
"""
_ABOUT = """
SELECT {columns} FROM {schema}.records_record
WHERE data->>'contact_id' = ANY(%(ids)s) AND NOT (object = 'Contact' AND external_id = ANY(%(ids)s))
ORDER BY id LIMIT %(most)s
"""


class NoSubject(CodedError):
    """Nothing is held under this id, address or number."""

    code = "triggers.no-subject"
    status = 404


class BadIdentifier(CodedError):
    """What was typed cannot name a contact."""

    code = "triggers.bad-identifier"


@dataclass(frozen=True)
class Held:
    """A record of the mirror."""

    pk: int
    object: str
    id: str
    source: str
    data: dict[str, Any]
    deleted_at: Any
    created_at: Any
    updated_at: Any


@dataclass
class Subject:
    """What is held on a contact. Its tenant must be in scope wherever rows are asked for."""

    tenant: Tenant
    typed: str
    records: list[Held]
    ids: set[str] = field(default_factory=set)  # of the contact itself
    keys: set[tuple[str, str]] = field(default_factory=set)  # object and id of each record about it
    addresses: set[str] = field(default_factory=set)  # e-mail addresses and phone numbers, also former ones
    names: set[str] = field(default_factory=set)

    @property
    def country(self) -> str:
        wanted = self.tenant.settings.get("country")
        return wanted if isinstance(wanted, str) and len(wanted) == 2 else search.DEFAULT_COUNTRY

    @property
    def terms(self) -> list[str]:
        """The search terms that find it."""
        return sorted({term for text in self.addresses for term in search.hashes(text, country=self.country)})

    @property
    def words(self) -> set[str]:
        """What names it in a text: addresses and numbers, as they are and as they are masked, and names."""
        return {*self.addresses, *(str(mask(address)) for address in self.addresses), *self.names}

    @property
    def digests(self) -> list[str]:
        return sorted({blind(text) for text in (*self.ids, *self.addresses, self.typed)})

    def events(self) -> QuerySet[Event]:
        """The events of its records, live and past."""
        found: QuerySet[Event] = Event.objects.filter(self._of_records("record_id__in"), tenant=self.tenant)
        return found

    def executions(self) -> QuerySet[Execution]:
        """The executions that had one of its records in their batch, or that the typed address finds.

        Not those that its other addresses find: an office's phone number is many people's.
        """
        typed = search.hashes(self.typed, country=self.country)
        found: QuerySet[Execution] = Execution.objects.filter(
            self._of_records("record_ids__overlap") | (Q(terms__overlap=typed) if typed else Q(pk__in=[])),
            tenant=self.tenant,
        )
        return found

    def outbox(self) -> QuerySet[OutboxWrite]:
        """The changes of its records that were or will be sent to the CRM."""
        found: QuerySet[OutboxWrite] = OutboxWrite.objects.filter(
            self._of_records("record_id__in"), tenant=self.tenant
        )
        return found

    def approvals(self) -> QuerySet[Approval]:
        """What agents wanted to do about its records."""
        ids = sorted({record_id for _, record_id in self.keys})
        found: QuerySet[Approval] = Approval.objects.filter(tenant=self.tenant, record_id__in=ids)
        return found

    def _of_records(self, lookup: str) -> Q:
        wanted = Q(pk__in=[])
        for obj in sorted({obj for obj, _ in self.keys}):
            ids = sorted(record_id for of, record_id in self.keys if of == obj)
            wanted |= Q(object=obj, **{lookup: ids})
        return wanted


def find(tenant: Tenant, text: str) -> Subject:
    """The contact of this id, e-mail address or phone number. Raises ``BadIdentifier`` or ``NoSubject``.

    An id is found also when the mirror has no such contact, by its events. Two contacts with one address
    are one person here: the preview lists both.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or "\x00" in text:
        raise BadIdentifier(
            f"Write an id, an e-mail address or a phone number, at most {LONGEST} characters."
        )
    digits = ""
    if search.hashes(text) and "@" not in text:
        digits = "".join(filter(str.isdigit, text))[-10:]
    found = _read(tenant, _BY_NAME, {"text": text, "digits": digits})
    ids = {held.id for held in found} or _ids_in_events(tenant, text) or {text}
    about = _read(tenant, _ABOUT, {"ids": sorted(ids)})
    subject = Subject(tenant, text, [*found, *about], ids)
    subject.keys = {(CONTACT, each) for each in ids} | {(held.object, held.id) for held in about}
    _learn(subject)
    if not subject.records and not subject.events().exists() and not subject.executions().exists():
        raise NoSubject("Nothing is held under this id, address or number.")
    return subject


def _ids_in_events(tenant: Tenant, text: str) -> set[str]:
    """The contacts whose events name the address: for those that the mirror does not hold any more."""
    found: set[str] = set()
    terms = search.hashes(text)
    if not terms:
        return found
    ran = Execution.objects.filter(tenant=tenant, object=CONTACT, terms__overlap=terms).order_by("-pk")
    event_ids = {pk for ids in ran.values_list("event_ids", flat=True)[:MOST_EXECUTIONS] for pk in ids}
    for event in Event.objects.filter(pk__in=event_ids, tenant=tenant).only(
        "tenant", "code", "body", "record_id"
    ):
        if text.lower() in str(plain_body(event)).lower():
            found.add(event.record_id)
    return found


def plain_body(event: Event) -> Any:
    """The event's body as the CRM sent it, not masked; None when it was erased or its key is gone."""
    try:
        return msgspec.json.decode(unseal(event.body, context=f"event:{event.tenant_id}:{event.code}"))
    except (CodedError, ValueError):
        return None


def before_of(event: Event) -> Any:
    """The mirror's image before the event, not masked; None without one."""
    if not event.before:
        return None
    try:
        return msgspec.msgpack.decode(unseal(event.before, context=f"before:{event.tenant_id}:{event.code}"))
    except (CodedError, ValueError):
        return None


def _read(tenant: Tenant, statement: str, values: dict[str, Any]) -> list[Held]:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(statement).format(
                columns=sql.SQL(_COLUMNS), schema=sql.Identifier(str(tenant.schema_name))
            ),
            {**values, "most": MOST_RECORDS},
        )
        return [
            Held(pk, obj, external_id, source, load(data), *times)
            for pk, obj, external_id, source, data, *times in cursor.fetchall()
        ]


def _learn(subject: Subject) -> None:
    """What names the contact: in its records, and in what its events said before."""
    if search.hashes(subject.typed, country=subject.country):
        subject.addresses.add(subject.typed)
    known: list[Any] = [held.data for held in subject.records if held.object == CONTACT]
    for event in subject.events().filter(object=CONTACT).order_by("-pk")[:MOST_EVENTS]:
        known += [plain_body(event), before_of(event)]
    for document in known:
        for name, value in _fields(document):
            if name in _NAMES:
                subject.names.add(value.strip())
            elif search.hashes(value, country=subject.country):
                subject.addresses.add(value.strip())


def _fields(document: Any) -> Iterator[tuple[str, str]]:
    """The texts of a document, on top and where CRMs put fields, by their plain name."""
    if not isinstance(document, dict):
        return
    for name, value in document.items():
        if isinstance(value, str) and value.strip():
            yield name.lower().replace("_", ""), value
        elif name in _WITHIN:
            yield from _fields(value)
