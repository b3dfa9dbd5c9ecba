"""Finding executions by what a person has at hand: an id, an e-mail address, a phone number, an error.

Addresses and numbers are not stored in clear beside an execution, only as keyed hashes: a search
hashes what was typed and compares. Each way has an index that serves it (``triggers.models.Execution``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import phonenumbers
from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, Q, TextField, Value
from django.db.models.functions import Cast, Right
from django.db.models.lookups import Exact

from tenants.secrets import blind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_COUNTRY = "US"
MOST_TERMS = 1000  # of one execution: 200 records with a few addresses each
LONGEST_QUERY = 200
SHOWN_OF_ID = 12  # characters of an execution's id that lists show, and that find it
MOST_WORDS = 12
_TAIL = re.compile(rf"[0-9a-f]{{{SHOWN_OF_ID}}}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
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


class ErrorText(Func):
    """The words of an execution's error: its code, type and detail; punctuation parts words."""

    template = "to_tsvector('simple'::regconfig, regexp_replace(%(expressions)s, '[^[:alnum:]]+', ' ', 'g'))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()

    def __init__(self, *columns: Any, **extra: Any) -> None:
        super().__init__(*(columns or ("error_code", "error_type", "error_detail")), **extra)


class _Says(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @@ "
    output_field = BooleanField()


class _Words(Func):
    template = "to_tsquery('simple'::regconfig, %(expressions)s)"
    output_field = TextField()


def says(text: str) -> Q:
    """The condition that an execution's error says all these words, the last one perhaps in part."""
    words = _WORD.findall(text[:LONGEST_QUERY].replace("\x00", ""))[:MOST_WORDS]
    if not words:
        return Q(pk__in=[])
    asked = " & ".join([f"'{word}'" for word in words]) + ":*"
    return ~Q(error_code="") & Q(_Says(ErrorText(), _Words(Value(asked))))


def tail_of(column: str = "code") -> Right:
    """The end of an execution's id, as lists show it."""
    return Right(Cast(column, TextField()), SHOWN_OF_ID)


def is_tail(text: str) -> bool:
    """Whether it may be the end of an id."""
    return bool(_TAIL.fullmatch(text))


def find(query: str, *, country: str = DEFAULT_COUNTRY) -> Q:
    """The condition on executions for what was typed: an execution's or record's id, an e-mail, a phone."""
    text = query.strip()[:LONGEST_QUERY].replace("\x00", "")
    if not text:
        return Q()
    wanted = Q(record_ids__contains=[text])
    code = as_uuid(text)
    if code:
        wanted |= Q(code=code)
    if is_tail(text):
        wanted |= Q(Exact(tail_of(), text.lower()))
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
