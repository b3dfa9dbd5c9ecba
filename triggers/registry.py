"""Which triggers there are: told by a child process, then closed. No script is ever imported here."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitos.env import BASE_DIR, env
from circuitos.script.errors import BadScript
from circuitos.script.sources import fingerprint, stamp
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

logger = logging.getLogger(__name__)

# What CircuitOS ships, before the operator's own folders (CIRCUITOS_SCRIPTS). An operator's trigger of the
# same name takes the place of a shipped one.
DEFAULT_SCRIPTS = (BASE_DIR / "circuitos" / "agents" / "triggers",)
DESCRIBE_SECONDS = 60


class ScriptsDoNotLoad(CodedError):
    """A script cannot be loaded, so none is; ``extra`` has ``file`` and ``line``."""

    code = "triggers.scripts-do-not-load"


class DuplicateTrigger(ScriptsDoNotLoad):
    """Two triggers have one name."""

    code = "triggers.duplicate-trigger"


class UnknownTrigger(CodedError):
    """No trigger of that name is registered."""

    code = "triggers.unknown-trigger"
    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """What a script declared of one method. Plain data: it may cross any boundary."""

    name: str  # "ContactTrigger.score_new_leads"
    object: str
    events: tuple[str, ...]  # ("afterInsert",)
    operations: tuple[str, ...]  # ("insert",)
    batch_size: int
    order: int
    limits: Mapping[str, int] = field(default_factory=dict)
    has_schema: bool = False
    has_when: bool = False
    has_on_limit: bool = False
    is_async: bool = False
    stale_after: float | None = None  # seconds
    settings_schema: Mapping[str, Any] | None = None
    file: str = ""
    line: int = 0
    module: str
    class_name: str
    method: str
    doc: str = ""
    kind: str = "trigger"  # or "schedule"
    cron: str = ""

    def wants(self, object_name: str, operation: str, timing: str) -> bool:
        """Whether it runs on this operation."""
        return self.object == object_name and f"{timing}{operation.title()}" in self.events

    def as_dict(self) -> dict[str, Any]:
        """The spec as JSON-like data."""
        return asdict(self)


class Registry:
    """The triggers of one release. Closed: it never changes after it was made."""

    def __init__(
        self, specs: Iterable[TriggerSpec], *, entries: Iterable[Path | str] = (), content: str = ""
    ) -> None:
        by_name: dict[str, TriggerSpec] = {}
        for spec in specs:
            taken = by_name.setdefault(spec.name, spec)
            if taken is not spec:
                raise DuplicateTrigger(
                    f"Two triggers are named {spec.name}: at {taken.file}:{taken.line} "
                    f"and {spec.file}:{spec.line}.",
                    file=spec.file,
                    line=spec.line,
                )
        ordered = sorted(by_name.values(), key=lambda spec: (spec.order, spec.name))
        self.entries = tuple(Path(entry) for entry in entries)
        self.content = content
        self.release = f"local-{content[:8]}" if content else "local"
        self.triggers = tuple(spec for spec in ordered if spec.kind == "trigger")
        self.schedules = tuple(spec for spec in ordered if spec.kind == "schedule")
        self._by_name = by_name

    @property
    def paths(self) -> tuple[Path, ...]:
        """What the zygote has to import."""
        return self.entries

    def for_event(self, object: str, operation: str, timing: str = "after") -> tuple[TriggerSpec, ...]:
        """The triggers that run on an event, in the order they run."""
        return tuple(spec for spec in self.triggers if spec.wants(object, operation, timing))

    def get(self, name: str) -> TriggerSpec:
        """The trigger of that name. Raises ``UnknownTrigger``."""
        spec = self._by_name.get(name)
        if spec is None:
            raise UnknownTrigger(f"No trigger is named {name}.", name=name)
        return spec

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[TriggerSpec]:
        return iter((*self.triggers, *self.schedules))

    def __len__(self) -> int:
        return len(self._by_name)


def load(entries: Iterable[Path | str]) -> Registry:
    """A registry of the scripts in these folders and files. Raises ``ScriptsDoNotLoad``."""
    given = tuple(Path(entry).resolve() for entry in entries)
    try:
        content = fingerprint(given)
    except BadScript as error:
        raise _told(error.code, error.detail, error.data) from error
    described = _describe(given)
    error_ = described.get("error")
    if error_:
        raise _told(error_["code"], error_["detail"], error_)
    return Registry([_spec(spec) for spec in described["specs"]], entries=given, content=content)


def default_entries() -> tuple[Path, ...]:
    """What this process runs: the shipped scripts, then the folders that the environment names."""
    return (*DEFAULT_SCRIPTS, *env().scripts)


class _Held:
    """This process's registry, and how the script files looked when it was loaded."""

    lock = threading.Lock()
    registry: Registry | None = None
    stamp: tuple[tuple[str, int, int], ...] = ()


def registry() -> Registry:
    """This process's registry, loaded when first asked for."""
    with _Held.lock:
        if _Held.registry is None:
            entries = default_entries()
            seen = stamp(entries)
            _Held.registry, _Held.stamp = load(entries), seen
        return _Held.registry


def reload_if_changed() -> Registry:
    """The registry of the scripts as they stand now; the last good one while they do not load.

    Costs one ``stat`` a script file. For development (``CIRCUITOS_RELOAD=1``): call it before a claim.
    """
    current = registry()
    with _Held.lock:
        try:
            seen = stamp(default_entries())
            if seen != _Held.stamp:
                _Held.stamp = seen  # first, so that a broken script is told once and not at each claim
                fresh = load(default_entries())
                if fresh.content != current.content:
                    _Held.registry = current = fresh
                    logger.info("Scripts loaded again: release %s", fresh.release)
        except (ScriptsDoNotLoad, BadScript, OSError) as error:
            logger.error("Scripts do not load, release %s goes on: %s", current.release, error)  # noqa: TRY400
    return current


def _describe(entries: tuple[Path, ...]) -> dict[str, Any]:
    """Ask a child with a clean environment what the scripts declare."""
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        child = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "governor.jail.describe", env().jail, *map(str, entries)],
            cwd=BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DESCRIBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ScriptsDoNotLoad(f"A script was not imported within {DESCRIBE_SECONDS} seconds.") from error
    try:
        described: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        said = child.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["nothing was said"]
        raise ScriptsDoNotLoad(
            f"Importing the scripts ended the process ({child.returncode}): {said[0]}"
        ) from error
    return described


def _spec(described: Mapping[str, Any]) -> TriggerSpec:
    names = {each.name for each in fields(TriggerSpec)}
    known = {name: value for name, value in described.items() if name in names}
    return TriggerSpec(**known | {"events": tuple(known["events"]), "operations": tuple(known["operations"])})


def _told(code: str, detail: str, data: Mapping[str, Any]) -> ScriptsDoNotLoad:
    kind = DuplicateTrigger if code == "script.duplicate-trigger" else ScriptsDoNotLoad
    more = {name: data[name] for name in ("file", "line", "traceback") if name in data}
    return kind(detail, **more)
