"""A recipe of a test as Python text, written as a person would."""

from __future__ import annotations

import keyword
import pprint
import re
from typing import TYPE_CHECKING, Any

from triggers.as_test_answers import Raised, Reply
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from triggers.as_test import Recipe

WIDTH = 100
_MADE_UP = (
    "Names, e-mail addresses, phone numbers, streets and birthdays are made up, the same one for the same\n"
    "person throughout. Free text may still name somebody: read it before you share this file."
)
_REAL = (
    "CAUTION: this file holds the real data of people, as the CRM sent it. Keep it out of repositories;\n"
    "delete it when you are done. Making it was written to the audit log."
)


def render(recipe: Recipe) -> str:
    """The file."""
    spec, raised = recipe.spec, sorted(_raised(recipe))
    kit = "in_turn, run" if recipe.answers.api else "run"
    parts = [
        _docstring(recipe),
        "from __future__ import annotations\n",
        "from datetime import datetime\n",
        f"from {spec.module} import {spec.class_name}\n",
        *([f"from circuitos import {', '.join(raised)}"] if raised else []),
        f"from circuitos.script.testing import {kit}\n",
        f"RECORDS = {_literal([_short(spec.object, record) for record in recipe.records])}",
    ]
    if recipe.olds:
        olds = {key: _short(spec.object, old) for key, old in recipe.olds.items()}
        parts.append(f"OLD = {_literal(olds)}")
    if recipe.stored:
        parts.append(f"STORED = {_literal(recipe.stored)}")
    if recipe.answers.enrich:
        parts.append(f"ENRICH = {_literal(recipe.answers.enrich)}")
    parts += [f"\n\n{_test(recipe)}"]
    return "\n".join(parts)


def _docstring(recipe: Recipe) -> str:
    ended = recipe.status
    if recipe.error:
        ended += f" with {recipe.error.get('type') or recipe.error['code']}"
    lines = [
        f'"""{recipe.spec.name} as in execution {recipe.code}, which {_plain(ended)}.\n',
        _REAL if recipe.is_real else _MADE_UP,
        "",
        *dict.fromkeys(recipe.notes),
        f"It passes while the script does what it did then. Run it where {recipe.spec.module} is found:",
        "    pytest --import-mode=importlib <this file>   (with the scripts' folder on PYTHONPATH)",
        '"""\n',
    ]
    return "\n".join(lines)


def _test(recipe: Recipe) -> str:
    spec = recipe.spec
    name = re.sub(r"\W", "_", f"{spec.method}_{recipe.status}".lower())
    arguments = ["RECORDS"]
    if recipe.olds:
        arguments.append("old=OLD")
    if recipe.answers.api:
        arguments.append(f"api={_api(recipe)}")
    if recipe.answers.ai:
        arguments.append(f"ai=[{', '.join(_answer(value) for value in recipe.answers.ai)}]")
    if recipe.answers.enrich:
        arguments.append("enrich=ENRICH")
    if recipe.stored:
        arguments.append("stored=STORED")
    arguments.append(f"tenant={_literal(recipe.tenant)}")
    if recipe.settings:
        arguments.append(f"settings={_literal(recipe.settings)}")
    arguments.append(f"event={recipe.event!r}")
    if recipe.limits:
        arguments.append(f"limits={_literal(recipe.limits)}")
    arguments += [f"now=datetime.fromisoformat({recipe.now!r})", f"seed={recipe.seed}"]
    if recipe.depth:
        arguments.append(f"depth={recipe.depth}")
    lines = [f"def test_{name}():", f"    result = run(\n        {spec.class_name}.{spec.method},"]
    lines += [f"        {_indented(argument, 8)}," for argument in arguments]
    lines += ["    )", "", *(f"    {_indented(line, 4)}" for line in _asserts(recipe))]
    return "\n".join(lines) + "\n"


def _asserts(recipe: Recipe) -> list[str]:
    lines = []
    error = recipe.error
    if error is None:
        lines.append("result.check()")
    else:
        lines += ["assert result.error is not None", f"assert result.error.code == {error['code']!r}"]
        if limit := error.get("limit"):
            lines.append(f"assert result.error.data['limit'] == {limit!r}")
        elif error.get("type"):
            lines.append(f"assert result.error.type == {error['type']!r}")
    lines.append(
        "assert {key: outcome.status for key, outcome in result.outcomes.items()}"
        f" == {_literal(recipe.outcomes)}"
    )
    lines += [
        f"assert result.changed({name!r}) == {_literal(fields)}" for name, fields in recipe.changes.items()
    ]
    lines += [
        "assert [change.fields for change in result.changes if (change.object, change.operation)"
        f" == ({name!r}, 'insert')] == {_literal(rows)}"
        for name, rows in recipe.inserts.items()
    ]
    if error is None and not recipe.changes and not recipe.inserts and recipe.is_unchanging:
        lines.append("assert result.changes == []")
    lines.append(f"assert [call.method for call in result.callouts] == {_literal(recipe.answers.methods)}")
    if recipe.answers.ai:
        lines.append(f"assert len(result.questions) == {len(recipe.answers.ai)}")
    if recipe.tasks is not None:
        lines.append(f"assert [task['title'] for task in result.tasks] == {_literal(recipe.tasks)}")
    if recipe.with_errors:
        lines.append("assert any(line.level == 'error' for line in result.logs)")
    return lines


def _api(recipe: Recipe) -> str:
    # Addresses that are known whole before those with a * in them, which might match them too.
    patterns = sorted(recipe.answers.api.items(), key=lambda item: "*" in item[0])
    rows = []
    for pattern, values in patterns:
        told = ",\n        ".join(_indented(_answer(value), 8) for value in values)
        rows.append(f"    {pattern!r}: in_turn(\n        {told},\n    ),")
    return "{\n" + "\n".join(rows) + "\n}"


def _answer(value: Any) -> str:
    if isinstance(value, Raised):
        data = "".join(f", {name}={item!r}" for name, item in value.data.items() if _is_name(name))
        return f"{value.name}({value.detail!r}, code={value.code!r}{data})"
    if isinstance(value, Reply):
        return _literal((value.status, value.body, value.headers))
    return _literal(value)


def _raised(recipe: Recipe) -> set[str]:
    values = [value for values in recipe.answers.api.values() for value in values] + recipe.answers.ai
    return {value.name for value in values if isinstance(value, Raised)}


def _short(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """Without the documented fields that are None: ``run`` puts them back."""
    known = FIELDS.get(name, ())
    return {field: value for field, value in record.items() if value is not None or field not in known}


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=WIDTH, sort_dicts=False)


def _indented(text: str, by: int) -> str:
    return text.replace("\n", "\n" + " " * by)


def _is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")
