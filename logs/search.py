"""Finding executions by what a person has at hand: an id, an e-mail address or a phone number.

Addresses and numbers are not stored in clear beside an execution, only as keyed hashes: a search
hashes what was typed and compares.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import phonenumbers
from django.db.models import Q

from tenants.secrets import blind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_COUNTRY = "US"
MOST_TERMS = 1000  # of one execution: 200 records with a few addresses each
LONGEST_QUERY = 200
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")
_PHONE = re.compile(r"[+(]?\d[\d ().+-]{5,24}\d")
# A North American number in its one spelling: most of what CRMs send, and 50 µs to parse.
_IS_E164 = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}", re.ASCII)
_IS_CONTACT_FIELD = re.compile(r"e-?mail|phone|mobile|whatsapp", re.IGNORECASE)


def terms_of(records: Iterable[Mapping[str, Any]], *, country: str = DEFAULT_COUNTRY) -> list[str]:
    """The search terms of a batch: a hash of each e-mail address and phone number of its records."""
    terms: dict[str, None] = {}
    for record in records:
        for name, value in record.items():
            if value and isinstance(value, str | list) and _is_contact_field(name):
                for item in value if isinstance(value, list) else (value,):
                    if isinstance(item, str):
                        terms.update(dict.fromkeys(hashes(item, country=country)))
        if len(terms) >= MOST_TERMS:
            break
    return list(terms)[:MOST_TERMS]


def hashes(text: str, *, country: str = DEFAULT_COUNTRY) -> list[str]:
    """The hash of an e-mail address or a phone number as it stands in ``Execution.terms``, else nothing."""
    text = text.strip()
    if _EMAIL.fullmatch(text):
        return [blind(text.lower())]
    if _PHONE.fullmatch(text):
        number = e164(text, country)
        return [blind(number)] if number else []
    return []


def find(query: str, *, country: str = DEFAULT_COUNTRY) -> Q:
    """The condition on executions for what was typed: an execution's or record's id, an e-mail, a phone."""
    text = query.strip()[:LONGEST_QUERY].replace("\x00", "")
    if not text:
        return Q()
    wanted = Q(record_ids__contains=[text])
    code = as_uuid(text)
    if code:
        wanted |= Q(code=code)
    terms = hashes(text, country=country)
    if terms:
        wanted |= Q(terms__contains=terms)
    return wanted


def as_uuid(text: str) -> UUID | None:
    """``text`` as a public id, or None."""
    try:
        return UUID(text) if len(text) in {32, 36} else None
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def e164(text: str, country: str) -> str:
    """A phone number in its one international spelling; "" when it cannot be one."""
    if _IS_E164.fullmatch(text):
        return text
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)
def _is_contact_field(name: str) -> bool:
    return bool(_IS_CONTACT_FIELD.search(name))
