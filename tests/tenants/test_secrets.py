"""Sealed bytes open only where they belong; blind hashes find equals."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitos.env import BadEnvironment
from tenants.secrets import KeyRing, Undecryptable, blind, seal, unseal


def key(name: str, letter: str) -> str:
    return f"{name}:{base64.b64encode(letter.encode() * 32).decode()}"


class TestSeal:
    @given(st.binary(max_size=2000))
    def test_opens_to_what_was_sealed(self, plain):
        assert unseal(seal(plain, context="event:1:x"), context="event:1:x") == plain

    def test_opens_from_a_memoryview(self):
        assert unseal(memoryview(seal(b"a", context="event:1:x")), context="event:1:x") == b"a"

    def test_is_different_each_time_and_hides_the_text(self):
        first, second = (seal(b"secret text", context="event:1:x") for _ in range(2))

        assert first != second
        assert b"secret" not in first

    @pytest.mark.parametrize("context", ["event:2:x", "event:1:y", "before:1:x", "", "event:1"])
    def test_opens_in_its_own_context_only(self, context):
        sealed = seal(b"a", context="event:1:x")

        with pytest.raises(Undecryptable):
            unseal(sealed, context=context)

    @pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01\x03dev", b"\x02\x03dev" + bytes(40), b"garbage"])
    def test_garbage_is_undecryptable(self, sealed):
        with pytest.raises(Undecryptable):
            unseal(sealed, context="event:1:x")

    def test_every_changed_byte_is_noticed(self):
        sealed = seal(b"amount: 5", context="event:1:x")

        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with pytest.raises(Undecryptable):
                unseal(bytes(changed), context="event:1:x")


class TestKeyRing:
    def test_a_new_key_seals_and_the_old_one_still_opens(self):
        old = KeyRing((key("a", "1"),))
        both = KeyRing((key("b", "2"), key("a", "1")))
        sealed = old.seal(b"x", context="c:1:x")

        assert both.unseal(sealed, context="c:1:x") == b"x"
        with pytest.raises(Undecryptable, match="No key 'b'"):
            old.unseal(both.seal(b"x", context="c:1:x"), context="c:1:x")

    @pytest.mark.parametrize("keys", [(), ("a",), ("a:short",), (":" + "A" * 44,), ("a:AAAA",)])
    def test_refuses_a_key_that_is_none(self, keys):
        with pytest.raises(BadEnvironment, match="FIELD_ENCRYPTION_KEYS"):
            KeyRing(keys)


class TestBlind:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Ada@Example.test", " ada@example.TEST "),
            ("+1 (303) 555-0100", "+13035550100"),
            ("303-555-0100", "+13035550100"),
        ],
    )
    def test_equal_addresses_and_numbers_have_equal_hashes(self, one, other):
        assert blind(one) == blind(other)
        assert len(blind(one)) == 32

    def test_others_differ(self):
        assert blind("ada@example.test") != blind("bob@example.test")
        assert blind("+13035550100") != blind("+13035550101")
