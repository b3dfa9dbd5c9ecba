"""How the jail of this machine stands: tested once, remembered, and asked before any script runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import platform
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from circuitos.script.sources import stamp
from governor.jail import selftest
from governor.jail.findings import Findings, from_dict
from governor.jail.supervisor import ROOT
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circuitos.env import Env

logger = logging.getLogger(__name__)

FILE, LOCK = "jail.json", "jail.lock"
KEPT_SECONDS = 86_400.0
# A refusal is looked at again soon: somebody is mending it.
REFUSED_SECONDS = 30.0
# What of a process's status belongs to its walls: another profile of the container shows here.
_STATUS = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters")


class JailUnsafe(CodedError):
    """An escape succeeded in the self-test, so strict mode runs no script on this machine."""

    code = "governor.jail-unsafe"
    status = 503


def require(found: Env) -> None:
    """Raise ``JailUnsafe``, naming the escapes, unless scripts may run here."""
    findings = of_machine(found, at=datetime.now(UTC))
    if findings.refused:
        raise JailUnsafe(
            f"The jail does not hold: {', '.join(findings.refused)}.", escaped=list(findings.refused)
        )


def of_machine(found: Env, *, at: datetime, examine: Callable[..., Findings] = selftest.examine) -> Findings:
    """The findings of this machine: remembered, read, or made now. Raises ``JailBroken``."""
    key = _key(found)
    known = _Memory.findings
    if known is not None and _Memory.key == key and _is_fresh(known, at):
        return known
    with _turn(found.home):
        findings = _read(found.home, key)
        if findings is None or not _is_fresh(findings, at):
            findings = examine(found, at=at)
            _keep(found.home, key, findings)
    _tell(findings)  # each process says it once: also one that only read it
    _Memory.key, _Memory.findings = key, findings
    return findings


class _Memory:
    key = ""
    findings: Findings | None = None


def _is_fresh(findings: Findings, at: datetime) -> bool:
    age = (at - findings.at).total_seconds()
    return 0 <= age < (REFUSED_SECONDS if findings.refused else KEPT_SECONDS)


def _tell(findings: Findings) -> None:
    if findings.refused:
        logger.error("The jail: %s", findings.sentence)
    elif findings.state == "degraded":
        logger.warning("The jail is weaker than it can be: %s", findings.sentence)
    else:
        logger.info("The jail: %s, in %g ms.", findings.sentence, findings.took_ms)


def _key(found: Env) -> str:
    """What a test holds for: this boot, kernel, user, container, mode and code."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    parts = (
        Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"),
        os.readlink("/proc/self/ns/mnt"),
        *(line for line in status if line.partition(":")[0] in _STATUS),
        platform.release(),
        platform.python_version(),
        os.geteuid(),
        found.jail,
        found.home,
        found.database_url,
        _Code.stamp(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class _Code:
    """The state of the code that makes the walls, looked at once: a process does not change under itself."""

    seen: tuple[tuple[str, int, int], ...] = ()

    @classmethod
    def stamp(cls) -> tuple[tuple[str, int, int], ...]:
        if not cls.seen:
            cls.seen = stamp([ROOT / "governor"])
        return cls.seen


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    """One process of this installation tests at a time; the others find its result."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield  # a read-only installation: each process tests for itself
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read(home: Path, key: str) -> Findings | None:
    try:
        kept = json.loads((home / FILE).read_text(encoding="utf-8"))
        return from_dict(kept["findings"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or of another version


def _keep(home: Path, key: str, findings: Findings) -> None:
    new = home / f"{FILE}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        new.write_text(json.dumps({"key": key, "findings": findings.as_dict()}), encoding="utf-8")
        new.replace(home / FILE)
    except OSError as error:
        logger.debug("The jail's test is not kept: %s", error)
