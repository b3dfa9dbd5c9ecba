"""`serve`: production in one container: web, worker, beat, and Valkey without REDIS_URL.

``manage.py`` hands the command over before Django loads; this stands here for `help` and `call_command`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from circuitos.local import cli

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Production in one container: web, worker, beat, and Valkey without REDIS_URL."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("arguments", nargs="*", help="as `manage.py serve --help` of the command tells")

    def handle(self, *, arguments: list[str], **options: Any) -> None:
        code = cli.main("serve", arguments)
        if code:
            sys.exit(code)
