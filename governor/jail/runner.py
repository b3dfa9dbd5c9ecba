"""The child that runs one execution: it locks the door behind itself, runs the handler, reports and ends."""

from __future__ import annotations

import faulthandler
import os
import socket
from typing import Any, NoReturn

from circuitos.script.execute import execute
from circuitos.script.loading import find_handler
from governor.jail import process, seccomp
from governor.jail.channel import SocketChannel
from governor.jail.lookout import ASK
from governor.jail.wire import Frames, WireError, pack, unpack

SOCKET_FD = 3
TELL_FD = 4
_CHUNK = 256 * 1024


def become(fd: int, tell: int, *, parent: int, warm_bytes: int, program: bytes | None) -> NoReturn:
    """Turn the process just forked into the runner of the execution that arrives on ``fd``. Never returns.

    ``tell`` is where it says its place when it is asked; ``program`` the filter to install, None in a basic
    jail.
    """
    try:
        os.setsid()
        os.dup2(fd, SOCKET_FD)
        os.dup2(tell, TELL_FD)
        os.closerange(TELL_FD + 1, 1 << 16)
        faulthandler.register(ASK, file=TELL_FD, all_threads=False)
        process.die_with_parent()
        if os.getppid() != parent:  # it died before we asked to die with it
            os._exit(1)
        sock = socket.socket(fileno=SOCKET_FD)
        start = _receive(sock)
        limits = start["limits"]
        process.limit_runner(
            cpu_seconds=-(-int(limits["cpu_ms"][1]) // 1000),
            memory_bytes=int(limits["memory_mb"][1]) * 1024 * 1024,
            warm_bytes=warm_bytes,
        )
        if program is None:
            process.limit_tasks()
        else:
            seccomp.install(program)
        channel = SocketChannel(sock, limits)
        _report(channel, _run(start, channel))
        # Not by sys.exit: no script's exit handler, finaliser or thread runs after the report.
        os._exit(0)
    finally:
        os._exit(1)


def _run(start: dict[str, Any], channel: SocketChannel) -> dict[str, Any]:
    try:
        return execute(find_handler(start["module"], start["cls"], start["method"]), start, channel)
    except BaseException as error:  # whatever the script threw, the broker must hear of it
        return {
            "outcomes": {},
            "error": {
                "code": "script.raised",
                "type": type(error).__name__,
                "detail": str(error)[:2000],
                "traceback": "",
                "at": "",
            },
        }


def _receive(sock: socket.socket) -> dict[str, Any]:
    frames = Frames()
    while True:
        data = sock.recv(_CHUNK)
        if not data:
            os._exit(1)
        for frame in frames.feed(data):
            start: dict[str, Any] = unpack(frame)
            return start


def _report(channel: SocketChannel, done: dict[str, Any]) -> None:
    try:
        frame = pack({**done, "t": "done"})
    except WireError as error:
        fault = {
            "code": "script.cannot-send",
            "type": "WireError",
            "detail": str(error),
            "traceback": "",
            "at": "",
        }
        frame = pack({"t": "done", "outcomes": {}, "error": fault})
    channel.send_last(frame)
