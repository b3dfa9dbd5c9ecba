"""Create a tenant with its schema, owner, token and connections."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from tenants.addresses import hook_url, portal_url
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.setup import Made, plan_like, read_plan, set_up

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Create a tenant: schema, owner, API token, connections. Passwords and tokens are shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?", help="a-z, 0-9 and -; becomes <slug>.<BASE_DOMAIN>")
        parser.add_argument("--name", help="shown to people; default: the slug")
        parser.add_argument("--tier", help="default: free")
        parser.add_argument("--timezone", help="default: UTC")
        parser.add_argument("--host", help="the portal's host name, when it is not <slug>.<BASE_DOMAIN>")
        parser.add_argument("--owner", help="e-mail address of the owner")
        parser.add_argument("--from", dest="source", help="a tenant to take settings from, or a JSON file")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        values, template = _described(options["source"]) if options["source"] else ({}, None)
        for name in ("slug", "name", "tier", "timezone", "host", "owner"):
            if options[name] is not None:
                values[name] = options[name]
        try:
            actor = f"{getpass.getuser()} at the command line"
            made = set_up(read_plan(values), template=template, actor=actor, at=now())
        except CodedError as error:
            raise CommandError(str(error)) from error
        told = _tell(made, owner=(values.get("owner") or "").strip().lower() or None)
        if options["json"]:
            self.stdout.write(json.dumps(told))
        else:
            self._print(told)

    def _print(self, told: dict[str, Any]) -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for label, value in (
            ("Portal", told["portal"]["url"]),
            ("Owner", told["portal"]["username"]),
            ("Password", told["portal"]["password"]),
            ("API token", told["api_token"]),
        ):
            if value:
                table.add_row(label, value)
        for hook in told["connections"]:
            table.add_row(f"{hook['crm']} webhooks", hook["url"])
            for secret in hook["secrets"]:
                table.add_row(f"{hook['crm']} secret", secret)
        console = Console(file=cast("TextIO", self.stdout), soft_wrap=True, highlight=False)
        console.print(f"Tenant [bold]{told['slug']}[/bold] stands, in the schema {told['schema']}.")
        console.print(table)


def _described(source: str) -> tuple[dict[str, Any], Tenant | None]:
    path = Path(source)
    if not path.exists():
        tenant = Tenant.objects.filter(slug=source).first()
        if tenant is None:
            raise CommandError(f"{source} is neither a tenant nor a file.")
        return plan_like(tenant), tenant
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{source} cannot be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CommandError(f"{source} does not hold an object.")
    return values, None


def _tell(made: Made, *, owner: str | None) -> dict[str, Any]:
    tenant = made.tenant
    return {
        "slug": tenant.slug,
        "tier": tenant.tier_id,
        "schema": tenant.schema_name,
        "host": tenant.domains.get().domain,
        "portal": {"url": portal_url(tenant), "username": owner, "password": made.owner_password},
        "api_token": made.token,
        "connections": [
            {
                "id": str(connection.code),
                "crm": connection.crm,
                "account_id": connection.account_id,
                "url": hook_url(connection),
                "secrets": secrets,
            }
            for connection, secrets in made.connections
        ],
    }
