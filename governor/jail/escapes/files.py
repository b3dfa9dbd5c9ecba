"""Escapes to files: secrets, other people's data, anything that can be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from governor.jail.escapes.attempt import Held, NotHere, attempt, call
from governor.jail.findings import CAPABILITIES, LANDLOCK

_OWN = Path(__file__)
# All that a runner's environment may name; see ``supervisor.clean_environment``.
_HARMLESS = {"PATH", "LANG", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}


def _read(*paths: str | Path) -> str:
    """Read the first of these that is there."""
    refused: OSError | None = None
    for path in paths:
        try:
            with open(path, "rb") as file:
                file.read(1)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused = error
        else:
            return f"read {path}"
    if refused is not None:
        raise refused
    raise NotHere("none of them is here")


def _listing(path: str | Path) -> str:
    return f"{len(os.listdir(path))} names in {path}"


@attempt("its own environment", is_grave=True)
def _environment(hints: dict[str, Any]) -> str:
    if more := set(os.environ) - _HARMLESS:
        return f"it holds {', '.join(sorted(more))}"
    raise Held("nothing but a path and a language")


@attempt("the database's address", is_grave=True)
def _database(hints: dict[str, Any]) -> str:
    said = " ".join(f"{name}={value}" for name, value in os.environ.items())
    if "postgres" in said or "DATABASE" in said:
        return "it stands in the environment"
    return _read(*(f"/proc/{pid}/environ" for pid in (os.getppid(), hints["supervisor"], 1)))


@attempt("the database's socket folder", wall=LANDLOCK)
def _socket_folder(hints: dict[str, Any]) -> str:
    if not hints["socket_folder"]:
        raise NotHere("it is reached over the network")
    return _listing(hints["socket_folder"])


@attempt("the installation's files", wall=LANDLOCK)
def _home(hints: dict[str, Any]) -> str:
    return _read(*hints["secrets"])


@attempt("a file of settings beside the project", wall=LANDLOCK)
def _dotenv(hints: dict[str, Any]) -> str:
    return _read(*(Path(hints["project"], name) for name in (".env", ".envrc", "local_settings.py")))


@attempt("the project's other packages", wall=LANDLOCK, is_grave=False)
def _packages(hints: dict[str, Any]) -> str:
    return _read(Path(hints["project"], "tenants", "secrets.py"), Path(hints["project"], "pyproject.toml"))


@attempt("the names in the project's folder", wall=LANDLOCK, is_grave=False)
def _project(hints: dict[str, Any]) -> str:
    return _listing(hints["project"])


@attempt("the home folder", wall=LANDLOCK, is_grave=False)
def _user(hints: dict[str, Any]) -> str:
    return _listing(hints["user_home"])


@attempt("keys in the home folder", wall=LANDLOCK)
def _keys(hints: dict[str, Any]) -> str:
    names = (".ssh/id_ed25519", ".ssh/id_rsa", ".netrc", ".pgpass", ".aws/credentials", ".bash_history")
    return _read(*(Path(hints["user_home"], name) for name in names))


@attempt("/etc/shadow", wall=LANDLOCK)
def _shadow(hints: dict[str, Any]) -> str:
    return _read("/etc/shadow", "/etc/gshadow")


@attempt("the container's secrets", wall=LANDLOCK)
def _container(hints: dict[str, Any]) -> str:
    return _listing("/run/secrets")


@attempt("names in /tmp", wall=LANDLOCK, is_grave=False)
def _tmp(hints: dict[str, Any]) -> str:
    return _listing("/tmp")  # noqa: S108


@attempt("names in /proc", wall=LANDLOCK, is_grave=False)
def _proc(hints: dict[str, Any]) -> str:
    return _listing("/proc")


def _of_the_parent(name: str) -> str:
    return _read(f"/proc/{os.getppid()}/{name}")


for _name in ("environ", "mem", "maps", "auxv", "stack"):
    attempt(f"the parent's {_name}")(lambda hints, name=_name: _of_the_parent(name))


@attempt("the parent's open files")
def _descriptors(hints: dict[str, Any]) -> str:
    return _listing(f"/proc/{os.getppid()}/fd")


@attempt("the parent's root folder")
def _root(hints: dict[str, Any]) -> str:
    return _listing(f"/proc/{os.getppid()}/root")


@attempt("the supervisor's environment")
def _supervisor(hints: dict[str, Any]) -> str:
    return _read(f"/proc/{hints['supervisor']}/environ")


@attempt("the supervisor's memory")
def _supervisor_memory(hints: dict[str, Any]) -> str:
    return _read(f"/proc/{hints['supervisor']}/mem")


@attempt("the kernel's own memory", wall=CAPABILITIES)
def _kernel_memory(hints: dict[str, Any]) -> str:
    return _read("/proc/kcore", "/dev/mem", "/dev/kmsg")


def _write(folder: str | Path) -> str:
    path = Path(folder, "circuitos-escape")
    path.write_bytes(b"x")
    path.unlink()
    return f"wrote in {folder}"


@attempt("writing in /tmp")
def _write_tmp(hints: dict[str, Any]) -> str:
    return _write("/tmp")  # noqa: S108


@attempt("writing in /dev/shm")
def _write_shm(hints: dict[str, Any]) -> str:
    return _write("/dev/shm")  # noqa: S108


@attempt("writing beside the script")
def _write_beside(hints: dict[str, Any]) -> str:
    return _write(_OWN.parent)


@attempt("writing in the installation")
def _write_home(hints: dict[str, Any]) -> str:
    return _write(hints["home"])


@attempt("a file without a name")
def _unnamed(hints: dict[str, Any]) -> None:
    os.close(os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o600))  # noqa: S108


@attempt("changing the script's mode")
def _chmod(hints: dict[str, Any]) -> None:
    _OWN.chmod(_OWN.stat().st_mode & 0o7777)


@attempt("changing the script's times")
def _utime(hints: dict[str, Any]) -> None:
    found = _OWN.stat()
    os.utime(_OWN, ns=(found.st_atime_ns, found.st_mtime_ns))


_NOWHERE = b"/nonexistent/circuitos-escape"


@attempt("making a folder")
def _mkdir(hints: dict[str, Any]) -> None:
    call("mkdirat", -100, _NOWHERE, 0o700)


@attempt("deleting")
def _unlink(hints: dict[str, Any]) -> None:
    call("unlinkat", -100, _NOWHERE, 0)


@attempt("renaming")
def _rename(hints: dict[str, Any]) -> None:
    call("renameat2", -100, _NOWHERE, -100, _NOWHERE, 0)


@attempt("a symbolic link")
def _symlink(hints: dict[str, Any]) -> None:
    call("symlinkat", _NOWHERE, -100, _NOWHERE)


@attempt("a hard link")
def _link(hints: dict[str, Any]) -> None:
    call("linkat", -100, _NOWHERE, -100, _NOWHERE, 0)


@attempt("a device")
def _mknod(hints: dict[str, Any]) -> None:
    call("mknodat", -100, _NOWHERE, 0o020600, 0x101)


@attempt("an attribute of a file")
def _setxattr(hints: dict[str, Any]) -> None:
    call("setxattr", _NOWHERE, b"user.x", b"x", 1, 0)


@attempt("a handle that goes around folders")
def _handle(hints: dict[str, Any]) -> None:
    call("name_to_handle_at", -100, _NOWHERE, None, None, 0)
