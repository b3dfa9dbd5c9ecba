"""`make`'s installing: once for each lock, and a sentence when it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circuitos.env import BASE_DIR

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with nothing to install, in a path with a space."""
    root = tmp_path / "my project"
    (root / "circuitos" / "local").mkdir(parents=True)
    shutil.copy(BASE_DIR / "circuitos" / "local" / "install.py", root / "circuitos" / "local")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (root / lock).write_text("# nothing\n")
    return root


def install(project: Path, lock: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "circuitos" / "local" / "install.py"), lock],
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.failure
def test_installs_when_and_only_when_the_lock_changed(project):
    first = install(project, "requirements-dev.lock")
    assert first.returncode == 0, first.stdout + first.stderr
    assert (project / ".venv" / "bin" / "python").exists()
    assert "Installed 0 packages" in first.stdout

    # The development lock holds the plain one.
    assert install(project, "requirements-dev.lock").stdout == ""
    assert install(project, "requirements.lock").stdout == ""

    (project / "requirements.lock").write_text("no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
    failed = install(project, "requirements.lock")
    assert failed.returncode == 1
    assert "Installing requirements.lock failed" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    # It is tried again next time.
    assert install(project, "requirements.lock").returncode == 1


def pins(name: str) -> set[str]:
    return {line.split(" ")[0] for line in (BASE_DIR / name).read_text().splitlines() if "==" in line}


class TestLocks:
    def test_the_development_lock_holds_every_pin_of_the_plain_one(self):
        assert pins("requirements.lock") <= pins("requirements-dev.lock")

    @pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
    def test_every_pin_has_hashes_and_no_line_an_address(self, name):
        text = (BASE_DIR / name).read_text()

        assert text.count("--hash=sha256:") >= len(pins(name))
        assert "://" not in text
        assert "index-url" not in text
