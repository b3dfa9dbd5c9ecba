"""Commands of the governor."""

from __future__ import annotations
