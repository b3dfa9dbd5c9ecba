"""The registry is told by a child process, closes, and survives a broken save."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap

import pytest

from circuitos.env import BASE_DIR
from triggers import registry as registries
from triggers.registry import (
    DEFAULT_SCRIPTS,
    DuplicateTrigger,
    Registry,
    ScriptsDoNotLoad,
    TriggerSpec,
    UnknownTrigger,
    load,
)

TRIGGER = """
    from circuitos import CircuitTrigger, trigger

    class {name}(CircuitTrigger):
        @trigger("Contact", {events}, order={order})
        def run(self, context):
            pass
"""


@pytest.fixture
def write(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()

    def write(name, text=None, *, events=("afterInsert",), order=0):
        text = text or TRIGGER.format(name=name.title(), events=list(events), order=order)
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return folder

    return write


@pytest.fixture
def process(monkeypatch, write):
    """The process's registry, of one folder, forgotten afterwards."""
    monkeypatch.setattr(registries._Held, "registry", None)
    monkeypatch.setattr(registries._Held, "stamp", ())
    folder = write("alpha")
    monkeypatch.setattr(registries, "default_entries", lambda: (folder,))
    return registries


def spec(name, **more):
    given = {
        "object": "Contact",
        "events": ("afterInsert",),
        "operations": ("insert",),
        "batch_size": 200,
        "order": 0,
    }
    return TriggerSpec(name=name, module="m", class_name="C", method="run", **{**given, **more})


class TestLoad:
    def test_gives_the_triggers_in_order_without_importing_them(self, write):
        write("zeta", order=-1)
        write("beta")
        folder = write("alpha", events=["afterInsert", "beforeUpdate"])

        loaded = load([folder])

        assert [each.name for each in loaded] == ["Zeta.run", "Alpha.run", "Beta.run"]
        assert [each.name for each in loaded.for_event("Contact", "insert")] == [
            "Zeta.run",
            "Alpha.run",
            "Beta.run",
        ]
        assert [each.name for each in loaded.for_event("Contact", "update", "before")] == ["Alpha.run"]
        assert loaded.for_event("Contact", "update") == ()
        assert loaded.for_event("Opportunity", "insert") == ()
        assert loaded.paths == (folder.resolve(),)
        assert not {"alpha", "beta", "zeta"} & set(sys.modules)

    def test_names_the_release_by_its_content(self, write):
        folder = write("alpha")
        first = load([folder]).release

        assert load([folder]).release == first
        assert first.startswith("local-")
        assert len(first) == len("local-") + 8
        write("beta")
        assert load([folder]).release != first

    def test_knows_a_trigger_by_its_name(self, write):
        loaded = load([write("alpha")])

        assert loaded.get("Alpha.run").method == "run"
        assert "Alpha.run" in loaded
        assert len(loaded) == 1
        with pytest.raises(UnknownTrigger):
            loaded.get("Alpha.walk")

    @pytest.mark.parametrize(
        ("text", "line"), [("import nothing_here", 1), ("x = 1\nif x", 2), ("import os\nos._exit(3)", None)]
    )
    def test_a_script_that_does_not_load_is_told_with_file_and_line(self, write, text, line):
        write("alpha")
        folder = write("broken", text)

        with pytest.raises(ScriptsDoNotLoad) as caught:
            load([folder])

        assert caught.value.code == "triggers.scripts-do-not-load"
        if line is None:
            assert "ended the process (3)" in str(caught.value)
        else:
            assert (caught.value.extra["file"], caught.value.extra["line"]) == ("scripts/broken.py", line)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("import socket\nsocket.create_connection(('127.0.0.1', 9))", r"broken\.py, line 2"),
            ("x = open('/etc/passwd')\nopen('/tmp/x-of-a-script', 'w')", "PermissionError"),
            (
                "import threading, time\nthreading.Thread(target=time.sleep, args=[9], daemon=True).start()",
                "thread",
            ),
        ],
    )
    def test_the_jails_walls_stand_at_import_already(self, write, text, said):
        folder = write("broken", text)

        with pytest.raises(ScriptsDoNotLoad, match=said):
            load([folder])

    def test_a_duplicate_name_is_refused(self, write):
        write("alpha")
        folder = write("other", TRIGGER.format(name="Alpha", events=["afterInsert"], order=0))

        with pytest.raises(DuplicateTrigger, match=r"Alpha\.run"):
            load([folder])

    def test_a_missing_folder_is_told(self, tmp_path):
        with pytest.raises(ScriptsDoNotLoad, match="no script folder"):
            load([tmp_path / "nowhere"])

    def test_what_scripts_print_and_read_harms_nobody(self, write, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "hunter2")
        folder = write(
            "alpha",
            "import os, sys\nprint('{}')\nos.write(1, b'noise')\nassert 'SECRET_KEY' not in os.environ\n"
            "assert 'django' not in sys.modules\n"
            + textwrap.dedent(TRIGGER.format(name="A", events=["afterInsert"], order=0)),
        )

        assert [each.name for each in load([folder])] == ["A.run"]

    def test_a_script_that_never_ends_its_import_is_given_up(self, write, monkeypatch):
        monkeypatch.setattr(registries, "DESCRIBE_SECONDS", 0.5)
        folder = write("alpha", "while True:\n    pass\n")

        with pytest.raises(ScriptsDoNotLoad, match=r"within 0\.5 seconds"):
            load([folder])


