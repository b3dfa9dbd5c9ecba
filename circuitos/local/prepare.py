"""Bring the database up to date and make the demo, as a child process of `up`."""

from __future__ import annotations

import os
import sys

import django
from django.core.management import call_command


def main() -> int:
    """Migrate all schemas, create what is missing of the demo. Returns the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
    django.setup()
    call_command("migrate_schemas", verbosity=1)
    if os.environ.get("CIRCUITOS_DEMO") == "1":
        from circuitos.local import demo

        demo.create()
    return 0


if __name__ == "__main__":
    sys.exit(main())
