"""Importing the SDK is cheap and drags nothing of the platform along."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "django",
    "celery",
    "redis",
    "psycopg2",
    "pydantic",
    "asyncio",
    "httpx2",
    "numpy",
    "msgspec",
    "openai",
)
SHOW = "import json, sys; {}; print(json.dumps(sorted(sys.modules)))"


def modules_after(statement: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW.format(statement)], capture_output=True, check=True, text=True
    )
    return set(json.loads(shown.stdout))


class TestImport:
    def test_the_sdk_loads_none_of_the_heavy_packages(self):
        loaded = modules_after("import circuitos")

        assert not loaded & set(HEAVY)

    def test_settings_bring_pydantic_and_agents_numpy_but_never_django(self):
        loaded = modules_after("from circuitos import Settings, VirtualLPR")

        assert "pydantic" in loaded
        assert not loaded & {"django", "celery", "redis", "psycopg2"}

    def test_the_testing_kit_needs_no_django(self):
        assert "django" not in modules_after("import circuitos.script.testing.plugin")

    def test_every_public_name_is_there(self):
        import circuitos
        import circuitos.script

        for package in (circuitos, circuitos.script):
            for name in package.__all__:
                assert getattr(package, name) is not None
