"""A new trigger with its test, written to be changed: both run as they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitos.env import BASE_DIR
from circuitos.script.aliases import snake
from circuitos.script.declare import EVENTS
from tenants.errors import CodedError

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,79}")
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")

SCRIPT = '''\
"""{cls}: marks the records it has seen. Say here what it is for."""

from __future__ import annotations

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger


class {cls}(CircuitTrigger):
    @trigger("{object}", ["{event}"])
    async def handle(self, context):
        rows = []
        for record in context.new_records:
            if record.get("first_seen_at"):
                record.skip("seen before")
            else:
                rows.append({{"id": record.id, "first_seen_at": context.now}})
        if rows:
            await CircuitDB.update("{object}", rows)
        CircuitLog.info("marked", marked=len(rows), of=context.size)
'''

TEST = '''\
"""What {cls} does, shown on records made up here."""

from __future__ import annotations

from circuitos.script.testing import run
from {module} import {cls}


def test_a_record_seen_for_the_first_time_is_marked():
    result = run({cls}.handle, [{{"id": "1"}}]).check()

    assert list(result.changed("{object}")) == ["1"]
    assert result.outcomes["1"].status == "ok"


def test_a_record_seen_before_is_left_alone():
    result = run({cls}.handle, [{{"id": "1", "first_seen_at": "2026-01-02T03:04:05+00:00"}}]).check()

    assert result.changes == []
    assert result.outcomes["1"].status == "skipped"


def test_a_batch_of_200_costs_one_write_each_and_no_call():
    result = run({cls}.handle, [{{"id": str(number)}} for number in range(200)]).check()

    assert result.usage["records_written"][0] == 200
    assert result.usage["api_calls"][0] == 0
'''


class CannotWrite(CodedError):
    """The name is none, or something of that name is there."""

    code = "triggers.cannot-write"


@dataclass(frozen=True)
class Written:
    """The files of a new trigger, and its name."""

    trigger: str
    script: Path
    test: Path


def write_trigger(*, name: str, object: str, event: str, folder: Path) -> Written:
    """Write a trigger and its test into ``folder``, overwriting nothing. Raises ``CannotWrite``."""
    if not _NAME.fullmatch(name):
        raise CannotWrite(f"{name!r} is no class name; write it like ContactGreeter.")
    if not _OBJECT.fullmatch(object):
        raise CannotWrite(f"{object!r} is no object's name; write it like Contact.")
    if event not in EVENTS:
        raise CannotWrite(f"There is no event {event!r}; there are {', '.join(EVENTS)}.")
    cls = name if name.endswith("Trigger") else f"{name}Trigger"
    module = snake(cls)
    script, test = folder / f"{module}.py", folder / f"test_{module}.py"
    for file in (script, test):
        if file.exists():
            raise CannotWrite(f"{file} is there already.")
    folder.mkdir(parents=True, exist_ok=True)
    words = {"cls": cls, "module": module, "object": object, "event": event}
    script.write_text(SCRIPT.format(**words))
    test.write_text(TEST.format(**words))
    _configure_pytest(folder)
    return Written(f"{cls}.handle", script, test)


def _configure_pytest(folder: Path) -> None:
    """Let ``pytest`` find script and SDK, and leave the platform's own test settings aside."""
    settings = folder / "pytest.ini"
    if settings.exists():
        return
    places = ["."]
    if folder.resolve().is_relative_to(BASE_DIR):
        places.append(os.path.relpath(BASE_DIR, folder.resolve()))
    settings.write_text(f"[pytest]\npythonpath = {' '.join(places)}\n")
