"""newtrigger writes a trigger and a test that pass as they are."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from circuitos.env import BASE_DIR
from triggers.registry import load
from triggers.scaffold import CannotWrite, write_trigger

EXAMPLES = BASE_DIR / "examples" / "scripts"


def run_pytest(folder):
    """pytest as an author runs it, in a process of its own."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(BASE_DIR), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(folder)]
    return subprocess.run(arguments, cwd=folder, env=environ, capture_output=True, text=True, check=False)


class TestNewTrigger:
    def test_both_files_pass_out_of_the_box(self, tmp_path):
        folder = tmp_path / "scripts"
        told = io.StringIO()

        call_command("newtrigger", "ContactGreeter", "--folder", str(folder), "--json", stdout=told)

        assert json.loads(told.getvalue()) == {
            "trigger": "ContactGreeterTrigger.handle",
            "script": str(folder / "contact_greeter_trigger.py"),
            "test": str(folder / "test_contact_greeter_trigger.py"),
        }
        done = run_pytest(folder)
        assert done.returncode == 0, done.stdout
        assert "3 passed" in done.stdout
        assert [spec.name for spec in load([folder])] == ["ContactGreeterTrigger.handle"]

    def test_says_what_to_do_next(self, tmp_path):
        told = io.StringIO()

        call_command(
            "newtrigger", "OrderTrigger", "--folder", str(tmp_path), "--object", "Order", stdout=told
        )

        assert f"python -m pytest {tmp_path}" in told.getvalue()
        assert "CIRCUITOS_SCRIPTS=" in told.getvalue()

    def test_overwrites_nothing(self, tmp_path):
        (tmp_path / "test_order_trigger.py").write_text("mine")

        with pytest.raises(CommandError, match="is there already"):
            call_command("newtrigger", "Order", "--folder", str(tmp_path))

        assert [file.name for file in tmp_path.iterdir()] == ["test_order_trigger.py"]

    @pytest.mark.parametrize(
        "wrong", [{"name": "order"}, {"name": "A-B"}, {"object": "1x"}, {"event": "onInsert"}]
    )
    def test_refuses_what_is_no_name(self, tmp_path, wrong):
        with pytest.raises(CannotWrite):
            write_trigger(
                **{"name": "Order", "object": "Order", "event": "afterInsert", "folder": tmp_path, **wrong}
            )

    def test_keeps_the_folders_own_pytest_settings(self, tmp_path):
        (tmp_path / "pytest.ini").write_text("[pytest]\n")

        write_trigger(name="Order", object="Order", event="afterInsert", folder=tmp_path)

        assert (tmp_path / "pytest.ini").read_text() == "[pytest]\n"


class TestExamples:
    def test_pass(self):
        done = run_pytest(EXAMPLES)

        assert done.returncode == 0, done.stdout

    def test_load_beside_what_is_shipped(self):
        assert "ReviewTrigger.follow_up" in load([EXAMPLES])
