"""`manage.py` commands: running, sending and checking an installation."""

from __future__ import annotations
