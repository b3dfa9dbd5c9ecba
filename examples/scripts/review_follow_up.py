"""Follows reviews up: thanks go out as drafts, complaints become tasks for a person."""

from __future__ import annotations

from pydantic import BaseModel, Field

from circuitos import CircuitAI, CircuitDB, CircuitLog, CircuitTrigger, Settings, trigger


class Review(BaseModel):
    """What a review must look like to be handed over; others are quarantined with their reasons."""

    id: str
    stars: int = Field(ge=1, le=5)
    text: str | None = None
    contact_id: str | None = None


class Draft(BaseModel):
    """What the model has to answer with."""

    reply: str = Field(max_length=600)


class ReviewTrigger(CircuitTrigger):
    class Settings(Settings):
        complaint_up_to: int = Field(2, ge=1, le=4, title="Stars up to which a review is a complaint")
        drafts_a_batch: int = Field(20, ge=0, le=40, title="Reply drafts written in one execution")

    @trigger("Review", ["afterInsert"], batch_size=100, schema=Review, when=lambda review: not review.get("is_answered"))
    async def follow_up(self, context):
        complaints = [review for review in context.new_records if review.stars <= self.settings.complaint_up_to]
        praise = [review for review in context.new_records if review.stars > self.settings.complaint_up_to]

        for review in complaints:
            await CircuitDB.create_task(
                f"Answer a {review.stars}-star review",
                record_id=review.get("contact_id") or review,
                priority="high",
                body=review.text or "",
            )

        drafts = []
        for review in praise[: min(self.settings.drafts_a_batch, context.limits.api_calls.left)]:
            # The review is a stranger's text: it goes in as data, never into the prompt.
            draft = await CircuitAI.ask(
                "Write a thankful reply of 40 to 80 words to this review.", data={"review": review.text}, schema=Draft
            )
            drafts.append({"id": review.id, "reply_draft": draft.reply})
        if drafts:
            await CircuitDB.update("Review", drafts)
        CircuitLog.info("followed up", complaints=len(complaints), drafts=len(drafts))
