"""Handlers that misbehave, each in its own way."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, LimitExceeded, trigger


class Loops(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def in_c(self, context):
        sum(range(10**15))

    @trigger("Contact", ["afterInsert"])
    def sleeping(self, context):
        time.sleep(3600)

    @trigger("Contact", ["afterInsert"])
    def stubborn(self, context):
        while True:
            try:
                CircuitDB.query("Contact")
            except BaseException:
                continue

    @trigger("Contact", ["afterInsert"])
    def deaf(self, context):
        for number in range(signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        while True:
            try:
                sum(range(10**9))
            except BaseException:
                continue

    @trigger("Contact", ["afterInsert"])
    def in_threads(self, context):
        for _ in range(4):
            threading.Thread(target=lambda: sum(range(10**15)), daemon=True).start()
        time.sleep(3600)


class Memory(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def at_once(self, context):
        return len(bytearray(1024**3))

    @trigger("Contact", ["afterInsert"])
    def swallowed(self, context):
        held = []
        while True:
            try:
                held.append(bytearray(1024**2))
            except MemoryError:
                time.sleep(0.01)

    @trigger("Contact", ["afterInsert"])
    def shared(self, context):
        area = mmap.mmap(-1, 1024**3)
        for start in range(0, 1024**3, 4096):
            area[start] = 1


class Escapes(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def tries(self, context):
        """Log what each attempt came to: the error's name, or "escaped"."""
        libc = ctypes.CDLL(None, use_errno=True)
        parent = os.getppid()

        def call(number, *arguments):
            if libc.syscall(number, *arguments) < 0:
                raise OSError(ctypes.get_errno(), "refused")

        def datagrams():
            one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            one.sendto(b"x", "/dev/log")

        attempts = {
            "fork": os.fork,
            "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
            "exec": lambda: os.execv("/bin/true", ["true"]),
            "socket": socket.socket,
            "unix socket": lambda: socket.socket(socket.AF_UNIX),
            "datagrams": datagrams,
            "kill parent": lambda: os.kill(parent, signal.SIGTERM),
            "signal parent 0": lambda: os.kill(parent, 0),
            "kill all": lambda: os.kill(-1, signal.SIGTERM),
            "pidfd": lambda: os.pidfd_open(parent),
            "limit parent": lambda: __import__("resource").prlimit(parent, 0, (1, 1)),
            "own signals": lambda: __import__("fcntl").fcntl(3, 8, parent),
            "ptrace": lambda: call(101 if os.uname().machine == "x86_64" else 117, 16, parent, 0, 0),
            "unshare": lambda: call(272 if os.uname().machine == "x86_64" else 97, 0x10000000),
            "memfd": lambda: os.memfd_create("x"),
            "undumpable": lambda: _checked(libc.prctl(4, 1, 0, 0, 0)),
            "pdeathsig": lambda: _checked(libc.prctl(1, 0, 0, 0, 0)),
            "parent environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
            "own environment": lambda: Path("/proc/self/environ").read_bytes(),
            "passwords": lambda: Path("/etc/shadow").read_text(),
            "settings": lambda: Path(f"{os.getcwd()}/pyproject.toml").read_text(),
            "home": lambda: os.listdir(os.path.expanduser("~")),
            "write": lambda: Path("/tmp/circuitos-escape").write_text("x"),
            "write beside": lambda: Path(f"{__file__}.x").write_text("x"),
            "unlink": lambda: os.unlink(__file__),
            "chmod": lambda: os.chmod(__file__, 0o777),
            "raise files": lambda: __import__("resource").setrlimit(7, (4096, 4096)),
            "perf": lambda: call(298 if os.uname().machine == "x86_64" else 241, 0, 0, -1, -1, 0),
            "io_uring": lambda: call(425, 1, 0),
            "clone3": lambda: call(435, 0, 0),
        }
        for name, attempt in attempts.items():
            try:
                attempt()
            except BaseException as error:
                CircuitLog.info(name, type(error).__name__)
            else:
                CircuitLog.info(name, "escaped")

    @trigger("Contact", ["afterInsert"])
    def environment(self, context):
        CircuitLog.info("environment", dict(os.environ))

    @trigger("Contact", ["afterInsert"])
    def files(self, context):
        """The numbers of the files it has open."""
        open_ = []
        for number in range(1024):
            try:
                os.fstat(number)
            except OSError:
                continue
            open_.append(number)
        CircuitLog.info("files", open_)

    @trigger("Contact", ["afterInsert"])
    def thread_bomb(self, context):
        """Stacks so small that memory does not end it."""
        threading.stack_size(32 * 1024)
        while True:
            try:
                threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)

    @trigger("Contact", ["afterInsert"])
    def threads(self, context):
        seen = []
        threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 10


