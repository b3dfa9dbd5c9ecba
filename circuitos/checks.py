"""Numbered system checks of the environment: what production must not start with, and what it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import checks

from circuitos.env import env, faults

if TYPE_CHECKING:
    from collections.abc import Sequence


@checks.register(checks.Tags.security, deploy=True)
def check_environment(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """E001 to E005 as ``circuitos.env`` tells them, and three warnings."""
    found = env()
    messages: list[checks.CheckMessage] = [
        checks.Error(fault.sentence, hint=fault.hint, id=f"circuitos.{fault.number}")
        for fault in faults(found)
    ]
    if "*" in found.allowed_hosts:
        hint = "List the host names that lead here; webhooks come to any of them."
        messages.append(checks.Warning("ALLOWED_HOSTS takes any host name.", hint=hint, id="circuitos.W001"))
    if not found.public_url.startswith("https://"):
        hint = "HubSpot signs the address it posts to, and cookies are only safe over https."
        messages.append(checks.Warning("PUBLIC_URL is no https:// address.", hint=hint, id="circuitos.W002"))
    if found.jail == "basic":
        hint = "Set JAIL=strict where the kernel has seccomp; doctor tells what is missing."
        messages.append(checks.Warning("JAIL is basic.", hint=hint, id="circuitos.W003"))
    return messages
