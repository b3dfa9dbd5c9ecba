"""What people hand-write for a CRM's webhook: a DRF view, an ORM insert, a Celery task."""

from __future__ import annotations
