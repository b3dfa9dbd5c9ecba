"""The live tail: what came, what ended, once each, for those who may look."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_execution
from triggers import tail
from triggers.management.commands import logs as logs_command
from triggers.models import Execution

pytestmark = pytest.mark.django_db
TAIL = "/admin/tail/"
LINES = [
    {"level": "info", "message": "looked up the ZIP code", "data": {"zip": "80202"}, "at": "", "line": 1},
    {"level": "error", "message": "the census gave no answer", "data": None, "at": "", "line": 2},
]


def begin(**asked):
    with every_tenant():
        wanted = tail.wanted(asked)
        return wanted, tail.begin(wanted, most=50)


def look(wanted, cursor):
    with every_tenant():
        return tail.look(wanted, tail.cursor_of(str(cursor)))


def ids(rows):
    return [row.execution.pk for row in rows]


class TestLook:
    def test_each_comes_once_and_ends_once(self, acme, globex):
        first = make_execution(acme)
        wanted, seen = begin()
        running = make_execution(globex, status="running", finished_at=None)

        came = look(wanted, seen.cursor)
        again = look(wanted, came.cursor)
        with every_tenant():
            Execution.objects.filter(pk=running.pk).update(status="failed")
        ended = look(wanted, again.cursor)
        after = look(wanted, ended.cursor)

        assert (ids(seen.came), ids(came.came), ids(again.came)) == ([first.pk], [running.pk], [])
        assert (ids(ended.came), ids(ended.ended), ids(after.ended)) == ([], [running.pk], [])

    def test_one_that_commits_late_is_not_missed(self, acme):
        late = make_execution(acme)
        newest = make_execution(acme)
        wanted, _ = begin()

        seen = look(wanted, tail.Cursor(newest.pk, frozenset({newest.pk})))

        assert ids(seen.came) == [late.pk]

    def test_the_status_counts_when_it_ends(self, acme):
        running = make_execution(acme, status="running", finished_at=None)
        wanted, seen = begin(status="failed")
        with every_tenant():
            Execution.objects.filter(pk=running.pk).update(status="failed")

        assert ids(seen.came) == []
        assert ids(look(wanted, seen.cursor).ended) == [running.pk]

    def test_filters(self, acme, globex):
        mine = make_execution(acme, trigger="A.one", trace={"entries": LINES})
        other = make_execution(globex, trigger="A.two", trace={"entries": LINES[:1]})

        assert ids(begin(tenant="acme")[1].came) == [mine.pk]
        assert ids(begin(trigger="A.two")[1].came) == [other.pk]
        assert ids(begin(level="error")[1].came) == [mine.pk]
        assert ids(begin(text="zip CODE")[1].came) == [mine.pk, other.pk]
        assert ids(begin(text="census")[1].came) == [mine.pk]
        (row,) = begin(level="warning")[1].came
        assert [line.message for line in row.lines] == ["the census gave no answer"]

    @pytest.mark.parametrize(
        "asked",
        [{"tenant": "nobody"}, {"status": "lost"}, {"level": "loud"}, {"text": "a\x00"}, {"text": "x" * 999}],
    )
    def test_what_cannot_be_watched_is_refused(self, acme, asked):
        with pytest.raises(tail.BadTail):
            tail.wanted(asked)

    @pytest.mark.parametrize(
        "text", ["", "x", "1", "1~2", "1~2~x", "-1~~", f"{2**63}~~", "1~~~", "1~" + "9" * 400 + "~"]
    )
    def test_a_foreign_cursor_is_refused(self, text):
        with pytest.raises(tail.BadTail):
            tail.cursor_of(text)


class TestPage:
    def test_shows_both_tenants_and_narrows(self, console, acme, globex):
        mine = make_execution(acme, trace={"entries": LINES})
        other = make_execution(globex)

        everything = console.get(TAIL).content.decode()
        narrow = console.get(TAIL, {"tenant": "acme"}).content.decode()

        assert str(mine.code) in everything
        assert str(other.code) in everything
        assert "the census gave no answer" in everything
        assert str(other.code) not in narrow

    def test_rows_are_those_since(self, console, acme):
        make_execution(acme)
        _, seen = begin()
        new = make_execution(acme, trigger="<script>")

        answer = console.get(f"{TAIL}rows/", {"since": str(seen.cursor)}).content.decode()

        assert answer.count('class="tail-row"') == 1
        assert str(new.code) in answer
        assert "<script>" not in answer

    def test_bad_input_is_a_sentence(self, console):
        refused = console.get(f"{TAIL}rows/", {"since": "x"})

        assert refused.status_code == 400
        assert "not one of ours" in refused.content.decode()
        assert "There is no tenant" in console.get(TAIL, {"tenant": "nobody"}).content.decode()

    @pytest.mark.parametrize("address", [TAIL, f"{TAIL}rows/"])
    def test_needs_the_right_to_look(self, viewer, address):
        assert viewer.get(address).status_code == 403

    @pytest.mark.parametrize("rows", [10, 100])
    def test_costs_the_same(self, console, acme, rows):
        _, seen = begin()
        for _ in range(rows):
            make_execution(acme)
        console.get(TAIL)

        with counted("admin.tail"):
            console.get(TAIL)
        with counted("admin.tail.rows"):
            console.get(f"{TAIL}rows/", {"since": str(seen.cursor)})


class TestCommand:
    def run(self, **options):
        out = io.StringIO()
        call_command("logs", stdout=out, **options)
        return out.getvalue()

    def test_prints_lines_when_asked(self, acme, globex):
        make_execution(acme, trace={"entries": LINES})
        make_execution(globex)

        told = json.loads(self.run(level="error", json=True))

        assert told["tenant"] == "acme"
        assert [line["message"] for line in told["entries"]] == ["the census gave no answer"]
        assert "looked up" in self.run(entries=True)
        assert "looked up" not in self.run()

    def test_follows_one_that_fails_later(self, acme, globex, monkeypatch):
        running = make_execution(acme, status="running", finished_at=None)
        make_execution(globex, status="failed")
        steps = []

        def sleep(_):
            steps.append(1)
            if len(steps) == 1:
                with every_tenant():
                    Execution.objects.filter(pk=running.pk).update(status="failed")
            elif len(steps) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(logs_command.time, "sleep", sleep)

        text = self.run(follow=True, status="failed", tenant="acme", json=True)

        assert [json.loads(line)["id"] for line in text.splitlines()] == [str(running.code)]

    def test_an_unknown_tenant_is_a_sentence(self):
        with pytest.raises(CommandError, match="There is no tenant"):
            self.run(tenant="nobody")
