"""Contact triggers: score the leads that came in or showed new intent, and call people to the hot ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos import CircuitDB, CircuitError, CircuitLog, CircuitTrigger, VirtualLPR, trigger
from circuitos.agents.virtual_lpr import NOT_ENOUGH, changed_signals

if TYPE_CHECKING:
    from circuitos.script.context import Context
    from circuitos.script.record import Record

REASONS = 5  # the task names the strongest


class ContactTrigger(CircuitTrigger):
    """Virtual LPR for contacts: one census call and one update for a whole batch."""

    @trigger("Contact", ["afterInsert"], batch_size=200)
    async def score_new_leads(self, context: Context) -> None:
        """Score every new contact."""
        await _score(context, context.new_records)

    @trigger("Contact", ["afterUpdate"], batch_size=200)
    async def rescore_on_intent_change(self, context: Context) -> None:
        """Score again the contacts of which a field that feeds the score changed."""
        leads = []
        for record in context.new_records:
            if changed_signals(record, record.old, settings=context.tenant.settings):
                leads.append(record)
            else:
                record.skip("no scoring field changed")
        await _score(context, leads)


async def _score(context: Context, leads: list[Record]) -> None:
    if not leads:
        return
    scores = await VirtualLPR.score_leads(leads, await _facts(leads))
    # Before the update: what the score was is what the records still say.
    newly_hot = [
        (lead, score)
        for lead, score in zip(leads, scores, strict=True)
        if score["lpr_hot"] and not lead.get("lpr_hot")
    ]
    for lead, saved in zip(leads, await CircuitDB.update("Contact", scores), strict=True):
        if not saved.ok:
            lead.fail("; ".join(saved.errors))
    for lead, score in newly_hot:
        await CircuitDB.create_task(
            f"URGENT: Hot lead scored {score['lpr_score']:g}/100",
            record_id=lead,
            due_at=context.now,
            priority="critical",
            body=_reasons(score),
        )
    CircuitLog.info(
        "scored",
        leads=len(scores),
        hot=sum(score["lpr_hot"] for score in scores),
        tasks=len(newly_hot),
        not_enough_data=sum(score["lpr_grade"] == NOT_ENOUGH for score in scores),
        low_confidence=sum(score["lpr_needs_review"] for score in scores),
        weights=scores[0]["lpr_weights_version"],
    )


async def _facts(leads: list[Record]) -> Any:
    """Census facts in one call, what the leads did in one query; the trace says when one is not had."""
    try:
        return await CircuitDB.batch_enrich(leads, ["census", "activity"])
    except CircuitError as error:
        CircuitLog.warning("scored without census facts", error=error.detail, code=error.code)
        return await CircuitDB.batch_enrich(leads, ["activity"])


def _reasons(score: dict[str, Any]) -> str:
    strongest = sorted(score["lpr_attribution"], key=lambda line: line["points"], reverse=True)[:REASONS]
    lines = [f"+{line['points']:g} {line['label']} ({line['source']})" for line in strongest]
    return "\n".join([f"Grade {score['lpr_grade']}, confidence {score['lpr_confidence']}.", *lines])
