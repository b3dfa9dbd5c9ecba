"""The pages for people: their links lead somewhere, and their Python is Python."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from circuitos.env import BASE_DIR

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [BASE_DIR / "README.md", BASE_DIR / "TRADEMARKS.md", *sorted((BASE_DIR / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    links = re.findall(r"(?<!!)\[[^\]]*\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_are_python(page: Path):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        ast.parse(block)


def test_the_quickstarts_trigger_passes_the_quickstarts_test(tmp_path, monkeypatch):
    page = (BASE_DIR / "docs" / "quickstart.md").read_text(encoding="utf-8")
    trigger, test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "contact_greeter_trigger.py").write_text(trigger)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}

    exec(compile(test, "quickstart", "exec"), names)

    check = names["test_greets_by_first_name"]
    assert callable(check)
    check()
