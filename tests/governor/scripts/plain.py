"""Handlers that behave."""

from __future__ import annotations

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger


class PlainTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def nothing(self, context):
        pass

    @trigger("Contact", ["afterInsert"])
    def greet(self, context):
        CircuitLog.info("hello", size=context.size)

    @trigger("Contact", ["afterInsert"])
    def score(self, context):
        saved = CircuitDB.update("Contact", [{"id": record.id, "score": 7} for record in context.new_records])
        assert all(result.ok for result in saved)

    @trigger("Contact", ["afterInsert"])
    async def score_async(self, context):
        await CircuitDB.update("Contact", [{"id": record.id, "score": 7} for record in context.new_records])
