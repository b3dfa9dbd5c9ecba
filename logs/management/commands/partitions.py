"""``partitions``: make the coming days' partitions of events and traces, drop those past their time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils.timezone import now

from logs import partitions

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Make the coming days' partitions of events and traces, drop those past their time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, **options: Any) -> None:
        report = partitions.ensure(now())
        if options["json"]:
            self.stdout.write(json.dumps(vars(report)))
        elif report.is_busy:
            self.stdout.write("Another process is at it; nothing done.")
        else:
            self.stdout.write(
                f"{len(report.made)} made, {len(report.dropped)} dropped, "
                f"{report.moved} rows moved into their day."
            )
