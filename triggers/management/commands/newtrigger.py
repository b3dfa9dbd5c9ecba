"""``newtrigger <Name>``: write a trigger with its test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from circuitos.env import env
from triggers import scaffold

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Write a trigger with its test, for example: newtrigger ContactGreeter --event afterUpdate"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the class, like ContactGreeter")
        parser.add_argument("--object", default="Contact", help="the object it runs for")
        parser.add_argument("--event", default="afterInsert", help="the event it runs on")
        parser.add_argument(
            "--folder", type=Path, help="where to; the first of CIRCUITOS_SCRIPTS, or scripts, when not given"
        )
        parser.add_argument("--json", action="store_true", help="print the paths as JSON")

    def handle(self, *, name: str, folder: Path | None = None, **options: Any) -> None:
        folder = folder or next(iter(env().scripts), Path("scripts"))
        try:
            written = scaffold.write_trigger(
                name=name, object=options["object"], event=options["event"], folder=folder
            )
        except scaffold.CannotWrite as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            paths = {"trigger": written.trigger, "script": str(written.script), "test": str(written.test)}
            self.stdout.write(json.dumps(paths))
            return
        self.stdout.write(f"{written.trigger} stands in {written.script}, its test in {written.test}.")
        self.stdout.write(f"Try it:  python -m pytest {folder}")
        if folder.resolve() not in {path.resolve() for path in env().scripts}:
            self.stdout.write(f"Have it run:  CIRCUITOS_SCRIPTS={folder} make run")
