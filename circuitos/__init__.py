"""CircuitOS: Apex for any CRM. This package re-exports the SDK that script authors import."""

from __future__ import annotations
