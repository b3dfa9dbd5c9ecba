"""Script folders: what is found, what is refused, and how a fault is told."""

from __future__ import annotations

import json
import sys

import pytest

from circuitos.script import loading
from circuitos.script.errors import BadScript
from circuitos.script.sources import fingerprint, sources, stamp
from tests.circuitos.script.conftest import Folder

TRIGGER = """
    from circuitos import CircuitTrigger, trigger

    class {name}(CircuitTrigger):
        @trigger("Contact", ["afterInsert", "beforeUpdate"], order={order}, limits={{"api_calls": 3}})
        async def run(self, context):
            '''Runs.'''
"""


def refusal(folder) -> BadScript:
    with pytest.raises(BadScript) as caught:
        loading.load_scripts([folder.path])
    return caught.value


class TestLoadScripts:
    def test_gives_specs_as_plain_data_by_order_and_name(self, folder):
        folder.write("z_first.py", TRIGGER.format(name="Zeta", order=-1))
        folder.write("b.py", TRIGGER.format(name="Beta", order=0))
        folder.write("a.py", TRIGGER.format(name="Alpha", order=0))

        specs = loading.load_scripts([folder.path])

        assert [spec["name"] for spec in specs] == ["Zeta.run", "Alpha.run", "Beta.run"]
        assert json.loads(json.dumps(specs)) == specs
        assert specs[1] == {
            "kind": "trigger",
            "name": "Alpha.run",
            "object": "Contact",
            "events": ["afterInsert", "beforeUpdate"],
            "operations": ["insert", "update"],
            "batch_size": 200,
            "order": 0,
            "limits": {"api_calls": 3},
            "has_schema": False,
            "has_when": False,
            "has_on_limit": False,
            "is_async": True,
            "stale_after": None,
            "cron": "",
            "settings_schema": None,
            "file": "a.py",
            "line": 5,
            "module": "a",
            "class_name": "Alpha",
            "method": "run",
            "doc": "Runs.",
        }

    def test_reads_no_tests_and_no_private_files(self, folder):
        for name in ("test_a.py", "a_test.py", "conftest.py", "_private.py", ".hidden.py"):
            folder.write(name, "raise SystemExit")
        folder.write("notes.txt", "")

        assert loading.load_scripts([folder.path]) == []

    def test_takes_single_files_and_module_names(self, folder):
        file = folder.write("single.py", TRIGGER.format(name="Single", order=0))

        specs = loading.load_scripts([file, "circuitos.agents.virtual_lpr"])

        assert [spec["name"] for spec in specs] == ["Single.run"]

    def test_scripts_import_one_another_and_their_packages(self, folder):
        folder.write("shared/__init__.py", "")
        folder.write("shared/rules.py", "LOWEST = 3")
        folder.write("base.py", TRIGGER.format(name="Base", order=0))
        folder.write("lead.py", "from base import Base\nfrom shared.rules import LOWEST\n")

        assert [spec["name"] for spec in loading.load_scripts([folder.path])] == ["Base.run"]

    def test_an_abstract_base_hands_its_triggers_down(self, folder):
        folder.write("base.py", TRIGGER.format(name="Base", order=0) + "\n    Base.abstract = True\n")
        folder.write("lead.py", "from base import Base\n\nclass Lead(Base):\n    pass\n")

        assert [spec["name"] for spec in loading.load_scripts([folder.path])] == ["Lead.run"]

    def test_says_whether_settings_schedules_and_schemas_are_there(self, folder):
        folder.write(
            "lead.py",
            """
            from circuitos import CircuitTrigger, Settings, schedule, trigger
            from pydantic import BaseModel

            class Schema(BaseModel):
                id: str

            class Lead(CircuitTrigger):
                class Settings(Settings):
                    threshold: int = 70

                @trigger("Contact", ["afterInsert"], schema=Schema, when=lambda record: True, stale_after=60)
                def run(self, context): pass

                @schedule("0 2 * * *")
                def nightly(self, context): pass
            """,
        )

        nightly, run = loading.load_scripts([folder.path])

        assert (nightly["kind"], nightly["cron"], nightly["is_async"]) == ("schedule", "0 2 * * *", False)
        assert (run["has_schema"], run["has_when"], run["stale_after"]) == (True, True, 60)
        assert run["settings_schema"]["properties"]["threshold"]["default"] == 70

    def test_finds_the_handler_that_a_start_message_names(self, folder):
        folder.load("lead.py", TRIGGER.format(name="Lead", order=0))

        assert loading.find_handler("lead", "Lead", "run").name == "Lead.run"
        for wrong in (("lead", "Lead", "walk"), ("lead", "Nobody", "run"), ("nowhere", "Lead", "run")):
            with pytest.raises(BadScript, match="no trigger"):
                loading.find_handler(*wrong)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("x = 1\nif x\n    pass", 2, "SyntaxError"),
            ("x = 1\n\nimport nothing_here", 3, "No module named 'nothing_here'"),
            ("def f():\n    raise ValueError('no')\nf()", 2, "ValueError: no"),
            ("raise SystemExit(1)", 1, "SystemExit"),
            ("from circuitos import CircuitDB\nCircuitDB.query('Contact')", 2, "No execution is running"),
            ("from circuitos import trigger\ntrigger('Contact', ['onInsert'])", 2, "no event 'onInsert'"),
        ],
    )
    def test_name_file_and_line(self, folder, text, line, said):
        folder.write("lead.py", text)

        error = refusal(folder)

        assert (error.data["file"], error.data["line"]) == ("scripts/lead.py", line)
        assert said in error.detail
        assert str(folder.path) not in error.data["traceback"]
        assert "lead" not in sys.modules

    def test_of_two_triggers_of_one_name(self, folder):
        folder.write("a.py", TRIGGER.format(name="Lead", order=0))
        folder.write("b.py", TRIGGER.format(name="Lead", order=0))

        error = refusal(folder)

        assert error.code == "script.duplicate-trigger"
        assert "a.py:5" in error.detail
        assert "b.py:5" in error.detail

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("def run(self): pass", "must take"),
            ("def run(self, context, more): pass", "must take"),
            ("def run(self, context): yield", "must not yield"),
            ("async def run(self, context): yield", "must not yield"),
            ("def run(self, context): pass\n    def __init__(self, x): pass", "without arguments"),
        ],
    )
    def test_of_handlers_that_cannot_be_called(self, folder, body, said):
        folder.write(
            "lead.py",
            "from circuitos import CircuitTrigger, trigger\n\nclass Lead(CircuitTrigger):\n"
            f"    @trigger('Contact', ['afterInsert'])\n    {body}\n",
        )

        error = refusal(folder)

        assert said in error.detail
        assert error.data["line"] == 4

    def test_of_a_class_that_is_no_trigger(self, folder):
        folder.write("lead.py", TRIGGER.format(name="Lead", order=0).replace("Lead(CircuitTrigger)", "Lead"))

        assert "is no CircuitTrigger" in refusal(folder).detail

    @pytest.mark.parametrize("name", ["calendar.py", "pydantic.py", "json.py", "pytest_timeout.py"])
    def test_of_files_that_would_hide_another_module(self, folder, name):
        folder.write(name, "")

        error = refusal(folder)

        assert "would hide the module" in error.detail
        assert error.data["file"] == f"scripts/{name}"

    def test_of_files_that_are_no_module(self, folder):
        folder.write("my-lead.py", "")

        assert "no module name" in refusal(folder).detail

    def test_of_two_folders_with_files_or_packages_of_one_name(self, folder, tmp_path):
        other = Folder(tmp_path / "other")
        folder.write("lead.py", "")
        other.write("lead.py", "")

        with pytest.raises(BadScript, match=r"scripts/lead\.py and other/lead\.py"):
            sources([folder.path, other.path])

        (other.path / "lead.py").rename(other.path / "contact.py")
        folder.write("shared/__init__.py", "")
        other.write("shared/__init__.py", "")
        with pytest.raises(BadScript, match="hold something named shared"):
            sources([folder.path, other.path])

    def test_of_what_is_not_there(self, tmp_path):
        for entry in (tmp_path / "nowhere", "no.such.module"):
            with pytest.raises(BadScript, match="no script folder"):
                loading.load_scripts([entry])


