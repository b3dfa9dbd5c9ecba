"""Masking: what a trace, a log line, an export or a prompt may show of people and of secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"
MAX_DEPTH = 24
LARGEST_INTEGER = 2**63 - 1  # what every JSON reader of a trace can hold

# Possessive quantifiers and the look-behind keep each pattern linear on hostile text.
_EMAIL = re.compile(r"(?<![\w.%+'-])([\w.%+'-])[\w.%+'-]*+@([\w-])[\w-]*+((?:\.[\w-]++)*+)")
_NUMBER = re.compile(
    r"(?<![\w.+-])(?:"
    r"(?P<card>[3-6](?:[ -]?\d){12,18})"
    r"|(?P<phone>\+\d[\d ().-]{6,18}\d"
    r"|\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}"
    r"|1?[2-9]\d{2}[2-9]\d{6})"
    r")(?![\w-])"
)
_HAS_NUMBER = re.compile(r"\d[\d ().-]{5}")
_HAS_TOKEN = re.compile(r"[\w~+/=-]{12}|PRIVATE KEY|[=:]")
_CERTAIN = (
    r"(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:(?!-----END).)*+(?:-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|\b(?P<head>sk[-_]|rk_|whsec_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|pit-|pat-|cos_|AIza|SG\.)"
    r"[\w.+/=-]{12,}"
    r"|\b(?P<aws>AKIA)[0-9A-Z]{12,}"
    r"|\b(?P<jwt>eyJ)[\w-]{6,}\.[\w-]{6,}\.[\w-]*"
)
_CERTAIN_SECRET = re.compile(_CERTAIN, re.DOTALL | re.IGNORECASE)
_SECRET = re.compile(
    _CERTAIN + r"|\b(?P<scheme>(?:[Bb]earer|[Bb]asic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<pair>(?:(?:api[_-]?key|secret|password|passwd|token|signature)[\"']?\s{0,2}[=:]|\b(?:key|sig)=)"
    r"\s{0,2}[\"']?)[^\s&\"',;{}]{4,}",
    re.DOTALL | re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"(?:[A-Za-z]{1,12} )?\{\{ ?secret:[A-Za-z0-9_.-]{1,80} ?\}\}")
_SECRET_KEY = re.compile(
    r"(?:password|passwd|secret|token|api_?key|access_?key|private_?key|authorization|cookie|signature)$"
)
_PHONE_KEY = re.compile(r"phone|mobile|whatsapp|^(?:tel|cell|fax)$")
_ID_KEY = re.compile(r"(?:^|_)ids?$|[a-z]Ids?$|_at$")


def mask(value: Any, *, longest: int | None = None) -> Any:
    """A copy of ``value`` that is plain JSON and shows no e-mail, phone, card or secret.

    Strings over ``longest`` characters lose their middle, after masking, and say so. Sets and
    tuples become lists, what JSON cannot hold becomes its ``str``; NUL and lone surrogates,
    which jsonb refuses, are replaced.
    """
    return _mask(value, "", 0, longest)


def mask_text(text: str) -> str:
    """``text`` with every e-mail, phone, card and secret in it hidden."""
    return _text(text, "", None)


def hide_secrets(text: str, *, also: Iterable[str] = ()) -> tuple[str, int]:
    """``text`` without what is certainly a secret, and how many there were; people's data stay.

    For what goes to a model and comes from it, where "password: …" or "signature: …" may be plain words.
    ``also`` are secrets known by their value.
    """
    hidden = 0
    for value in also:
        if value and value in text:
            hidden += text.count(value)
            text = text.replace(value, HIDDEN)

    def hide(found: re.Match[str]) -> str:
        nonlocal hidden
        if found["head"] and not any(letter.isdigit() for letter in found[0]):
            return found[0]  # as in "pit-stop strategies"
        hidden += 1
        return f"{found['pem'] or found['head'] or found['aws'] or found['jwt']}{HIDDEN}"

    if len(text) > 7 and _HAS_TOKEN.search(text):
        text = _CERTAIN_SECRET.sub(hide, text)
    return text, hidden


def _mask(value: Any, key: str, depth: int, longest: int | None) -> Any:
    if isinstance(value, str):
        return _text(value, key, longest)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_INTEGER else _text(str(value)[:200], key, longest)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # NaN and the infinities are no JSON
    if depth >= MAX_DEPTH:
        return "… (too deep to show)"
    if isinstance(value, Mapping):
        out = {}
        for name, item in value.items():
            label = name if isinstance(name, str) else str(name)
            out[_clean(label)] = _mask(item, label, depth + 1, longest)
        return out
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask(item, key, depth + 1, longest) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, datetime | date):
        return value.isoformat()
    try:
        return _text(str(value), key, longest)
    except Exception:  # a script's object may raise anything from its __str__
        return f"({type(value).__name__})"


def _text(text: str, key: str, longest: int | None) -> str:
    kind = _kind(key) if key else ""
    if kind == "secret" and text:
        # A placeholder names a secret and holds none.
        return text if _PLACEHOLDER.fullmatch(text) else HIDDEN
    if kind == "phone" and len(text) > 4:
        return HIDDEN + text[-2:]
    if len(text) > 5:
        if "@" in text:
            text = _EMAIL.sub(_hide_email, text)
        if kind != "id" and _HAS_NUMBER.search(text):
            text = _NUMBER.sub(_hide_number, text)
        if len(text) > 7 and _HAS_TOKEN.search(text):
            text = _SECRET.sub(_hide_secret, text)
    text = _clean(text)
    if longest is not None and len(text) > longest:
        return cut_text(text, longest)
    return text


def cut_text(text: str, longest: int) -> str:
    """The head and the tail of ``text``, and between them how much was left out."""
    if len(text) <= longest:
        return text
    head = longest * 3 // 4
    tail = longest - head
    return f"{text[:head]} … [{len(text) - head - tail} characters cut] … {text[-tail:] if tail else ''}"


def _clean(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text


@lru_cache(maxsize=4096)
def _kind(key: str) -> str:
    if _ID_KEY.search(key):
        return "id"
    lowered = key.lower().replace("-", "_")
    if _SECRET_KEY.search(lowered):
        return "secret"
    if _PHONE_KEY.search(lowered):
        return "phone"
    return ""


def _hide_email(found: re.Match[str]) -> str:
    rest = found[3]
    if not rest:
        return found[0]
    return f"{found[1]}{HIDDEN}@{found[2]}{HIDDEN}{rest[rest.rindex('.') :]}"


def _hide_number(found: re.Match[str]) -> str:
    digits = [int(character) for character in found[0] if character.isdigit()]
    tail = "".join(str(digit) for digit in digits[-4:])
    if found["card"]:
        return f"{HIDDEN}{tail}" if _is_luhn(digits) else found[0]
    return f"{HIDDEN}{tail[-2:]}"


def _hide_secret(found: re.Match[str]) -> str:
    start = found["pem"] or found["head"] or found["aws"] or found["jwt"] or found["scheme"] or found["pair"]
    return f"{start}{HIDDEN}"


def _is_luhn(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
