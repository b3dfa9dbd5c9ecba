"""What people write by hand: one Celery task for each record a webhook brought, which updates its row."""

from __future__ import annotations
