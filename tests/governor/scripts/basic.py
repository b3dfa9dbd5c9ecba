"""Handlers that only a basic jail lets fork."""

from __future__ import annotations

import os
import time

from circuitos import CircuitLog, CircuitTrigger, trigger


def child(*, leaves_the_group=False):
    pid = os.fork()
    if pid == 0:
        if leaves_the_group:
            os.setsid()
        time.sleep(3600)
        os._exit(0)
    return pid


class Forks(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def returns(self, context):
        CircuitLog.info("children", [child(), child(leaves_the_group=True)])

    @trigger("Contact", ["afterInsert"])
    def hangs(self, context):
        CircuitLog.info("children", [child(leaves_the_group=number % 2 == 0) for number in range(10)])
        time.sleep(3600)
