"""A test made from an execution: it passes with the script as it was, and fails once that misbehaves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer

from circuitos.script.testing import NoAnswer, in_turn
from circuitos.script.testing.answers import Asked
from governor import broker, hosts
from governor.jail.supervisor import Zygote
from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.rows import make_event, make_execution
from tests.triggers.engine import drain, executions, put
from triggers import as_test
from triggers.models import Execution, LiveEvent
from triggers.pseudonyms import Pseudonyms
from triggers.registry import load
from triggers.runner import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCRIPT = '''
"""Looks leads up, one by one."""

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, http, trigger


class Leads(CircuitTrigger):
    @trigger("Contact", ["afterInsert", "afterUpdate"], limits={"api_calls": 3})
    async def look_up(self, context):
        scores = []
        for record in context.new_records:
            place = record.website
            found = (await http.get(f"{place}people/{record.email}", params={"page": 1})).json()
            scores.append({"id": record.id, "score": found["visits"] * 10, "last_name": record.last_name})
            if record.old and context.changed(record, "first_name"):
                await CircuitDB.upsert("Renamed", [{"id": record.id, "was": record.old.first_name}])
            for number in range(found.get("pages", 0)):
                await http.get(f"{place}pages", params={"page": number})
        await CircuitDB.update("Contact", scores)
        await CircuitDB.create_task("Call the lead", record_id=scores[0]["id"])
        CircuitLog.info("looked up", leads=len(scores))
'''


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("as_test")
    (folder / "leads_script.py").write_text(textwrap.dedent(SCRIPT))
    return folder


@pytest.fixture(scope="module")
def jail(scripts: Path) -> Iterator[Zygote]:
    zygote = Zygote([scripts])
    yield zygote
    zygote.close()


@pytest.fixture
def engine(scripts: Path, jail: Zygote, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.syspath_prepend(str(scripts))
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    hosts.forget()
    return Supervisor(registry=load([scripts]), zygote=jail, run=broker.run, worker="test-worker")


@pytest.fixture
def people() -> Iterator[Callable[[dict[str, Any]], str]]:
    """``people({"ada@…": {…}})``: a server that knows them. Returns its address."""
    server = HTTPServer(host="127.0.0.1")
    server.start()

    def know(known: dict[str, Any]) -> str:
        for email, facts in known.items():
            server.expect_request(f"/people/{email}").respond_with_json({"email": email, **facts})
        server.expect_request("/pages").respond_with_json([])
        return server.url_for("/")

    yield know
    server.clear()
    server.stop()


def made(engine: Supervisor, execution: Execution, **options: Any) -> str:
    with every_tenant():
        return as_test.make(
            execution=execution,
            **{
                "is_real": False,
                "actor": "operator",
                "at": AT,
                "release": engine.configuration.registry,
                **options,
            },
        )


def pytest_says(text: str, folder: Path, *, change: tuple[str, str] | None = None) -> tuple[int, str]:
    """Run the file with real pytest beside the script, changed or as it is."""
    script = SCRIPT
    if change:
        assert change[0] in script
        script = script.replace(*change)
    (folder / "leads_script.py").write_text(textwrap.dedent(script))
    (folder / "test_made.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django", "test_made.py"],
        cwd=folder,
        env={name: value for name, value in environ.items() if not name.startswith(("PYTEST", "COV"))},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.django_db(transaction=True)
class TestMakingATest:
    def test_of_one_that_succeeded(self, engine, acme, acme_ghl, people, tmp_path):
        url = people({"ada@corp.test": {"visits": 4}, "bo@corp.test": {"visits": 1}})
        for name, first in (("c1", "Ada"), ("c2", "Bo")):
            put(
                acme,
                name,
                age=30,
                firstName=first,
                lastName="Lovelace",
                email=f"{first.lower()}@corp.test",
                website=url,
            )
        drain(engine)
        put(
            acme,
            "c1",
            operation="update",
            firstName="Augusta",
            lastName="Lovelace",
            email="ada@corp.test",
            phone="+13035557788",
            website=url,
        )
        with every_tenant():
            LiveEvent.objects.update(connection=acme_ghl)
        drain(engine)
        execution = executions(acme)[-1]
        assert (execution.status, execution.operation) == ("succeeded", "update")

        text = made(engine, execution)

        code, said = pytest_says(text, tmp_path)
        assert code == 0, said
        # Nobody is named, and the same person is the same throughout.
        assert not any(name in text for name in ("Augusta", "Lovelace", "ada@corp.test", "3035557788"))
        assert "'score': 40" in text
        code, said = pytest_says(text, tmp_path, change=("* 10", "* 11"))
        assert (code, "'score': 44" in said) == (1, True)
        code, said = pytest_says(text, tmp_path, change=('"was": record.old', '"was": record'))
        assert code == 1

    def test_of_one_that_failed(self, engine, acme, people, tmp_path):
        url = people({"ada@corp.test": {"called": 4}})
        put(acme, "c1", email="ada@corp.test", website=url)
        drain(engine)
        (execution,) = executions(acme)
        assert (execution.status, execution.error_type) == ("failed", "KeyError")

        text = made(engine, execution)

        code, said = pytest_says(text, tmp_path)
        assert code == 0, said
        assert pytest_says(text, tmp_path, change=('found["visits"]', 'found.get("visits", 0)'))[0] == 1

    def test_of_one_that_a_limit_stopped(self, engine, acme, people, tmp_path):
        url = people({"ada@corp.test": {"visits": 4, "pages": 9}})
        put(acme, "c1", email="ada@corp.test", website=url)
        drain(engine)
        (execution,) = executions(acme)
        assert (execution.status, execution.limit_name) == ("failed", "api_calls")

        text = made(engine, execution)

        code, said = pytest_says(text, tmp_path)
        assert code == 0, said
        code, said = pytest_says(text, tmp_path, change=('found.get("pages", 0)', "1"))
        assert code == 1

    def test_with_real_people_says_so_and_is_audited(self, engine, acme, people):
        url = people({"ada@corp.test": {"visits": 4}})
        put(acme, "c1", email="ada@corp.test", website=url)
        drain(engine)
        (execution,) = executions(acme)

        text = made(engine, execution, is_real=True)

        assert "CAUTION: this file holds the real data of people" in text
        assert "ada@corp.test" in text
        made(engine, execution)
        assert [(row.verb, row.actor, row.data["people"]) for row in AuditEvent.objects.order_by("id")] == [
            ("execution.test-made", "operator", "real"),
            ("execution.test-made", "operator", "made up"),
        ]


@pytest.mark.django_db
class TestRefusing:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"status": "running", "finished_at": None}, "run to its end"),
            ({"status": "bisected"}, "make a test of a half"),
            ({"trigger": "Gone.one"}, "is no trigger of the live release"),
            ({"status": "failed", "limit_name": "wall_ms"}, "held from outside the script"),
            (
                {"trace": {"error": {"code": "triggers.worker-lost", "type": "", "detail": ""}}},
                "no script can",
            ),
            ({"trace": {"effects": [{"cut": 4, "message": "4 left out here"}]}}, "left out"),
            ({"event_ids": [2**40]}, "events are not kept"),
        ],
    )
    def test_tells_why(self, acme, fields, said):
        execution = make_execution(acme, **fields)

        with every_tenant(), pytest.raises(as_test.NotTestable, match=said):
            as_test.make(execution=execution, is_real=False, actor="x", at=AT)
        assert not AuditEvent.objects.exists()

    def test_the_page_tells_it(self, console, acme):
        execution = make_execution(acme, status="bisected")

        answer = console.post(f"/admin/triggers/execution/{execution.code}/test/", follow=True)

        assert "No test was made: It was split in two" in answer.content.decode()


@pytest.mark.django_db
class TestTheButton:
    @pytest.fixture
    def succeeded(self, acme):
        event = make_event(
            acme, record_id="lead-1", body=b'{"type":"ContactCreate","id":"lead-1","email":"ada@corp.test"}'
        )
        return make_execution(
            acme,
            records=[{"id": "lead-1"}],
            event_ids=[event.pk],
            event_codes=[event.code],
            trace={"effects": []},
        )

    def test_gives_a_file_without_people(self, console, succeeded):
        answer = console.post(f"/admin/triggers/execution/{succeeded.code}/test/")

        assert answer.headers["Content-Disposition"].startswith("attachment")
        text = answer.content.decode()
        compile(text, "made.py", "exec")
        assert "ada@corp.test" not in text
        assert "person1@corp.test" in text

    def test_real_people_want_the_permission(self, client, succeeded, django_user_model):
        from django.contrib.auth.models import Permission

        person = django_user_model.objects.create_user("looker", is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="view_execution"))
        client.force_login(person)

        assert (
            client.post(f"/admin/triggers/execution/{succeeded.code}/test/", {"real": "1"}).status_code == 403
        )
        assert client.post(f"/admin/triggers/execution/{succeeded.code}/test/").status_code == 200
        assert (
            "real data"
            not in client.get(f"/admin/triggers/execution/{succeeded.code}/change/").content.decode()
        )

    def test_wants_a_post_and_the_right_to_look(self, viewer, succeeded):
        assert viewer.get(f"/admin/triggers/execution/{succeeded.code}/test/").status_code == 403
        assert viewer.post(f"/admin/triggers/execution/{succeeded.code}/test/").status_code == 403

    def test_the_command_prints_it(self, succeeded, capsys):
        from django.core.management import call_command

        call_command("trace", str(succeeded.code), as_test=True)

        assert "def test_score_new_leads_succeeded" in capsys.readouterr().out


class TestPseudonyms:
    RECORD = {
        "id": "c1",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "name": "Ada Lovelace",
        "email": "Ada@Analytical.io",
        "phone": "+1 (303) 555-7788",
        "date_of_birth": "1985-12-10",
        "address1": "12 Ockham Park",
        "postal_code": "80202",
        "notes": "Ada lovelace likes adagio; write to ada@analytical.io or ada@gmail.com",
    }

    def test_are_the_same_for_the_same_person_and_keep_the_form(self):
        told = Pseudonyms([self.RECORD]).of(self.RECORD)

        assert told == {
            "id": "c1",
            "first_name": "Name1",
            "last_name": "Name2",
            "name": "Name1 Name2",
            "email": "person1@company1.example",
            "phone": "+1 (303) 555-0100",
            "date_of_birth": "1985-01-01",
            "address1": told["address1"],
            "postal_code": "80202",
            "notes": "Name1 Name2 likes adagio; write to person1@company1.example or person2@gmail.com",
        }
        assert told["address1"].endswith("Example Street")

    def test_reach_into_answers_and_bodies(self):
        names = Pseudonyms([self.RECORD])

        assert names.of([b"ada@analytical.io", {"owner": "Lovelace"}]) == [
            b"person1@company1.example",
            {"owner": "Name2"},
        ]


class TestInTurn:
    def test_gives_each_answer_once_and_then_says_so(self):
        answer = in_turn(1, 2)
        asked = Asked("GET", "https://x.test/", {}, None, None)

        assert [answer(asked), answer(asked)] == [1, 2]
        with pytest.raises(NoAnswer, match="3 times; 2 answers"):
            answer(asked)