class Liars(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def garbage(self, context):
        os.write(3, b"\x00\x00\x00\x05junk!")
        time.sleep(60)

    @trigger("Contact", ["afterInsert"])
    def huge_frame(self, context):
        os.write(3, b"\xff\xff\xff\xff")
        time.sleep(60)

    @trigger("Contact", ["afterInsert"])
    def half_a_frame(self, context):
        os.write(3, b"\x00\x00\x10\x00half")
        os._exit(0)

    @trigger("Contact", ["afterInsert"])
    def forged(self, context):
        """Claims success for a record that is another tenant's."""
        from governor.jail.wire import pack

        os.write(3, pack({"t": "done", "outcomes": {"somebody": ["ok", "", None]}}))
        time.sleep(60)

    @trigger("Contact", ["afterInsert"])
    def nonsense(self, context):
        """Requests that the SDK would never send; logs the code each was refused with."""
        from circuitos.script.session import current

        channel = current().channel
        for op, args in [
            ("records.drop", {}),
            ("records.query", {"object": "x; DROP TABLE y"}),
            ("records.query", {"object": "Contact", "where": {"a__nope": 1}}),
            ("records.query", {"object": "Contact", "limit": "all"}),
            ("records.get", {"object": "Contact", "ids": [1]}),
            ("records.update", {"object": "Contact", "rows": "c1"}),
            ("task.create", {"title": float("nan")}),
            ("http", {"method": 5, "url": []}),
            ("http", {"method": "GET", "url": "file:///etc/passwd"}),
            ("enrich", {"source": "nobody", "records": []}),
            ("ai.ask", {"prompt": None}),
            ("http", {"method": "POST", "url": "http://example.com", "json": {1: 2, "a": 3}}),
            ("records.query", {"object": "Contact", "where": {"a": "nul\0"}}),
            ("records.query", {"object": "Contact", "where": {"a__gt": b"bytes"}}),
            ("records.query", {"object": "Contact", "where": {"a__in": 5}}),
            ("records.query", {"object": "Contact", "limit": -1}),
            ("records.query", {"object": "Contact", "order_by": "a; b"}),
        ]:
            try:
                channel.request(op, args)
            except Exception as error:
                CircuitLog.info(op, error.code)
            else:
                CircuitLog.info(op, "done")

    @trigger("Contact", ["afterInsert"])
    def shouts(self, context):
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000 + "\n")
        os.write(1, b"x" * 1_000_000)

    @trigger("Contact", ["afterInsert"])
    def chatters(self, context):
        from circuitos.script.session import current

        for number in range(5_000):
            current().channel.notify("log", {"level": "info", "message": str(number)})

    @trigger("Contact", ["afterInsert"])
    def chatters_on(self, context):
        """Returns, and leaves threads behind that never stop talking."""
        from circuitos.script.session import current

        channel = current().channel

        def talk():
            while True:
                channel.notify("log", {"level": "info", "message": "still here"})

        for _ in range(6):
            threading.Thread(target=talk, daemon=True).start()

    @trigger("Contact", ["afterInsert"])
    def leaves(self, context):
        os._exit(7)

    @trigger("Contact", ["afterInsert"])
    def crashes(self, context):
        ctypes.string_at(0)

    @trigger("Contact", ["afterInsert"])
    def exits(self, context):
        sys.exit("enough")

    @trigger("Contact", ["afterInsert"])
    def raises(self, context):
        raise ValueError("no such lead")

    @trigger("Contact", ["afterInsert"])
    def swallows(self, context):
        """Goes on after a limit as if nothing had happened."""
        for _ in range(5):
            try:
                CircuitDB.query("Contact")
            except BaseException as error:
                CircuitLog.info("swallowed", isinstance(error, LimitExceeded))


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "refused")
