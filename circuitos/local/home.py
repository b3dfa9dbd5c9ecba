"""The home folder (``CIRCUITOS_HOME``): its lock, its generated secrets, its short socket folder."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

SOCKET_ADDRESS_LIMIT = 107  # bytes, the kernel's
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
# What a command needs to work on a running installation.
ANNOUNCED = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "DEBUG",
    "PORT",
    "CIRCUITOS_SCRIPTS",
    "EGRESS_ALLOW",
)
# How long an earlier run that was killed may take to see its children off.
TIDY_SECONDS = 20.0


class LocalError(Exception):
    """Something here stands in the way; the message says what and what to do about it."""


def prepare(home: Path) -> Path:
    """Make the home folder, for its owner alone, and return its absolute address."""
    home = Path(os.path.abspath(home))
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        (home / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise LocalError(f"The home folder {home} cannot be used: {error.strerror}.") from error
    return home


class Lock:
    """One run for one home folder; held by the run and by the reaper it leaves behind."""

    def __init__(self, home: Path) -> None:
        self.path = home / "up.lock"
        self.handle = -1

    def take(self, *, tell: Callable[[str], None]) -> bool:
        """Take it. Returns whether an earlier run ended without stopping; raises when one is running."""
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + TIDY_SECONDS
        is_told = False
        while not self._try():
            holder = self._holder()
            if holder and _is_alive(holder):
                raise LocalError(
                    f"CircuitOS already runs on {self.path.parent} (process {holder}). "
                    "Stop it with Ctrl-C, or set CIRCUITOS_HOME and PORT for a second one."
                )
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Processes of an earlier run still hold {self.path}; end them and try again."
                )
            if not is_told:
                tell("An earlier run was killed; waiting for the last of its processes to end …")
                is_told = True
            time.sleep(0.1)
        was_killed = self._holder() is not None
        os.truncate(self.handle, 0)
        os.pwrite(self.handle, str(os.getpid()).encode(), 0)
        return was_killed

    def release(self) -> None:
        """Give it back: an empty file says the run stopped in order."""
        os.truncate(self.handle, 0)
        os.close(self.handle)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}:
                return False
            raise
        return True

    def _holder(self) -> int | None:
        text = os.pread(self.handle, 20, 0)
        return int(text) if text.isdigit() else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def keys(home: Path) -> dict[str, str]:
    """The secrets of this installation, generated once and kept for the owner alone."""
    path = home / "secrets.json"
    try:
        stored: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        stored = {}
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} cannot be read ({error}); it holds this installation's keys.") from error
    wanted = {
        "SECRET_KEY": lambda: secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": lambda: (
            f"{secrets.token_hex(2)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        ),
        "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(24),
    }
    missing = [name for name in wanted if name not in stored]
    if missing:
        stored.update({name: wanted[name]() for name in missing})
        write_private(path, json.dumps(stored, indent=2) + "\n")
    return stored


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def announce(home: Path, environ: Mapping[str, str]) -> None:
    """Tell other commands on this machine how the running servers are reached and with which keys."""
    told = {name: environ[name] for name in ANNOUNCED if environ.get(name)}
    write_private(home / "environ.json", json.dumps(told, indent=2) + "\n")


def retract(home: Path) -> None:
    """Take the announcement back when the servers stop."""
    (home / "environ.json").unlink(missing_ok=True)


def adopt(environ: MutableMapping[str, str], home: Path) -> bool:
    """Use what a run of `up` on ``home`` announced, unless ``DATABASE_URL`` says where to go."""
    if environ.get("DATABASE_URL"):
        return False
    try:
        holder = (home / "up.lock").read_text()
        told = json.loads((home / "environ.json").read_text())
    except (OSError, ValueError):
        return False
    if not holder.isdigit() or not _is_alive(int(holder)):
        return False
    for name, value in told.items():
        environ.setdefault(name, value)
    return True


def socket_folder(home: Path, *, part: str) -> Path:
    """A private folder whose sockets have plain, short addresses: in ``home``, or a temporary one for it."""
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    temporary = f"circuitos-{os.getuid()}-{name}"
    candidates = (home / "run", Path(tempfile.gettempdir()) / temporary, Path("/tmp") / temporary)  # noqa: S108
    for parent in candidates:
        folder = parent / part
        if len(os.fsencode(folder)) + len(LONGEST_SOCKET_NAME) <= SOCKET_ADDRESS_LIMIT and PLAIN.issuperset(
            str(folder)
        ):
            _make_private(parent)
            # Nobody else can put anything into a folder that is ours.
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
    raise LocalError("No folder with a short address for sockets was found; set TMPDIR to a short one.")


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise LocalError(f"{folder} belongs to someone else; remove it or set TMPDIR.")
    folder.chmod(0o700)
