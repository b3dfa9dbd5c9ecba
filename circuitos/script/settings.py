"""``Settings``: what a tenant may set for a trigger."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """The base of a trigger's settings: a model named ``Settings`` on the class, a default for every field.

    Admin and portal make a validated form of it; handlers read ``self.settings`` (or ``context.settings``).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)
