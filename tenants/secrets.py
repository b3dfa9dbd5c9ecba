"""Sealing: AES-256-GCM for what must not lie readable in the database, and blind hashes to search by."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from functools import cache

import phonenumbers
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from circuitos.env import BadEnvironment, env
from tenants.errors import CodedError

VERSION = 1
_NONCE = 12
_MAX_CIPHERS = 10_000
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class Undecryptable(CodedError):
    """Sealed bytes that no key of the ring opens: a key was removed, or the bytes belong elsewhere."""

    code = "tenants.undecryptable"
    status = 500


class KeyRing:
    """Master keys by id; the first seals, all unseal.

    Each kind and tenant gets a key derived from the master, so that random nonces never
    run short under one key, and one tenant's key opens nothing of another's.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        """``keys`` are ``id:base64`` of 32 bytes each. Raises ``BadEnvironment``."""
        self._masters = dict(_parse(key) for key in keys)
        if not self._masters:
            raise BadEnvironment("FIELD_ENCRYPTION_KEYS is empty; write id:base64 of 32 random bytes.")
        self._current = next(iter(self._masters))
        self._header = bytes([VERSION, len(self._current)]) + self._current
        self._ciphers: dict[tuple[bytes, tuple[str, str]], AESGCM] = {}

    def seal(self, plain: bytes, *, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        cipher = self._cipher(self._current, context)
        return self._header + nonce + cipher.encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes | memoryview, *, context: str) -> bytes:
        sealed = bytes(sealed)
        if len(sealed) < 2 or sealed[0] != VERSION:
            raise Undecryptable("These are not sealed bytes.")
        start = 2 + sealed[1]
        key_id = sealed[2:start]
        if key_id not in self._masters:
            raise Undecryptable(f"No key {key_id.decode(errors='replace')!r} in FIELD_ENCRYPTION_KEYS.")
        body = start + _NONCE
        try:
            return self._cipher(key_id, context).decrypt(sealed[start:body], sealed[body:], context.encode())
        except (InvalidTag, ValueError):
            raise Undecryptable("The sealed bytes were changed, or belong elsewhere.") from None

    def _cipher(self, key_id: bytes, context: str) -> AESGCM:
        # "event:17:0197…" is sealed under the key of "event:17".
        kind, _, rest = context.partition(":")
        scope = (kind, rest.partition(":")[0])
        cipher = self._ciphers.get((key_id, scope))
        if cipher is None:
            if len(self._ciphers) >= _MAX_CIPHERS:
                self._ciphers.clear()
            cipher = AESGCM(
                hmac.digest(self._masters[key_id], f"seal:{scope[0]}:{scope[1]}".encode(), "sha256")
            )
            self._ciphers[key_id, scope] = cipher
        return cipher


@cache
def ring() -> KeyRing:
    """The process's key ring."""
    return KeyRing(env().field_encryption_keys)


def seal(plain: bytes, *, context: str) -> bytes:
    """Encrypt under the current key; only the same ``context`` (``kind:tenant_id:…``) opens it again."""
    return ring().seal(plain, context=context)


def unseal(sealed: bytes | memoryview, *, context: str) -> bytes:
    """Open what ``seal`` made, under whichever key of the ring. Raises ``Undecryptable``."""
    return ring().unseal(sealed, context=context)


def blind(term: str) -> str:
    """A keyed hash of an e-mail address or phone number: finds equal ones, tells nothing else."""
    return hmac.digest(_blind_key(), normal_form(term).encode(), "sha256").hex()[:32]


def normal_form(term: str) -> str:
    """An e-mail address in lower case, a phone number as E.164 (US without a country), else lower case."""
    term = term.strip()
    if "@" in term or _E164.fullmatch(term):
        return term.lower()
    if sum(character.isdigit() for character in term) >= 7 and not any(map(str.isalpha, term)):
        try:
            number = phonenumbers.parse(term, "US")
        except phonenumbers.NumberParseException:
            return term.lower()
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return term.lower()


@cache
def _blind_key() -> bytes:
    return hashlib.sha256(b"circuitos search index:" + settings.SECRET_KEY.encode()).digest()


def _parse(key: str) -> tuple[bytes, bytes]:
    key_id, _, encoded = key.partition(":")
    try:
        master = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        master = b""
    if not key_id or len(key_id) > 40 or len(master) != 32:
        raise BadEnvironment(f"FIELD_ENCRYPTION_KEYS: {key_id or '?'} must be id:base64 of 32 random bytes.")
    return key_id.encode(), master
