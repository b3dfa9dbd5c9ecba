"""The examples in docs/writing-triggers.md are scripts that load, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import circuitos
from circuitos.script import loading
from circuitos.script.budget import DEFAULTS
from circuitos.script.declare import EVENTS

PAGE = (Path(circuitos.__file__).parent.parent / "docs" / "writing-triggers.md").read_text()
EXAMPLES = [
    text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "from circuitos import" in text
]


class TestPage:
    def test_its_examples_load_together(self, folder):
        for number, text in enumerate(EXAMPLES):
            folder.write(f"example_{number}.py", text)

        specs = loading.load_scripts([folder.path])

        assert {spec["name"] for spec in specs} == {
            "ContactTrigger.score_new_leads",
            "OpportunityTrigger.look_up",
            "WelcomeTrigger.welcome",
        }

    def test_it_names_every_limit_with_its_default(self):
        for name, value in DEFAULTS.items():
            assert f"| `{name}` | {value:,} |" in PAGE

    def test_it_names_every_event(self):
        for event in EVENTS:
            assert f"`{event}`" in PAGE
