"""Captured-like payloads: the file's name carries the event, ``contact_update__full.json``."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "webhooks"


def sample(crm: str, name: str) -> bytes:
    """The bytes of ``fixtures/webhooks/<crm>/<name>.json``."""
    return (FOLDER / crm / f"{name}.json").read_bytes().strip()
