"""``trace <execution-id>``: what an execution did, in one page of a terminal."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now
from rich.console import Console

from logs.render import render_trace
from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers import as_test, history

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from triggers.models import Execution


class Command(BaseCommand):
    help = "Print an execution's trace: the cause in one sentence, timings, limits, records, effects, log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "execution", nargs="?", help="the execution's id; also a record id, an e-mail or a phone number"
        )
        parser.add_argument("--full", action="store_true", help="leave no span, effect or record out")
        parser.add_argument("--as-test", action="store_true", help="print a pytest file that ends as it did")
        parser.add_argument(
            "--real-data", action="store_true", help="with --as-test: name real people (audited)"
        )
        parser.add_argument("--json", action="store_true", help="print the trace document as JSON")

    def handle(self, *, execution: str | None = None, **options: Any) -> None:
        with every_tenant():
            try:
                found = history.newest(execution or "")
            except history.NoExecution as error:
                raise CommandError(f"{error} Try `manage.py logs` for the newest ones.") from None
            if options["as_test"]:
                self.stdout.write(self._test(found, is_real=options["real_data"]))
                return
            document = history.document_of(found)
        if options["json"]:
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            render_trace(
                document, Console(file=cast("IO[str]", self.stdout), highlight=False), is_full=options["full"]
            )

    def _test(self, execution: Execution, *, is_real: bool) -> str:
        try:
            return as_test.make(execution=execution, is_real=is_real, actor="command line", at=now())
        except CodedError as error:
            raise CommandError(str(error)) from None
