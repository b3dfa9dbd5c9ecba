"""Facts that ship with CircuitOS; ``NOTICE.md`` names where they come from."""

from __future__ import annotations
