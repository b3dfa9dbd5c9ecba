"""Search: executions by id, record, e-mail and phone, with no address stored in clear."""

from __future__ import annotations

import pytest

from logs import search


class TestTerms:
    def test_hashes_addresses_and_numbers_of_all_spellings_alike(self):
        one = search.terms_of([{"id": "1", "email": "Ada@Example.test ", "phone": "(303) 555-0100"}])
        two = search.terms_of([{"id": "2", "workEmail": "ada@example.test", "mobile_phone": "+13035550100"}])

        assert one == two
        assert all(len(term) == 32 for term in one)
        assert "ada" not in "".join(one)

    def test_reads_numbers_as_in_the_country(self):
        assert search.terms_of([{"phone": "020 7946 0018"}], country="GB") == search.hashes("+442079460018")

    def test_ignores_what_is_neither(self):
        assert search.terms_of([{"email": "n/a", "phone": None, "emails": [1, ""], "city": "a@b.test"}]) == []

    def test_is_bounded(self):
        records = [{"email": f"lead{n}@example.test"} for n in range(3000)]

        assert len(search.terms_of(records)) == search.MOST_TERMS


class TestFind:
    @pytest.mark.parametrize(
        ("query", "fields"),
        [
            ("lead-7", {"record_ids__contains"}),
            ("0191a3c4-1234-7abc-9def-123456789012", {"record_ids__contains", "code"}),
            ("ada@example.test", {"record_ids__contains", "terms__contains"}),
            ("+1 303 555 0100", {"record_ids__contains", "terms__contains"}),
            ("12345", {"record_ids__contains"}),
        ],
    )
    def test_asks_only_for_what_the_text_can_be(self, query, fields):
        wanted = search.find(query)

        assert {condition[0] for condition in wanted.children} == fields

    def test_nothing_typed_finds_all(self):
        assert not search.find(" \x00 ")
