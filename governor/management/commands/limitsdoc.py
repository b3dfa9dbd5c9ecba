"""`limitsdoc`: write the docs' tables of limits and quotas anew, or check that they are as defined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from governor import document

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Write the docs' tables of limits and quotas from their definitions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", dest="is_check", help="write nothing")

    def handle(self, *, is_check: bool, **options: Any) -> None:
        found = document.stale()
        names = ", ".join(page.name for page in found)
        if found and is_check:
            raise CommandError(f"Not as defined: {names}. Run manage.py limitsdoc.")
        for page in found:
            page.write_text(document.renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
        self.stdout.write(f"Written: {names}." if found else "The docs are as defined.")
