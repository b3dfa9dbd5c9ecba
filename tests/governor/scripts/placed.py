"""Handlers that come to a limit at a known record."""

from __future__ import annotations

import asyncio
import os
import signal

from circuitos import CircuitDB, CircuitTrigger, trigger


class Places(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def counted(self, context):
        for record in context.new_records:
            CircuitDB.insert("Note", [{"body": record.id}])  # counted

    @trigger("Contact", ["afterInsert"])
    async def side_by_side(self, context):
        await asyncio.gather(*[self.one(record) for record in context.new_records])

    async def one(self, record):
        await CircuitDB.insert("Note", [{"body": record.id}])

    @trigger("Contact", ["afterInsert"])
    def silent(self, context):
        for record in context.new_records:
            if record.id == "c2":
                sum(range(10**15))  # silent

    @trigger("Contact", ["afterInsert"])
    def after_the_loop(self, context):
        for record in context.new_records:
            CircuitDB.insert("Note", [{"body": record.id}])
        sum(range(10**15))

    @trigger("Contact", ["afterInsert"])
    def eats(self, context):
        held = []
        for record in context.new_records:
            while record.id == "c2":
                held.append(bytearray(1024**2))  # eats

    @trigger("Contact", ["afterInsert"])
    def raises(self, context):
        for record in context.new_records:
            if record.id == "c2":
                raise ValueError("not this one")

    @trigger("Contact", ["afterInsert"])
    def deaf(self, context):
        for record in context.new_records:
            CircuitDB.insert("Note", [{"body": record.id}])  # deaf
            if record.id == "c2":
                signal.signal(signal.SIGUSR2, signal.SIG_IGN)
                sum(range(10**15))

    @trigger("Contact", ["afterInsert"])
    def lies(self, context):
        from circuitos.script.batch import here

        here.note("somebody-elses")
        os.write(4, b'  File "/etc/shadow", line 1 in x\n' * 10)
        sum(range(10**15))
