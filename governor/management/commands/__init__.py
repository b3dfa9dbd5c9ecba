"""`manage.py` commands: what the docs say of limits."""

from __future__ import annotations
