"""One execution that means nothing, played in the zygote: what it touches first, no runner has to touch.

A forked runner pays for each page it writes to and for each thing Python does differently the second time.
Played once beforehand, that is a third of what a short execution costs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from circuitos.script import CircuitDB, CircuitLog, CircuitTrigger, trigger
from circuitos.script.execute import execute
from circuitos.script.loading import handlers_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

_SCORING = "circuitos.agents.virtual_lpr"
_RECORD = {
    "id": "rehearsal",
    "email": "nobody@example.test",
    "postal_code": "75024",
    "country": "US",
    "tags": [],
    "created_at": "2026-01-01T00:00:00Z",
    "custom_fields": {"site_visits": "3", "appointment": "yes", "minutes_on_site": 4, "email_opens": 2},
}
_CENSUS = {"census": {"zip": "75024", "latitude": 33.1, "longitude": -96.8, "affluence": "high"}}
_START: dict[str, Any] = {
    "trigger": "Rehearsal.play",
    "execution_id": "00000000-0000-7000-8000-000000000000",
    "object": "Contact",
    "operation": "insert",
    "timing": "after",
    "mode": "test",
    "depth": 0,
    "seed": 1,
    "now": "2026-01-01T00:00:00+00:00",
    "error_rate": 0.0,
    "tenant": {
        "slug": "rehearsal",
        "name": "Rehearsal",
        "tier": "free",
        "timezone": "UTC",
        "settings": {"latitude": 33.0, "longitude": -96.8},
    },
    "records": [_RECORD],
    "olds": [None],
    "old_known": [False],
    "limits": {},
    "settings": {},
}


class _Play(CircuitTrigger):
    """What most scripts do."""

    @trigger("Contact", ["afterInsert"])
    async def play(self, context: Any) -> None:
        """Enrich, score where scoring is loaded, update, log."""
        enriched = await CircuitDB.batch_enrich(context.new_records, ["census"])
        rows = [{"id": record.id, "score": 1} for record in context.new_records]
        if _SCORING in sys.modules:
            rows = await sys.modules[_SCORING].VirtualLPR.score_leads(context.new_records, enriched)
        await CircuitDB.update("Contact", rows)
        CircuitLog.info("played", records=len(rows))


class _Hall:
    """A channel to nobody."""

    def __init__(self) -> None:
        self.limits: dict[str, list[float]] = {}

    def request(self, op: str, args: dict[str, Any], *, at: str = "", record: str = "") -> Any:
        if op == "enrich":
            return {record["id"]: _CENSUS for record in args["records"]}
        return [{"id": row["id"], "ok": True, "errors": []} for row in args.get("rows", ())]

    def request_async(
        self, op: str, args: dict[str, Any], *, at: str = "", record: str = ""
    ) -> Awaitable[Any]:
        async def answer() -> Any:
            return self.request(op, args)

        return answer()

    def notify(self, kind: str, payload: dict[str, Any]) -> None:
        """Nobody listens."""


def play() -> dict[str, Any]:
    """Run it; what comes back tells only whether it went as it should."""
    (handler,) = handlers_of(_Play)
    return execute(handler, _START, _Hall())
