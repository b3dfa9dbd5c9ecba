"""`doctor`: check the installation part by part, and say what to do."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from circuitos.env import env

if TYPE_CHECKING:
    from argparse import ArgumentParser

STYLES = {"ok": "green", "warning": "yellow", "broken": "red"}


class Command(BaseCommand):
    help = "Check this installation and say what to do. The exit code is 1 when something is broken."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="is_json", help="the findings for machines")

    def handle(self, *, is_json: bool, **options: Any) -> None:
        from circuitos.local import doctor

        findings = doctor.examine(env())
        if is_json:
            self.stdout.write(json.dumps([finding.as_dict() for finding in findings]))
        else:
            self._show(findings)
        if any(finding.state == "broken" for finding in findings):
            sys.exit(1)

    def _show(self, findings: list[Any]) -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table(show_header=True, header_style="bold")
        for title in ("Part", "State", "Seen", "What to do"):
            table.add_column(title, overflow="fold")
        for finding in findings:
            style = STYLES[finding.state]
            table.add_row(finding.part, f"[{style}]{finding.state}[/]", finding.seen, finding.do)
        console = Console(file=self.stdout, highlight=False)  # type: ignore[arg-type]  # it writes like a file
        console.print(table)
