"""Where something happened, as the author knows the place."""

from __future__ import annotations

import json
import os

import pytest

from circuitos.script import frames


class TestPlace:
    def test_is_the_innermost_script_frame(self):
        def fail():
            json.loads("{")

        with pytest.raises(ValueError, match="Expecting") as caught:
            fail()

        assert (
            frames.place(caught.value)
            == f"tests/circuitos/script/test_frames.py:{fail.__code__.co_firstlineno + 1}"
        )
        assert "json/decoder.py" in frames.tell(caught.value)

    def test_of_a_syntax_error_is_its_own_file(self, tmp_path):
        file = tmp_path / "script.py"
        with pytest.raises(SyntaxError) as caught:
            compile("x =", str(file), "exec")

        assert frames.place(caught.value.with_traceback(None)) == "script.py:1"

    def test_groups_and_causes_are_told_without_machine_paths(self, tmp_path):
        file = tmp_path / "script.py"
        scope: dict = {}
        exec(compile("def fail():\n    raise ValueError('inner')\n", str(file), "exec"), scope)
        errors = []
        for _ in range(2):
            try:
                scope["fail"]()
            except ValueError as error:
                errors.append(error)

        told = frames.tell(ExceptionGroup("both", errors))

        assert told.count("ValueError: inner") == 2
        assert str(tmp_path) not in told

    def test_without_a_script_there_is_none(self):
        assert frames.place(ValueError("no")) == ""


class TestIsScript:
    @pytest.mark.parametrize(
        ("filename", "expected"),
        [
            (__file__, True),
            ("/somewhere/lead.py", True),
            (frames.__file__, False),
            (json.__file__, False),
            (pytest.__file__, False),
            ("<string>", False),
            (os.path.join(os.path.dirname(os.path.dirname(frames.__file__)), "agents", "x.py"), True),
        ],
    )
    def test_tells_the_authors_files_from_the_rest(self, filename, expected):
        assert frames.is_script(filename) is expected
