"""The batches that ``benchmarks.governing`` and ``benchmarks.ungoverned`` both run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
SHIPPED = Path(__file__).resolve().parent.parent / "circuitos" / "agents" / "triggers"
PLACES = (75001, 76200)  # ZIP codes around Dallas
NOTHING, UPDATES, SCORING = "nothing", "updates", "scoring"
TENANT = {"slug": "bench", "name": "Bench", "tier": "free", "timezone": "UTC", "settings": {}}
SCRIPT = '''
"""Triggers that ask for nothing, and for one update."""
from circuitos import CircuitDB, CircuitTrigger, trigger


class Bench(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def nothing(self, context):
        pass

    @trigger("Contact", ["afterInsert"])
    def updates(self, context):
        CircuitDB.update("Contact", [{"id": record.id, "score": 7} for record in context.new_records])
'''


@dataclass(frozen=True)
class Spec:
    """As much of a trigger's spec as the broker reads."""

    name: str
    module: str
    class_name: str
    method: str


@dataclass(frozen=True)
class Batch:
    """A trigger and the records it gets."""

    module: str
    class_name: str
    method: str
    records: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.class_name}.{self.method}"

    def start(self) -> dict[str, Any]:
        """What the handler is told, but for its limits."""
        return {
            "t": "start",
            "trigger": self.name,
            "module": self.module,
            "cls": self.class_name,
            "method": self.method,
            "execution_id": "00000000-0000-7000-8000-000000000000",
            "object": "Contact",
            "operation": "insert",
            "timing": "after",
            "mode": "live",
            "depth": 0,
            "seed": 7,
            "error_rate": 0.0,
            "tenant": TENANT,
            "records": self.records,
            "olds": [None] * len(self.records),
            "old_known": [True] * len(self.records),
            "settings": self.settings,
        }


@cache
def batch_of(trigger: str, size: int) -> Batch:
    """The same batch in every process: leads as CRMs send them, in places near and far."""
    from benchmarks.scoring import SETTINGS, leads
    from governor.data import zips

    places = [f"{number}" for number in range(*PLACES) if zips.find(f"{number}")]
    records = [{**lead, "postal_code": places[index % len(places)]} for index, lead in enumerate(leads(size))]
    if trigger == SCORING:
        return Batch(_shipped(), "ContactTrigger", "score_new_leads", records, SETTINGS)
    return Batch("bench", "Bench", trigger, records)


def _shipped() -> str:
    from circuitos.script.sources import sources

    (module,) = [source.module for source in sources([SHIPPED]) if source.file.stem == "contact_scoring"]
    return module
