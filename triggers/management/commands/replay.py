"""``replay <execution-id>``: run an execution's events again, as a new execution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers import history, replay
from triggers.choices import Mode

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Run an execution's events again, as a new execution."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("execution", help="the execution's id")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.LIVE.value)
        parser.add_argument("--release", default="live", help="live (what runs now) or a version")
        parser.add_argument("--records", choices=["all", "failed"], default="all")
        parser.add_argument("--json", action="store_true", help="print the new execution's id as JSON")

    def handle(self, *, execution: str, **options: Any) -> None:
        try:
            with every_tenant():
                started = replay.replay(
                    execution=history.execution_of(execution),
                    mode=options["mode"],
                    release=options["release"],
                    records=options["records"],
                    actor="command line",
                    at=now(),
                )
        except CodedError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps({"execution_id": str(started.code)}))
        else:
            self.stdout.write(f"Queued as {started.code}. See it with: manage.py trace {started.code}")
