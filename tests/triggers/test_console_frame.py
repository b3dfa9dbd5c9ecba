"""What every page of the console shares: times, empty lists, the environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.contrib import admin
from django.template import Context, Template

from circuitos import theme
from tenants.clock import moment
from tenants.operators import OperatorAdmin
from tests.rows import make_execution

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class TestMoment:
    def test_is_utc_and_says_so(self):
        told = moment(NOON.astimezone(timezone(timedelta(hours=5))))

        assert 'datetime="2026-03-02T12:00:00.000+00:00"' in told
        assert "02 Mar 12:00:00 UTC" in told

    def test_nothing_is_a_dash(self):
        assert moment(None) == "–"

    def test_is_a_filter_of_every_template(self):
        told = Template('{{ at|moment:"full" }}').render(Context({"at": NOON}))

        assert "02 Mar 2026, 12:00:00 UTC" in told
        assert 'data-form="full"' in told


@pytest.mark.django_db
class TestEmptyLists:
    def test_each_list_says_the_next_step(self):
        import circuitos.urls  # noqa: F401 — registers the pages

        silent = [
            model._meta.label
            for model, page in admin.site._registry.items()
            # One that names no columns has a page of its own.
            if isinstance(page, OperatorAdmin) and list(page.list_display) != ["__str__"] and not page.empty
        ]

        assert silent == []

    def test_an_empty_list_says_it(self, console):
        page = console.get("/admin/triggers/execution/").content.decode()

        assert "Nothing has run yet" in page
        assert "manage.py send gohighlevel ContactCreate" in page

    @pytest.mark.parametrize("query", ["?q=nobody@example.test", "?trigger=No.such", "?status=failed"])
    def test_no_match_offers_to_clear(self, console, acme, globex, query):
        make_execution(acme)
        make_execution(globex)

        page = console.get(f"/admin/triggers/execution/{query}").content.decode()

        assert "Nothing matches" in page
        assert 'href="?">Clear' in page
        assert "Nothing has run yet" not in page


class TestEnvironment:
    @pytest.mark.parametrize(("name", "tone"), [("production", "danger"), ("staging", "warning")])
    def test_has_a_word_and_a_tone(self, monkeypatch, name, tone):
        from types import SimpleNamespace

        monkeypatch.setattr(theme, "env", lambda: SimpleNamespace(environment=name))

        assert theme.environment(None) == [name.capitalize(), tone]

    @pytest.mark.django_db
    def test_stands_on_the_page(self, console):
        assert 'class="co-env' in console.get("/admin/").content.decode()
