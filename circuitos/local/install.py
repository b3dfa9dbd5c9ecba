"""Make ``.venv`` and install a lock file into it, when and only when the lock changed.

Run by the machine's own Python before anything is installed: the standard library alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# The development lock holds every pin of the plain one, so it serves for both.
COVERS = {
    "requirements.lock": ("requirements.lock",),
    "requirements-dev.lock": ("requirements.lock", "requirements-dev.lock"),
}


def main(lock: str) -> int:
    """Install ``lock``. Returns the process's exit code; says in a sentence what went wrong."""
    wanted = _fingerprint(lock)
    if _stamp(lock) == wanted and PYTHON.exists():
        return 0
    with _alone():
        if _stamp(lock) == wanted and PYTHON.exists():
            return 0
        if not PYTHON.exists() and not _create():
            return 1
        if not _install(lock):
            return 1
        for name in COVERS[lock]:
            (VENV / f".circuitos-{name}").write_text(_fingerprint(name))
    return 0


def _fingerprint(lock: str) -> str:
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def _stamp(lock: str) -> str:
    try:
        return (VENV / f".circuitos-{lock}").read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two `make` at once install one after the other."""
    handle = os.open(ROOT / ".venv.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create() -> bool:
    say("Making .venv …")
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, SystemExit, OSError):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        say(f"This Python {version} cannot make a virtual environment with pip.")
        say(f"On Debian or Ubuntu: apt-get install python{version}-venv. Then try again.")
        return False
    return True


def _install(lock: str) -> bool:
    total = sum("==" in line for line in (ROOT / lock).read_text().splitlines())
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--no-compile", "--progress-bar", "off"]
    command += ["-r", str(ROOT / lock)]
    started = time.monotonic()
    seen = 0
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - pip itself
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                progress(seen, total, line.split()[-1].partition("==")[0] if line[0] == "C" else "")
            elif line.startswith("Installing collected"):
                progress(total, total, "unpacking")
    if not pip.returncode:
        progress(total, total, "compiling")
        # On all cores, and also where PYTHONDONTWRITEBYTECODE would leave it to every start of a process.
        packages = [str(folder) for folder in VENV.glob("lib/python*/site-packages")]
        compiling = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", *packages]
        subprocess.run(compiling, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if pip.returncode:
        sys.stdout.write("".join(lines[-25:]))
        say(f"Installing {lock} failed; pip's last lines stand above. Is a package index reachable?")
        return False
    say(f"Installed {total} packages in {time.monotonic() - started:.0f} s.")
    return True


def progress(seen: int, total: int, name: str) -> None:
    """One line that rewrites itself; without a terminal, a line every 25 packages."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[KInstalling {seen}/{total} {name}")
        sys.stdout.flush()
    elif seen % 25 == 1:
        say(f"Installing {seen}/{total} …")


def say(sentence: str) -> None:
    """One line to whoever typed `make`."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1]))
