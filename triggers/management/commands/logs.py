"""``logs``: the newest executions, one a line, and with ``--follow`` each as it finishes."""

from __future__ import annotations

import json
import time
from typing import IO, TYPE_CHECKING, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from logs.render import line_of
from tenants.scope import every_tenant
from triggers import history
from triggers.choices import FINISHED, ExecutionStatus

if TYPE_CHECKING:
    from argparse import ArgumentParser

SECONDS_BETWEEN_LOOKS = 1.0
MOST_OPEN = 500  # executions under way that are followed at once


class Command(BaseCommand):
    help = "Print the newest executions, one a line; --follow prints each as it finishes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--follow", "-f", action="store_true", help="stay, and print each as it finishes")
        parser.add_argument("--count", "-n", type=int, default=20, help="how many to begin with (20)")
        parser.add_argument("--tenant", help="of one tenant only (its slug)")
        parser.add_argument("--status", choices=ExecutionStatus.values, help="in this state only")
        parser.add_argument("--q", help="an execution or record id, an e-mail or a phone number")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count must be at least 1.")
        console = Console(file=cast("IO[str]", self.stdout), highlight=False, soft_wrap=True)
        with every_tenant():
            found = history.executions()
            if options["tenant"]:
                found = found.filter(tenant__slug=options["tenant"])
            if options["status"]:
                found = found.filter(status=options["status"])
            if options["q"]:
                found = found.filter(history.matching(options["q"]))
        newest = list(found.order_by("-pk")[: options["count"]])
        for execution in reversed(newest):
            self._print(execution, console, is_json=options["json"])
        if options["follow"]:
            try:
                self._follow(found, newest, console, is_json=options["json"])
            except KeyboardInterrupt:
                return

    def _follow(self, found: Any, newest: list[Any], console: Console, *, is_json: bool) -> None:
        last = newest[0].pk if newest else 0
        still_open = {execution.pk for execution in newest if execution.status not in FINISHED}
        while True:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            later = list(found.filter(pk__gt=last).order_by("pk")[:MOST_OPEN])
            finished = list(found.filter(pk__in=still_open, status__in=FINISHED).order_by("pk"))
            for execution in [*finished, *(item for item in later if item.status in FINISHED)]:
                self._print(execution, console, is_json=is_json)
            last = later[-1].pk if later else last
            still_open -= {execution.pk for execution in finished}
            still_open |= {execution.pk for execution in later if execution.status not in FINISHED}

    def _print(self, execution: Any, console: Console, *, is_json: bool) -> None:
        row = history.row_of(execution)
        if is_json:
            self.stdout.write(json.dumps(row, ensure_ascii=False))
        else:
            console.print(line_of(row))
