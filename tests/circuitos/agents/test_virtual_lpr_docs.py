"""The page that explains the score names everything that can change it."""

from __future__ import annotations

from circuitos.agents.virtual_lpr.readings import FROM_FIELDS
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, SIGNALS
from circuitos.agents.virtual_lpr.weights import KEYS
from circuitos.env import BASE_DIR

PAGE = (BASE_DIR / "docs" / "virtual-lpr.md").read_text(encoding="utf-8")


def test_every_signal_part_and_group_stands_with_its_figures():
    for signal in SIGNALS:
        assert f"| {signal.name} " in PAGE
        assert f"`{signal.reading}`" in PAGE
    for path in PARTS:
        assert f"`{path}` ({CAPS[path] / 100:g}" in PAGE
    for path in GROUPS:
        assert f"`{path}` {CAPS[path] / 100:g}" in PAGE


def test_every_field_name_stands():
    for reading in FROM_FIELDS:
        assert f"| `{reading.name}` | {reading.kind} | {', '.join(reading.names)} |" in PAGE


def test_every_setting_stands():
    for key in KEYS:
        assert f'"{key}"' in PAGE
