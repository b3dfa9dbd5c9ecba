"""Releases: which version of the scripts is there, and what it runs. Today there is the live one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers.models import Execution
from triggers.registry import Registry, registry

if TYPE_CHECKING:
    from datetime import datetime


class NoRelease(CodedError):
    """No release has this version."""

    code = "triggers.no-release"
    status = 404


def releases() -> list[dict[str, Any]]:
    """All releases, the newest first."""
    return [_facts(registry())]


def release_of(version: str) -> dict[str, Any]:
    """The release of this version, with what its scripts declare. Raises ``NoRelease``."""
    current = registry()
    if version not in {current.release, "live"}:
        raise NoRelease("There is no such release.")
    declared = [
        {
            "name": spec.name,
            "object": spec.object,
            "events": list(spec.events),
            "order": spec.order,
            "batch_size": spec.batch_size,
            "limits": dict(spec.limits),
            "description": spec.doc.strip().partition("\n")[0],
        }
        for spec in current.triggers
    ]
    return {**_facts(current), "declared": declared}


def _facts(current: Registry) -> dict[str, Any]:
    return {
        "version": current.release,
        "status": "live",
        "since": _since(current.release),
        "fingerprint": current.content,
        "triggers": [spec.name for spec in current.triggers],
        "schedules": [spec.name for spec in current.schedules],
    }


def _since(release: str) -> datetime | None:
    """When it first ran, for whichever tenant; None before that."""
    with every_tenant():
        first = Execution.objects.filter(release=release).order_by("id").values_list("created_at", flat=True)
        found: datetime | None = first.first()
    return found
