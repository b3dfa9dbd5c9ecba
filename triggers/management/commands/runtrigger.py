"""``runtrigger <Class.method> --file F``: run a trigger in the jail, dry; nothing is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from tenants.errors import CodedError
from tenants.models import Tenant
from triggers import dry_run
from triggers.dry_run_report import document_of, render
from triggers.registry import default_entries, load

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Run a trigger over records from a JSON file, in the jail, without writing anything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trigger", help="its name, like ContactTrigger.score_new_leads")
        parser.add_argument(
            "--file", type=Path, required=True, help="JSON: a list of records, or records and old"
        )
        parser.add_argument("--event", default="", help="which of its events; the first when not given")
        parser.add_argument("--tenant", default="", help="the tenant's slug; needed when there are several")
        parser.add_argument(
            "--scripts", type=Path, action="append", help="a folder to load besides the usual ones"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, trigger: str, file: Path, **options: Any) -> None:
        try:
            registry = load([*default_entries(), *(options["scripts"] or ())])
            result = dry_run.dry_run(
                registry=registry,
                spec=registry.get(trigger),
                tenant=_tenant(options["tenant"]),
                batch=dry_run.read_records(file),
                event=options["event"],
                at=now(),
            )
        except CodedError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(document_of(result), indent=2, ensure_ascii=False, default=str))
        else:
            render(trigger, result, self.stdout)
        if result.error is not None:
            sys.exit(1)


def _tenant(slug: str) -> Tenant:
    tenants = Tenant.objects.select_related("tier").order_by("slug")
    found: list[Tenant] = list(tenants.filter(slug=slug) if slug else tenants[:3])
    if len(found) == 1:
        return found[0]
    if slug:
        raise CommandError(f"There is no tenant {slug!r}.")
    if not found:
        raise CommandError("There is no tenant yet; make one with: manage.py createtenant")
    raise CommandError(
        f"There are several tenants ({', '.join(each.slug for each in found)}, …); say --tenant."
    )
