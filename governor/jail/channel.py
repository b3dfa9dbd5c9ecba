"""The runner's end of the socket: many requests under way at once, from threads and from asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from circuitos.script.errors import CircuitError, from_wire
from governor.jail.wire import Frames, WireError, pack, unpack

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable

_CHUNK = 256 * 1024
_DONT_WAIT = 0x40  # MSG_DONTWAIT


class _Waiter:
    """One request under way."""

    __slots__ = ("answer", "future", "is_done", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop
        self.future: asyncio.Future[Any] | None = loop.create_future() if loop else None
        self.answer: dict[str, Any] = {}
        self.is_done = False

    def settle(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.is_done = True
        if self.loop is None or self.loop.is_closed():
            return
        if _running_loop() is self.loop:
            self._wake()
        else:
            self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        future = self.future
        if future is None or future.done():
            return  # cancelled meanwhile
        if "err" in self.answer:
            future.set_exception(from_wire(self.answer["err"]))
        else:
            future.set_result(self.answer.get("ok"))


class SocketChannel:
    """A ``Channel`` over one stream socket. Whoever waits reads for all: there is no reader thread."""

    def __init__(self, sock: socket.socket, limits: dict[str, list[float]]) -> None:
        self.limits = limits
        self._sock = sock
        self._frames = Frames()
        self._sending = threading.Lock()
        self._turn = threading.Condition()
        self._is_reading = False
        self._waiters: dict[int, _Waiter] = {}
        self._loops: Counter[asyncio.AbstractEventLoop] = Counter()
        self._last = 0

    def request(self, op: str, args: dict[str, Any], *, at: str = "", record: str = "") -> Any:
        """Ask and wait for the answer."""
        waiter = _Waiter()
        self._ask(waiter, op, args, at, record)
        while True:
            with self._turn:
                while self._is_reading and not waiter.is_done:
                    self._turn.wait()
                if waiter.is_done:
                    break
                self._is_reading = True
            self._read(flags=0)
        if "err" in waiter.answer:
            raise from_wire(waiter.answer["err"])
        return waiter.answer.get("ok")

    def request_async(
        self, op: str, args: dict[str, Any], *, at: str = "", record: str = ""
    ) -> Awaitable[Any]:
        """Ask now; the awaitable gives the answer."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop)
        assert waiter.future is not None
        self._ask(waiter, op, args, at, record)
        if not self._loops[loop]:
            loop.add_reader(self._sock.fileno(), self._on_readable)
        self._loops[loop] += 1
        waiter.future.add_done_callback(lambda _: self._leave(loop))
        return waiter.future

    def notify(self, kind: str, payload: dict[str, Any]) -> None:
        """Tell, without an answer."""
        self._send({**payload, "t": kind})

    def _ask(self, waiter: _Waiter, op: str, args: dict[str, Any], at: str, record: str) -> None:
        with self._turn:
            self._last += 1
            number = self._last
            self._waiters[number] = waiter
        try:
            asked = {"t": "req", "id": number, "op": op, "args": args, "at": at}
            self._send({**asked, "record": record} if record else asked)
        except BaseException:
            self._waiters.pop(number, None)
            raise

    def send_last(self, frame: bytes) -> None:
        """Send a frame and let no thread send another: the script's own may still run, and log."""
        self._sending.acquire()
        self._sock.setblocking(True)  # noqa: FBT003
        self._sock.sendall(frame)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            frame = pack(message)
        except WireError as error:
            raise CircuitError(str(error), code="script.cannot-send") from error
        with self._sending:
            self._sock.sendall(frame)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loops[loop] -= 1
        if not self._loops[loop]:
            del self._loops[loop]
            loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        with self._turn:
            if self._is_reading:
                return  # a thread that waits reads for us
            self._is_reading = True
        self._read(flags=_DONT_WAIT)

    def _read(self, *, flags: int) -> None:
        """Read once and hand out what came. The caller holds the reader's turn."""
        try:
            data = self._sock.recv(_CHUNK, flags)
            if not data:
                os._exit(1)  # the broker is gone: nothing this run does can count
            for frame in self._frames.feed(data):
                answer = unpack(frame)
                self.limits.update(answer.get("limits") or {})
                waiter = self._waiters.pop(answer["id"], None)
                if waiter is not None:
                    waiter.settle(answer)
        except BlockingIOError:
            pass
        finally:
            with self._turn:
                self._is_reading = False
                self._turn.notify_all()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
