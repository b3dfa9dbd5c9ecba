#!/usr/bin/env python
"""The command line of CircuitOS."""

from __future__ import annotations

import os
import sys

from circuitos.local import cli

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
    if sys.argv[1:2] in (["up"], ["serve"]):
        # Their servers must run before Django's settings can be read, and their parent stays small.
        sys.exit(cli.main(sys.argv[1], sys.argv[2:]))
    cli.find_servers()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
