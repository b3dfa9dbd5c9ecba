"""Masking: nothing personal and no secret in what is shown, and nothing else changed."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.judgment.masking import cut_text, mask, mask_text

ANYTHING = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class TestText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("mail jane.doe+x@acme.co.uk now", "mail j***@a***.uk now"),
            ("Mail ÅSA@exämple.se", "Mail Å***@e***.se"),
            ("call +1 (972) 555-0134 or 972-555-0134", "call ***34 or ***34"),
            ("9725550134", "***34"),
            ("card 4111 1111 1111 1111", "card ***1111"),
            ("sk-abcdefghijklmnop1234", "sk-***"),
            ("https://api.test/x?get=NAME&key=abcdef1234&for=z", "https://api.test/x?get=NAME&key=***&for=z"),
            ("Authorization: Bearer abcdefghijkl.mnop", "Authorization: Bearer ***"),
            (
                "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----!",
                "-----BEGIN PRIVATE KEY-----***!",
            ),
            ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "eyJ***"),
            ("{'password': 'hunter22'}", "{'password': '***'}"),
        ],
    )
    def test_hides(self, text, shown):
        assert mask_text(text) == shown

    @pytest.mark.parametrize(
        "text",
        [
            "2026-11-22T12:59:33.123456+00:00",
            "0191a3c4-1234-7abc-9def-123456789012",
            "1763816373",
            "1763816373123",
            "4111111111111112",  # no card: its check digit is wrong
            "record 512345678901",
            "the primary key: value",
            "scored 82/100 in 412 ms",
            "score=77.25 fit=31",
            "O'Brien & Sons, 100 Main Street",
            "@mention and a@ b",
        ],
    )
    def test_leaves_alone(self, text):
        assert mask_text(text) == text

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize(
        "piece", ["a-", "1 ", "key", "-----BEGIN PRIVATE KEY-----", "eyJ", "secret", " ", "(2", "@a.", "a@"]
    )
    def test_takes_time_in_proportion_on_hostile_text(self, piece):
        mask_text(piece * (200_000 // len(piece)) + "=@")


class TestStructures:
    def test_goes_deep_and_knows_fields_by_name(self):
        assert mask(
            {
                "phone": "555 0134",
                "apiKey": "whatever",
                "record_id": "9725550134",
                "ids": ["9725550134"],
                "rows": [{"email": "ada@example.test", "score": 82, "hot": True, "note": None}],
            }
        ) == {
            "phone": "***34",
            "apiKey": "***",
            "record_id": "9725550134",
            "ids": ["9725550134"],
            "rows": [{"email": "a***@e***.test", "score": 82, "hot": True, "note": None}],
        }

    def test_gives_plain_json_of_anything(self):
        class Rude:
            def __str__(self):
                raise RuntimeError

        loop: list[object] = []
        loop.append(loop)
        odd = {1: {2, 3}, "nan": float("nan"), "huge": 10**400, "bytes": b"abc", "nul": "a\x00b"}
        odd |= {"half": "\ud800", "at": datetime(2026, 1, 1, tzinfo=UTC), "rude": Rude(), "loop": loop}

        shown = json.loads(json.dumps(mask(odd), allow_nan=False))

        assert shown["bytes"] == "(3 bytes)"
        assert shown["rude"] == "(Rude)"
        assert "\x00" not in shown["nul"]
        shown["half"].encode()

    def test_cuts_the_middle_of_long_text_and_says_so(self):
        assert cut_text("a" * 90 + "z" * 10, 40) == "a" * 30 + " … [60 characters cut] … " + "z" * 10
        assert mask("short", longest=40) == "short"

    def test_masks_before_it_cuts(self):
        assert "@example" not in mask("x" * 28 + " ada@example.test", longest=40)

    @given(ANYTHING)
    def test_never_raises_and_is_stable(self, value):
        once = mask(value)

        json.dumps(once, allow_nan=False).encode()
        assert mask(once) == once

    @given(
        st.text(string.ascii_lowercase, min_size=2, max_size=20), st.text(string.ascii_lowercase, min_size=2)
    )
    def test_no_address_survives(self, name, domain):
        assert f"{name}@{domain}" not in mask_text(f"to {name}@{domain}.test, please")
