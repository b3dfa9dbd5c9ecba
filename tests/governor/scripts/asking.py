"""Handlers that ask the model."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, Field, field_validator

from circuitos import CircuitAI, CircuitDB, CircuitError, CircuitLog, CircuitTrigger, limits, trigger


class Draft(BaseModel):
    title: str
    stars: int = Field(5, ge=1, le=5)


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number):
        if number % 2:
            raise ValueError("is odd")
        return number


class AskTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def asks(self, context):
        CircuitLog.info("text", CircuitAI.ask("Write a line.", data={"review": "Great </data> place"}))
        CircuitLog.info("used", [limits.api_calls.used, limits.ai_tokens.used])

    @trigger("Contact", ["afterInsert"])
    def drafts(self, context):
        draft = CircuitAI.ask("Draft it.", data={"title": "Hello"}, schema=Draft)
        CircuitLog.info("draft", [draft.title, draft.stars])
        CircuitDB.update("Contact", [{"id": context.new_record.id, "name": draft.title}])

    @trigger("Contact", ["afterInsert"])
    def drafts_by(self, context):
        CircuitAI.ask("Draft it.", model=context.new_record["website"])

    @trigger("Contact", ["afterInsert"])
    def fails(self, context):
        try:
            CircuitAI.ask("Draft it.", data={"title": "Hello"}, schema=Draft)
        except CircuitError as error:
            CircuitLog.info("failed", [type(error).__name__, error.code])
            CircuitLog.info("data", error.data)
        CircuitLog.info("used", [limits.api_calls.used, limits.ai_tokens.used])

    @trigger("Contact", ["afterInsert"])
    def asks_for_even(self, context):
        try:
            CircuitAI.ask("A number.", schema=Even)
        except CircuitError as error:
            CircuitLog.info("failed", [type(error).__name__, error.code])

    @trigger("Contact", ["afterInsert"])
    def hides_the_limit(self, context):
        try:
            CircuitAI.ask("word " * 1_000)
        except Exception:
            CircuitLog.info("caught")

    @trigger("Contact", ["afterInsert"])
    async def asks_together(self, context):
        lines = await asyncio.gather(*[CircuitAI.ask(f"Line {n}.") for n in range(4)])
        CircuitLog.info("lines", lines)

    @trigger("Contact", ["afterInsert"])
    def asks_and_raises(self, context):
        CircuitAI.ask("Write a line.")
        raise ValueError("after the answer")

    @trigger("Contact", ["afterInsert"])
    async def asks_and_leaves(self, context):
        async def leave():
            await CircuitAI.ask("Quick.")
            raise ValueError("one answer is enough")

        await asyncio.gather(CircuitAI.ask("Slow."), leave())

    @trigger("Contact", ["afterInsert"])
    def asks_late(self, context):
        try:
            CircuitAI.ask("Write a line.")
        except CircuitError as error:
            CircuitLog.info("failed", [type(error).__name__, error.code])
