"""Handlers that call out. The address stands in the record's ``website``."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from functools import partial

from circuitos import (
    CalloutError,
    CircuitDB,
    CircuitError,
    CircuitLog,
    CircuitMonitor,
    CircuitTrigger,
    http,
    limits,
    trigger,
)


class CallTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def gets(self, context):
        answer = http.get(context.new_record["website"], headers={"x-key": "{{secret:KEY}}"})
        CircuitLog.info("answer", [answer.status, answer.text])
        CircuitLog.info("calls", [limits.api_calls.used, limits.api_calls.max])

    @trigger("Contact", ["afterInsert"])
    def posts(self, context):
        answer = http.post(context.new_record["website"], json={"lead": context.new_record.id})
        CircuitLog.info("answer", [answer.status, answer.text])

    @trigger("Contact", ["afterInsert"])
    def posts_and_raises(self, context):
        http.post(context.new_record["website"], json={"lead": context.new_record.id})
        raise ValueError("after the post")

    @trigger("Contact", ["afterInsert"])
    async def many(self, context):
        url = context.new_record["website"]
        answers = await asyncio.gather(*[http.get(f"{url}?n={n}") for n in range(20)])
        CircuitLog.info("answers", [answer.text for answer in answers])

    @trigger("Contact", ["afterInsert"])
    def one_too_many(self, context):
        for n in range(51):
            http.get(f"{context.new_record['website']}?n={n}")

    @trigger("Contact", ["afterInsert"])
    def fails(self, context):
        try:
            http.get(context.new_record["website"], timeout=0.3)
        except CircuitError as error:
            CircuitLog.info("failed", [type(error).__name__, error.code])

    @trigger("Contact", ["afterInsert"])
    def waits(self, context):
        try:
            http.get(context.new_record["website"], timeout=30)
        except CalloutError as error:
            CircuitLog.info("failed", error.code)

    @trigger("Contact", ["afterInsert"])
    def enriches(self, context):
        facts = CircuitDB.batch_enrich(context.new_records, ["census"])
        CircuitLog.info("facts", {key: facts.of(key, "census").get("zip") for key in facts})

    @trigger("Contact", ["afterInsert"])
    async def alerts(self, context):
        CircuitMonitor.alert_on_error("odd", context)

    @trigger("Contact", ["afterInsert"])
    def asks_as_told(self, context):
        """Make the requests that stand in the record's ``custom_fields``, one after the other."""
        for method, more in context.new_record["custom_fields"]["requests"]:
            try:
                answer = http.request(method, **{"url": context.new_record["website"], **more})
                CircuitLog.info("answer", [answer.status, answer.text, answer.url])
            except CircuitError as error:
                CircuitLog.info("error", [type(error).__name__, error.code])

    @trigger("Contact", ["afterInsert"])
    def insists(self, context):
        http.get(context.new_record["website"]).raise_for_status()

    @trigger("Contact", ["afterInsert"])
    def walks_away(self, context):
        """Ask for as many answers as threads wait for, and wait for none."""
        url = context.new_record["website"]
        for n in range(16):
            ask = partial(contextvars.copy_context().run, http.get, f"{url}?n={n}", timeout=20)
            threading.Thread(target=ask, daemon=True).start()
        time.sleep(0.5)
