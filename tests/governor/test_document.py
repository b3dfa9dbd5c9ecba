"""The docs say what the definitions say."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from governor import document
from governor.allowances import ALLOWANCES
from governor.limits import LIMITS

STALE = "Before\n<!-- table: tiers -->\n| old |\n<!-- end -->\nAfter\n"


class TestDocs:
    def test_are_as_defined(self):
        # Otherwise: manage.py limitsdoc
        assert [page.name for page in document.stale()] == []

    def test_name_each_limit_and_allowance_once(self):
        page = document.PAGES[0].read_text(encoding="utf-8")

        assert [page.count(f"| `{name}` |") for name in (*LIMITS, *ALLOWANCES)] == [1] * (
            len(LIMITS) + len(ALLOWANCES)
        )

    @pytest.mark.django_db
    def test_tell_the_tiers_as_they_are_made(self):
        from governor.tenant_governor import TenantGovernor

        for name, shipped in TenantGovernor.limits.items():
            row = next(line for line in document.tiers().splitlines() if name.removesuffix("_tier") in line)
            assert all(f"{value:,}" in row for value in shipped.values())


class TestCommand:
    @pytest.fixture
    def page(self, tmp_path, monkeypatch):
        page = tmp_path / "page.md"
        page.write_text(STALE)
        monkeypatch.setattr(document.stale, "__defaults__", ((page,),))
        return page

    def test_checks_and_writes(self, page):
        with pytest.raises(CommandError, match=r"page\.md"):
            call_command("limitsdoc", "--check")
        assert page.read_text() == STALE

        call_command("limitsdoc", stdout=StringIO())

        written = page.read_text()
        assert written.startswith("Before\n<!-- table: tiers -->\n| Tier |")
        assert written.endswith("<!-- end -->\nAfter\n")
        call_command("limitsdoc", "--check", stdout=StringIO())