class TestShippedScripts:
    def test_give_way_to_the_operators_of_the_same_name(self, folder):
        shipped = sources([loading.__file__])[0].file.parent.parent / "agents" / "triggers"
        folder.write(
            "lead.py",
            TRIGGER.format(name="ContactTrigger", order=0).replace("def run", "def score_new_leads"),
        )

        specs = {spec["name"]: spec for spec in loading.load_scripts([shipped, folder.path])}

        assert specs["ContactTrigger.score_new_leads"]["file"] == "lead.py"
        assert specs["ContactTrigger.rescore_on_intent_change"]["file"].startswith("circuitos/agents/")


class TestFingerprint:
    def test_follows_names_and_contents_and_nothing_else(self, folder):
        folder.write("lead.py", "x = 1")
        folder.write("facts/zip.json", "{}")
        first = fingerprint([folder.path])

        folder.write("__pycache__/lead.pyc", "compiled")
        folder.write(".git/HEAD", "main")
        assert fingerprint([folder.path]) == first

        folder.write("facts/zip.json", "[]")
        second = fingerprint([folder.path])
        (folder.path / "lead.py").rename(folder.path / "led.py")
        assert len({first, second, fingerprint([folder.path])}) == 3

    def test_of_files_and_modules_too(self, folder):
        file = folder.write("lead.py", "x = 1")

        first = fingerprint([file, "circuitos.script.errors"])
        folder.write("lead.py", "x = 2")

        assert fingerprint([file, "circuitos.script.errors"]) != first

    def test_a_stamp_moves_when_a_file_is_saved(self, folder):
        folder.write("lead.py", "x = 1")
        first = stamp([folder.path])

        folder.write("lead.py", "x = 1234")

        assert stamp([folder.path]) != first
