"""The pytest plugin: the fixture ``circuit``, and no warnings for pydantic's first spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from circuitos.script.testing.running import run

if TYPE_CHECKING:
    from circuitos.script.testing.result import Result


class Circuit:
    """What the fixture gives: ``circuit.run(ContactTrigger.score_new_leads, [{…}])``.

    ``circuit.api``, ``circuit.enrich`` and ``circuit.stored`` may be filled before; ``circuit.tenant`` may be
    set.
    """

    def __init__(self) -> None:
        self.api: dict[Any, Any] = {}
        self.enrich: dict[str, Any] = {}
        self.stored: dict[str, Any] = {}
        self.tenant: Any = None

    def run(self, trigger: Any, records: Any = (), **more: Any) -> Result:
        """``circuitos.script.testing.run`` with this fixture's answers under those given here."""
        for name in ("api", "enrich", "stored"):
            given = more.get(name) or {}
            # Those given come first, for the first pattern that matches a callout answers it.
            more[name] = {
                **given,
                **{key: value for key, value in getattr(self, name).items() if key not in given},
            }
        more.setdefault("tenant", self.tenant)
        return run(trigger, records, **more)


@pytest.fixture
def circuit() -> Circuit:
    """Runs triggers as the platform does, with fresh limits each time."""
    return Circuit()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore::pydantic.warnings.PydanticDeprecationWarning")
