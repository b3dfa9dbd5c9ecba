"""Opportunity triggers: keep what became of scored leads, so that the weights can be judged by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger

if TYPE_CHECKING:
    from circuitos.script.context import Context
    from circuitos.script.record import Record

# HighLevel says it in the status, HubSpot in the stage.
ENDS = {"won": "won", "closedwon": "won", "lost": "lost", "closedlost": "lost", "abandoned": "lost"}


class OpportunityTrigger(CircuitTrigger):
    """Writes one ``Outcome`` record for each opportunity that was won or lost."""

    @trigger("Opportunity", ["afterInsert", "afterUpdate"], batch_size=200)
    async def record_outcome(self, context: Context) -> None:
        """Store the outcome beside the contact's score of the moment; a later change replaces it."""
        ended = []
        for record in context.new_records:
            if _end(record) and _end(record) != _old_end(record):
                ended.append(record)
            else:
                record.skip("not won or lost by this change")
        if not ended:
            return
        contact_ids = sorted({str(record["contact_id"]) for record in ended if record.get("contact_id")})
        contacts = await CircuitDB.get("Contact", contact_ids) if contact_ids else {}
        outcomes = []
        for record in ended:
            contact = contacts.get(str(record.get("contact_id"))) or {}
            outcomes.append(
                {
                    "id": f"opportunity-{record.id}",
                    "opportunity_id": record.id,
                    "contact_id": record.get("contact_id"),
                    "kind": "opportunity",
                    "result": _end(record),
                    "value": record.get("monetary_value"),
                    "at": context.now,
                    "lpr_score": contact.get("lpr_score"),
                    "lpr_weights_version": contact.get("lpr_weights_version"),
                }
            )
        await CircuitDB.upsert("Outcome", outcomes)
        CircuitLog.info(
            "outcomes recorded",
            won=sum(outcome["result"] == "won" for outcome in outcomes),
            lost=sum(outcome["result"] == "lost" for outcome in outcomes),
            unscored=sum(outcome["lpr_score"] is None for outcome in outcomes),
        )


def _end(record: Record) -> str | None:
    for name in ("status", "pipeline_stage_id"):
        end = ENDS.get(str(record.get(name) or "").strip().lower().replace(" ", ""))
        if end:
            return end
    return None


def _old_end(record: Record) -> str | None:
    return _end(record.old) if record.old is not None else None
