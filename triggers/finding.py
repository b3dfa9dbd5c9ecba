"""What the console's search finds: executions by whatever a person has at hand, and what else has a name.

An index serves each way. Of deliveries it knows the CRM's own id, as long as it is kept to tell a
redelivery (``triggers_dedup``: seven days); a HubSpot delivery has none of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Lower

from logs import search
from tenants.models import Connection, Tenant
from triggers import history
from triggers.crm import adapter
from triggers.models import Dedup, Event, Execution
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

MOST_SAYING = 1_000  # newest executions whose error says the words
MOST_EVENTS = 50  # of one delivery
MOST_NAMED = 5
LEAST_LETTERS = 2
_ID = re.compile(r"\S{6,200}")


def condition(text: str, *, country: str = search.DEFAULT_COUNTRY) -> Q:
    """The executions in scope that the text finds; "" finds all.

    By execution id (whole, or its end as lists show it), record id, e-mail, phone, event id, the CRM's
    delivery id, and by the words of the error.
    """
    text = text.strip()[: search.LONGEST_QUERY].replace("\x00", "")
    if not text:
        return Q()
    ways = [Execution.objects.filter(search.find(text, country=country))]
    if _ID.fullmatch(text) and (events := _events(text)):
        records = sorted({record_id for _, record_id in events})
        ways.append(
            Execution.objects.filter(record_ids__overlap=records, event_ids__overlap=[pk for pk, _ in events])
        )
    if not (search.is_tail(text) or search.as_uuid(text) or search.hashes(text, country=country)):
        ways.append(Execution.objects.filter(search.says(text)).order_by("-pk")[:MOST_SAYING])
    return history.is_any_of(*(way.values("pk") for way in ways))


def _events(text: str) -> list[tuple[int, str]]:
    """The events with this public id, or of the delivery with this id: their key and record."""
    code = search.as_uuid(text)
    codes = [code] if code else []
    # The key alone is no index's first column; with every connection named before it, it is found at once.
    delivery = history.any_of(Connection.objects.values("pk"), "connection_id")
    codes += Dedup.objects.filter(delivery, key=adapter.key_of(text)).values_list("event_code", flat=True)[
        :MOST_EVENTS
    ]
    if not codes:
        return []
    live = history.any_of(Tenant.objects.values("pk"), "tenant_id")
    return list(Event.objects.filter(live, code__in=codes).values_list("pk", "record_id")[:MOST_EVENTS])


def tenants(text: str) -> QuerySet[Tenant]:
    """The tenants whose slug or name begins with the text."""
    wanted = text.strip().lower()
    found: QuerySet[Tenant] = Tenant.objects.annotate(called=Lower("name"))
    return found.filter(Q(slug__startswith=wanted) | Q(called__startswith=wanted)).order_by("slug")[
        :MOST_NAMED
    ]


def triggers(text: str) -> Sequence[Any]:
    """The registered triggers whose name holds the text."""
    wanted = text.strip().lower()
    return [spec for spec in registry().triggers if wanted in spec.name.lower()][:MOST_NAMED]
