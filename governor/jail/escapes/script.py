"""The self-test's script: one handler tries all that the kernel must refuse, the others lie to the broker."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from typing import Any

from circuitos.script import CircuitDB, CircuitLog, CircuitTrigger, limits, trigger
from circuitos.script.session import current
from governor.jail.channel import SocketChannel
from governor.jail.escapes import files, kernel, world  # noqa: F401 — they register what is tried
from governor.jail.escapes.attempt import ATTEMPTS, outcome
from governor.jail.runner import SOCKET_FD
from governor.jail.wire import MAX_FRAME, pack

_ROW = [{"body": "x"}]
_MIB = 1024 * 1024


def _after_insert(function: Any) -> Any:
    return trigger("Contact", ["afterInsert"])(function)


def _channel() -> SocketChannel:
    channel = current().channel
    assert isinstance(channel, SocketChannel)
    return channel


class Tries(CircuitTrigger):
    """What the kernel must refuse. Which of it is tried stands in the hints, which are its settings."""

    @_after_insert
    def all(self, context: Any) -> None:
        for tried in ATTEMPTS:
            if tried.wall in context.settings["walls"]:
                CircuitLog.info(tried.name, [*outcome(tried, context.settings), tried.wall, tried.is_grave])


class Lies(CircuitTrigger):
    """What the broker must not believe, and what must be stopped from outside."""

    @_after_insert
    def swallows(self, context: Any) -> None:
        """Goes on after the limit as if nothing had happened."""
        for _ in range(4):
            try:
                CircuitDB.insert("Note", _ROW)
            except BaseException as error:
                CircuitLog.info("swallowed", type(error).__name__)

    @_after_insert
    def patches(self, context: Any) -> None:
        """Tells the SDK that nothing was used, and that there is no limit."""
        session = current()
        type(session).refuse_late = lambda self: None  # type: ignore[method-assign]
        type(limits).__getattr__ = lambda self, name: None  # type: ignore[assignment,method-assign,return-value]
        for _ in range(4):
            session.channel.limits["records_written"] = [0, 10**9]
            try:
                session.channel.request("records.insert", {"object": "Note", "rows": _ROW})
            except BaseException:
                session.limit = None

    @_after_insert
    def foreign(self, context: Any) -> None:
        """An outcome of a record that is no one's here."""
        _say({"t": "done", "outcomes": {"somebody-elses": ["ok", "", None]}})

    @_after_insert
    def twice(self, context: Any) -> None:
        """A report, and after it another and a change."""
        done = {"t": "done", "outcomes": {record.id: ["ok", "", None] for record in context.new_records}}
        late = {"t": "req", "id": 9, "op": "records.insert", "args": {"object": "Note", "rows": _ROW}}
        os.write(SOCKET_FD, pack(done) + pack(late) + pack(done))
        time.sleep(60)

    @_after_insert
    def answers(self, context: Any) -> None:
        """An answer, which only the broker gives."""
        _say({"t": "res", "id": 1, "ok": {}})

    @_after_insert
    def huge(self, context: Any) -> None:
        """A frame longer than there may be."""
        os.write(SOCKET_FD, (MAX_FRAME + 1).to_bytes(4, "big"))
        time.sleep(60)

    @_after_insert
    def garbage(self, context: Any) -> None:
        os.write(SOCKET_FD, b"\0\0\0\5junk!")
        time.sleep(60)

    @_after_insert
    def numbered(self, context: Any) -> None:
        """Two requests of one number: each is counted."""
        request = {"t": "req", "id": 1, "op": "records.insert", "args": {"object": "Note", "rows": _ROW}}
        os.write(SOCKET_FD, pack(request) + pack(request))
        CircuitDB.insert("Note", _ROW)

    @_after_insert
    def floods(self, context: Any) -> None:
        """More log lines than are kept."""
        channel = _channel()
        for number in range(500):
            channel.notify("log", {"level": "info", "message": str(number)})

    @_after_insert
    def lingers(self, context: Any) -> None:
        """Has things left to do when its report is out: an exit handler, and a thread."""
        channel = _channel()

        def insert() -> None:
            channel.request("records.insert", {"object": "Note", "rows": _ROW})

        def watch() -> None:
            while current_is_open():
                time.sleep(0.001)
            while True:
                insert()

        session = current()

        def current_is_open() -> bool:
            return session.is_open

        atexit.register(insert)
        threading.Thread(target=watch, daemon=True).start()

    @_after_insert
    def hoards(self, context: Any) -> None:
        """Swallows each MemoryError and asks for more."""
        held: list[bytearray] = []
        while True:
            try:
                held.append(bytearray(_MIB))
            except MemoryError:
                time.sleep(0.001)

    @_after_insert
    def deaf(self, context: Any) -> None:
        """Ignores all signals, swallows all exceptions, computes in C."""
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        while True:
            try:
                sum(range(10**9))
            except BaseException:  # noqa: S112 — that is what is tried
                continue

    @_after_insert
    def multiplies(self, context: Any) -> None:
        """Threads without an end, with stacks too small for memory to end them."""
        threading.stack_size(32 * 1024)
        while True:
            try:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)


def _say(message: dict[str, Any]) -> None:
    os.write(SOCKET_FD, pack(message))
    time.sleep(60)
