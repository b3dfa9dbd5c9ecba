"""The examples in docs/writing-triggers.md are scripts that load, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import circuitos
from circuitos.script import loading
from circuitos.script.budget import DEFAULTS, UNITS
from circuitos.script.declare import EVENTS
from circuitos.script.testing import run

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
            "MessageTrigger.read",
            "OpportunityTrigger.look_up",
            "WelcomeTrigger.welcome",
        }

    def test_its_question_becomes_a_task(self):
        names: dict[str, Any] = {}
        (text,) = [text for text in EXAMPLES if "class Reading" in text]
        exec(compile(text, "page", "exec", dont_inherit=True), names)
        angry = {"mood": "angry", "urgency": 9, "summary": "Waits for a call"}
        records = [{"id": "m1", "body": "Call me!", "contact_id": "c1"}]

        result = run(names["MessageTrigger"].read, records, ai=angry).check()

        assert [(task["title"], task["record_id"]) for task in result.tasks] == [("Waits for a call", "c1")]
        assert result.questions[0].data == {"text": "Call me!"}

    def test_it_names_every_limit_with_its_default(self):
        for name, value in DEFAULTS.items():
            assert f"| `{name}` | {value:,} {UNITS[name]} |" in PAGE

    def test_it_names_every_event(self):
        for event in EVENTS:
            assert f"`{event}`" in PAGE
