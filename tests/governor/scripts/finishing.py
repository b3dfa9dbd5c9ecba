"""Handlers that come to a limit, and what their classes do then."""

from __future__ import annotations

import time

from circuitos import CircuitDB, CircuitLog, CircuitMonitor, CircuitTrigger, LimitExceeded, trigger


class Tells(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def counted(self, context):
        CircuitLog.info("begun")
        for record in context.new_records:
            CircuitDB.insert("Note", [{"body": record.id}])

    @trigger("Contact", ["afterInsert"])
    def killed(self, context):
        for _ in context.new_records:
            sum(range(10**15))

    @trigger("Contact", ["afterInsert"])
    def eats(self, context):
        return len(bytearray(1024**3))

    def on_limit(self, context, error):
        assert isinstance(error, LimitExceeded)
        CircuitLog.warning("stopped", [error.limit, error.used > error.max, error.at, error.record])
        CircuitMonitor.alert_on_error(error, context)
        CircuitDB.create_task("Look at it", record_id=error.record or context.new_records[0])


class Waits(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def counted(self, context):
        CircuitDB.insert("Note", [{"body": "x"}] * 5)

    async def on_limit(self, context, error):
        await CircuitDB.update(
            "Contact", [{"id": record.id, "stopped": True} for record in context.new_records]
        )


class Greedy(Waits):
    async def on_limit(self, context, error):
        await CircuitDB.insert("Note", [{"body": "x"}] * 21)


class Slow(Waits):
    def on_limit(self, context, error):
        CircuitDB.insert("Note", [{"body": "x"}])
        while True:
            time.sleep(1)


class Broken(Waits):
    def on_limit(self, context, error):
        CircuitDB.insert("Note", [{"body": "x"}])
        raise ValueError("not my day")
