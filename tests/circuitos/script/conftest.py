"""Script folders as authors write them, loaded as the jail loads them and forgotten after the test."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circuitos.script import loading
from circuitos.script.declare import enrichers

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folder:
    """One script folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def load(self, name: str, text: str) -> Any:
        """Write one script, load the folder and give the script's module."""
        file = self.write(name, text)
        loading.load_scripts([self.path])
        return importlib.import_module(file.stem)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    known = dict(enrichers)
    yield Folder(tmp_path / "scripts")
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and Path(origin).is_relative_to(tmp_path):
            del sys.modules[name]
    enrichers.clear()
    enrichers.update(known)
