"""The house keeps its order: docstrings, the top level, directions, no addresses in files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP_FOLDERS = {
    "circuitos", "triggers", "tenants", "governor", "logs", "templates", "tests",
    "docs", "benchmarks", "examples", "deploy", ".ci",
}  # fmt: skip
TOP_FILES = {
    "manage.py", "pyproject.toml", "Procfile",
    "README.md", "LICENSE", "NOTICE", "TRADEMARKS.md", "CHANGELOG.md",
    "Makefile", ".gitignore", "requirements.lock", "requirements-dev.lock",
}  # fmt: skip
PACKAGES = ("circuitos", "triggers", "tenants", "governor", "logs", "tests")
LONG = 300
HEAVY = ("django", "celery", "redis", "psycopg2", "rest_framework", "triggers", "tenants", "logs")


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]


def modules() -> list[Path]:
    return [
        path
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in PACKAGES
        and "migrations" not in path.parts
    ]


class TestModules:
    def test_open_with_a_docstring(self):
        silent = [
            str(path.relative_to(ROOT))
            for path in modules()
            if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
        ]

        assert silent == []

    def test_long_ones_are_named(self):
        long = {
            str(path.relative_to(ROOT)): lines
            for path in modules()
            if "tests" not in path.parts and (lines := path.read_text().count("\n")) > LONG
        }

        if long:  # a smell, no failure
            print(f"over {LONG} lines: {long}")  # noqa: T201


class TestTopLevel:
    def test_is_the_agreed_one(self):
        tops = {path.relative_to(ROOT).parts[0] for path in tracked()}

        assert tops - TOP_FOLDERS - TOP_FILES == set()


class TestFiles:
    def test_name_no_package_registry(self):
        # Which index to install from is the installer's choice; lock files hold hashes only.
        address = re.compile(
            rb"--(?:extra-)?index-url|--find-links|(?:pypi|pythonhosted)\.(?:org|io)|/simple/?\s*$", re.M
        )
        named = [
            str(path.relative_to(ROOT))
            for path in tracked()
            if path != Path(__file__) and path.is_file() and address.search(path.read_bytes())
        ]

        assert named == []

    def test_hold_no_private_keys(self):
        marker = b"-----BEGIN " + b"PRIVATE KEY-----\n"

        assert [str(path) for path in tracked() if path.is_file() and marker in path.read_bytes()] == []


def loaded_by(statement: str) -> set[str]:
    """The heavy modules that are loaded after ``statement``, in a process of its own."""
    script = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split()) & set(HEAVY)


class TestDirections:
    @pytest.mark.parametrize(
        "statement",
        [
            "import circuitos",
            "from circuitos import *",
            "import circuitos.script",
            "import circuitos.script.testing",
            "import governor.jail.zygote",
            "import governor.jail.runner",
        ],
    )
    def test_scripts_and_jail_load_neither_django_nor_the_apps(self, statement):
        assert loaded_by(statement) == set()
