"""Made-up people for real ones, the same one for the same person wherever it is named.

So a test made from an execution shows nobody and still behaves as it did: an address stays an address of a
free-mail host or of a company, a number keeps its country and area, a birthday its year.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FREE_MAIL = frozenset(
    {"gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "proton.me", "live.com"}
)
_KEPT_HOSTS = re.compile(r"(?:.*\.)?(?:example|test|invalid|localhost)|example\.(?:com|net|org)")
_EMAIL = re.compile(r"[\w.%+'-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63})+)")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d[\d ().-]{6,18}\d|\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4})(?![\w-])"
)
_PHONE_FIELD = re.compile(r"phone|mobile|whatsapp|^(?:tel|cell|fax)$", re.IGNORECASE)
_NAME_FIELD = re.compile(r"^(?:first_?|last_?|full_?|contact_?)?name$", re.IGNORECASE)
_ADDRESS_FIELD = re.compile(r"^address(?:1|2)?$|street", re.IGNORECASE)
_BIRTH_FIELD = re.compile(r"birth", re.IGNORECASE)
_ID_FIELD = re.compile(r"(?:^|_)ids?$|[a-z]Ids?$")
_YEAR = re.compile(r"(?:19|20)\d\d")
LEAST_NAME = 2


class Pseudonyms:
    """Learns whom the records name, then tells everything without them."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._emails: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._phones: dict[str, str] = {}
        self._exact: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for record in records:
            self._learn(record)
        words = sorted(self._names, key=len, reverse=True)
        self._name = (
            re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE) if words else None
        )

    def of(self, value: Any, field: str = "") -> Any:
        """A copy of the value in which nobody is named."""
        if isinstance(value, str):
            return self._text(value, field)
        if isinstance(value, dict):
            return {self._text(str(name), "id"): self.of(item, str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item, field) for item in value]
        if isinstance(value, bytes):
            try:
                return self._text(value.decode(), field).encode()
            except UnicodeDecodeError:
                return value
        return value

    def _learn(self, value: Any, field: str = "") -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                self._learn(item, str(name))
        elif isinstance(value, list | tuple):
            for item in value:
                self._learn(item, field)
        elif isinstance(value, str) and value.strip():
            if _PHONE_FIELD.search(field) and sum(map(str.isdigit, value)) > 6:
                self._exact.setdefault(value, self._phone(value))
            elif _NAME_FIELD.search(field):
                for word in re.findall(r"[^\W\d_]+", value):
                    if len(word) >= LEAST_NAME:
                        self._names.setdefault(word.casefold(), f"Name{len(self._names) + 1}")
            elif _ADDRESS_FIELD.search(field):
                self._exact.setdefault(value, f"{len(self._exact) + 1} Example Street")
            elif _BIRTH_FIELD.search(field) and (year := _YEAR.search(value)):
                self._exact.setdefault(value, f"{year[0]}-01-01")

    def _text(self, text: str, field: str) -> str:
        if text in self._exact:
            return self._exact[text]
        text = _EMAIL.sub(lambda found: self._email(found[0], found[1]), text)
        text = _PHONE.sub(lambda found: self._phone(found[0]), text)
        if self._name is not None and not _ID_FIELD.search(field):
            text = self._name.sub(lambda found: self._names[found[0].casefold()], text)
        return text

    def _email(self, address: str, host: str) -> str:
        key, host = address.casefold(), host.casefold()
        if key not in self._emails:
            if host not in FREE_MAIL and not _KEPT_HOSTS.fullmatch(host):
                host = self._hosts.setdefault(host, f"company{len(self._hosts) + 1}.example")
            self._emails[key] = f"person{len(self._emails) + 1}@{host}"
        return self._emails[key]

    def _phone(self, number: str) -> str:
        """The same number of digits in the same form: country and area stay, the rest is 555-01…"""
        digits = "".join(filter(str.isdigit, number))
        if digits not in self._phones:
            count = len(self._phones)
            end = f"55501{count:02d}" if count < 100 else f"555{count % 10_000:04d}"
            self._phones[digits] = (digits[: max(len(digits) - 7, 0)] + end)[-len(digits) :]
        left = iter(self._phones[digits])
        return "".join(next(left) if letter.isdigit() else letter for letter in number)