class TestRegistry:
    def test_refuses_two_of_one_name(self):
        with pytest.raises(DuplicateTrigger):
            Registry([spec("A.run"), spec("A.run", order=1)])

    def test_keeps_schedules_apart(self):
        made = Registry([spec("A.run"), spec("A.nightly", kind="schedule", events=(), cron="0 2 * * *")])

        assert [each.name for each in made.triggers] == ["A.run"]
        assert [each.name for each in made.schedules] == ["A.nightly"]
        assert made.release == "local"

    def test_specs_are_plain_data(self):
        made = spec("A.run", limits={"api_calls": 3})

        assert TriggerSpec(**made.as_dict()) == made


class TestProcessRegistry:
    def test_is_loaded_once(self, process):
        assert process.registry() is process.registry()

    def test_is_kept_while_nothing_changes(self, process):
        assert process.reload_if_changed() is process.registry()

    def test_follows_a_save(self, process, write):
        process.registry()

        write("beta")

        assert [each.name for each in process.reload_if_changed()] == ["Alpha.run", "Beta.run"]
        assert process.reload_if_changed() is process.registry()

    def test_touching_a_file_changes_nothing(self, process, write):
        before = process.registry()

        (write("alpha") / "alpha.py").touch()

        assert process.reload_if_changed() is before

    def test_the_last_good_one_goes_on_while_scripts_are_broken_told_once(self, process, write, caplog):
        before = process.registry()

        write("beta", "if")
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                assert process.reload_if_changed() is before

        assert len(caplog.records) == 1
        assert "scripts/beta.py, line 1" in caplog.text
        write("beta")
        assert len(process.reload_if_changed()) == 2

    def test_holds_what_is_shipped(self):
        loaded = load(DEFAULT_SCRIPTS)

        assert {each.object for each in loaded.triggers} >= {"Contact", "Opportunity"}
        assert loaded.get("ContactTrigger.score_new_leads").operations == ("insert",)


class TestDescribe:
    def test_needs_no_django(self, write):
        code = (
            "import sys; from governor.jail import describe; describe.describe(sys.argv[1:], mode='strict');"
            "sys.exit(int('django' in sys.modules))"
        )

        done = subprocess.run([sys.executable, "-c", code, str(write("alpha"))], cwd=BASE_DIR, check=False)

        assert done.returncode == 0
