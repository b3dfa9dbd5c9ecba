"""What a self-test of the jail found, and whether scripts may run on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

HELD, ESCAPED, NOT_APPLICABLE = "held", "escaped", "not-applicable"
# The walls, by what a missing one is called in ``Findings.missing``.
SECCOMP, LANDLOCK, CAPABILITIES, LIMITS, BROKER = "seccomp", "landlock", "capabilities", "limits", "broker"
OPTIONAL = frozenset({LANDLOCK, CAPABILITIES})


@dataclass(frozen=True, slots=True)
class Row:
    """One escape that was tried. ``wall`` has to hold it; if ``is_grave``, no missing wall excuses it."""

    name: str
    verdict: str
    detail: str = ""
    wall: str = SECCOMP
    is_grave: bool = True


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of one self-test."""

    mode: str
    at: datetime
    took_ms: float
    rows: tuple[Row, ...]
    kernel: str = ""
    machine: str = ""  # whose filters are installed; "" without
    landlock: int = 0  # the version the kernel has; 0: none
    missing: dict[str, str] = field(default_factory=dict)  # wall: the kernel's reason

    @property
    def held(self) -> int:
        return sum(row.verdict == HELD for row in self.rows)

    @property
    def tried(self) -> int:
        """How many could be tried here."""
        return sum(row.verdict != NOT_APPLICABLE for row in self.rows)

    @property
    def escaped(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if row.verdict == ESCAPED)

    @property
    def refused(self) -> tuple[str, ...]:
        """Why strict mode runs no script on this: escapes, or the filter that is missing. Empty: it does.

        A missing wall that strict can do without excuses what it alone would have held, but for secrets.
        """
        if self.mode != "strict":
            return ()
        excused = OPTIONAL & set(self.missing)
        grave = [
            row.name
            for row in self.rows
            if row.verdict == ESCAPED and (row.is_grave or row.wall not in excused)
        ]
        needed = [f"no {wall}: {why}" for wall, why in self.missing.items() if wall not in OPTIONAL]
        return (*needed, *grave)

    @property
    def state(self) -> str:
        """``ok``; ``degraded``: scripts run behind fewer walls than there could be; ``refused``."""
        if self.refused:
            return "refused"
        return "ok" if self.mode == "strict" and not self.missing and not self.escaped else "degraded"

    @property
    def sentence(self) -> str:
        """The result for people, in a line."""
        told = f"{self.mode}, {self.held} of {self.tried} escapes held, tested {self.at:%Y-%m-%d %H:%M} UTC"
        if self.refused:
            return f"{told}. No script runs: {', '.join(self.refused)}."
        if self.mode == "basic":
            return f"{told}. Limits and kill only: scripts can reach the network, files and processes."
        if self.missing:
            told += f". Missing: {', '.join(f'{wall} ({why})' for wall, why in self.missing.items())}"
        return told

    def summary(self) -> dict[str, Any]:
        """What machines are told: no details of the single escapes."""
        return {
            "mode": self.mode,
            "state": self.state,
            "held": self.held,
            "tried": self.tried,
            "escaped": list(self.escaped),
            "refused": list(self.refused),
            "missing": dict(self.missing),
            "at": self.at.isoformat(),
            "detail": self.sentence,
        }

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON-like data; ``from_dict`` takes it back."""
        return {**asdict(self), "at": self.at.isoformat()}


def from_dict(told: dict[str, Any]) -> Findings:
    """What ``as_dict`` said. Raises ``TypeError``, ``KeyError`` or ``ValueError`` for anything else."""
    rows = tuple(Row(**row) for row in told["rows"])
    return Findings(**{**told, "rows": rows, "at": datetime.fromisoformat(told["at"])})
