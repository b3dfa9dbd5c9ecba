"""``logs``: the newest executions, one a line, and with ``--follow`` each as it comes and as it ends."""

from __future__ import annotations

import json
import time
from typing import IO, TYPE_CHECKING, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from logs.entries import LEVELS
from logs.render import line_of, status_text
from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers import history, tail
from triggers.choices import FINISHED

if TYPE_CHECKING:
    from argparse import ArgumentParser

SECONDS_BETWEEN_LOOKS = 1.0


class Command(BaseCommand):
    help = "Print the newest executions, one a line; --follow prints each as it finishes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--follow", "-f", action="store_true", help="stay, and print each as it finishes")
        parser.add_argument("--count", "-n", type=int, default=20, help="how many to begin with (20)")
        parser.add_argument("--tenant", help="of one tenant only (its slug)")
        parser.add_argument("--trigger", help="of one trigger only (its whole name)")
        parser.add_argument("--status", choices=tail.STATUSES, help="in this state only")
        parser.add_argument("--level", choices=LEVELS, help="only with log lines of at least this level")
        parser.add_argument("--text", help="only with log lines (or a trigger, an error code) that hold this")
        parser.add_argument("--entries", action="store_true", help="print log lines below each")
        parser.add_argument("--q", default="", help="an execution or record id, an e-mail or a phone number")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count must be at least 1.")
        console = Console(file=cast("IO[str]", self.stdout), highlight=False, soft_wrap=True)
        query = options["q"] or ""
        try:
            with every_tenant():
                asked = tail.wanted(options)
                look = tail.begin(asked, most=options["count"], query=query)
        except CodedError as error:
            raise CommandError(str(error)) from error
        for row in look.came:
            self._print(row, console, options)
        try:
            while options["follow"]:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                with every_tenant():
                    look = tail.look(asked, look.cursor, query=query)
                finished = [row for row in look.came if row.execution.status in FINISHED]
                for row in [*look.ended, *finished]:
                    self._print(row, console, options)
                if look.is_behind and not options["json"]:
                    console.print("… more came than is shown", style="yellow")
        except KeyboardInterrupt:
            return

    def _print(self, row: tail.Row, console: Console, options: dict[str, Any]) -> None:
        told = history.row_of(row.execution)
        is_with_lines = options["entries"] or options["level"] or options["text"]
        if options["json"]:
            lines = [{"level": line.level, "message": line.message, "data": line.data} for line in row.lines]
            self.stdout.write(
                json.dumps({**told, "entries": lines} if is_with_lines else told, ensure_ascii=False)
            )
            return
        console.print(line_of(told))
        for line in row.lines if is_with_lines else []:
            said = Text.assemble("          ", status_text(line.level), f"  {line.message}")
            if line.data:
                said.append(f"  {line.data}", style="dim")
            console.print(said)
