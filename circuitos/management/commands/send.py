"""`send <crm> <event>`: correctly signed sample deliveries to a running CircuitOS."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from circuitos.env import env
from circuitos.local import deliver, samples

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator, Mapping


class Command(BaseCommand):
    """Translate the arguments in, send, show what came back."""

    help = "Send correctly signed sample webhooks, for example: send gohighlevel ContactCreate --count 100"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("crm", nargs="?", help="such as gohighlevel or pipedrive; without it, a list")
        parser.add_argument("event", nargs="?", help="the name of a sample; without it, a list")
        parser.add_argument("--count", type=int, default=1, help="how many deliveries")
        parser.add_argument("--rate", type=float, help="deliveries a second at most")
        parser.add_argument("--concurrency", type=int, default=8, help="how many at the same time")
        parser.add_argument("--batch", type=int, default=1, help="events in one HubSpot delivery, up to 100")
        parser.add_argument("--tenant", default="demo", help="the tenant's slug in demo.json")
        parser.add_argument("--url", help="a connection's address, instead of one of the demo's")
        parser.add_argument("--secret", default="", help="with --url: the connection's secret")
        parser.add_argument("--account", default="", help="with --url: the connection's account")
        parser.add_argument("--file", type=Path, help="a body of your own, instead of the sample")
        parser.add_argument("--as-is", action="store_true", help="send the file's bytes untouched")
        parser.add_argument("--twice", action="store_true", help="send each delivery a second time")
        parser.add_argument("--json", action="store_true", dest="is_json", help="the result for machines")

    def handle(self, **options: Any) -> None:
        if not options["crm"] or not (options["event"] or options["file"]):
            self._list(options["crm"])
            return
        if options["count"] < 1 or options["concurrency"] < 1 or not 1 <= options["batch"] <= 100:
            raise CommandError("--count and --concurrency begin at 1, --batch goes from 1 to 100.")
        hook: Mapping[str, Any]
        if options["url"]:
            hook = hook_at(options["url"], options["crm"], options["secret"], options["account"])
        else:
            hook = find_hook(env().home / "demo.json", options["tenant"], options["crm"])
        try:
            bodies = self._bodies(hook, **options)
        except samples.NoSample as error:
            raise CommandError(str(error)) from error
        copies = 2 if options["twice"] else 1
        bodies = (body for body in bodies for _ in range(copies))
        arguments = {"concurrency": min(options["concurrency"], options["count"]), "rate": options["rate"]}
        signer = deliver.Signer(hook)
        if options["is_json"]:
            results = deliver.deliver(signer, bodies, **arguments)
            self.stdout.write(json.dumps(summary(results)))
        else:
            results = self._show(signer, bodies, options["count"] * copies, arguments)
        if any(answer.status not in {200, 202} for answer in results.answers):
            sys.exit(1)

    def _bodies(self, hook: Mapping[str, Any], **options: Any) -> Iterator[bytes]:
        if options["file"] and options["as_is"]:
            body = options["file"].read_bytes()
            return iter([body] * options["count"])
        document = samples.load(options["crm"], options["event"] or "", file=options["file"])
        return (
            samples.fresh(
                options["crm"],
                document,
                hook=hook,
                number=number,
                at=datetime.now(UTC),
                repeat=options["batch"],
            )
            for number in range(options["count"])
        )

    def _show(
        self, signer: deliver.Signer, bodies: Iterator[bytes], count: int, arguments: dict[str, Any]
    ) -> deliver.Results:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console()
        columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=count)
            done: Callable[[deliver.Answer], None] = lambda answer: progress.advance(task)  # noqa: E731
            results = deliver.deliver(signer, bodies, done=done, **arguments)
        console.print(table(results))
        return results

    def _list(self, crm: str | None) -> None:
        for name in [crm] if crm in samples.crms() else samples.crms():
            self.stdout.write(f"{name}: {', '.join(samples.names(name))}")


def find_hook(demo: Path, slug: str, crm: str) -> Mapping[str, Any]:
    """The tenant's hook in ``demo.json``. Raises ``CommandError`` with what there is."""
    try:
        document = json.loads(demo.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{demo} is missing: start CircuitOS with `make run` first, or set CIRCUITOS_HOME."
        ) from error
    tenants = {tenant["slug"]: tenant for tenant in document["tenants"]}
    if slug not in tenants:
        raise CommandError(f"There is no tenant {slug!r} in {demo}; there are: {', '.join(tenants)}.")
    hooks: dict[str, Any] = tenants[slug]["hooks"]
    if crm not in hooks:
        raise CommandError(f"{slug} has no {crm} connection; it has: {', '.join(hooks)}. For another: --url.")
    return hooks[crm]  # type: ignore[no-any-return]


_SIGNING = {
    "hubspot": "hubspot-v3",
    "standard": "standard-webhooks",
    "salesforce": "shared-secret",
    "gohighlevel-workflow": "shared-secret",
    "pipedrive": "basic",
    "zoho": "token",
}


def hook_at(url: str, crm: str, secret: str, account: str) -> Mapping[str, Any]:
    """A connection anywhere, as ``demo.json`` would describe it. Raises ``CommandError``."""
    if crm not in _SIGNING:
        raise CommandError(f"Nobody can sign for {crm} with a secret; there are: {', '.join(_SIGNING)}.")
    if not secret or not url.startswith(("http://", "https://")):
        raise CommandError("--url is the connection's whole address, and --secret its secret.")
    if crm == "hubspot" and not account.isdigit():
        raise CommandError("--account is the HubSpot account's number.")
    hook: dict[str, Any] = {"url": url, "signing": _SIGNING[crm], "secret": secret, "account": account}
    return {**hook, "portal_id": int(account)} if crm == "hubspot" else hook


def summary(results: deliver.Results) -> dict[str, Any]:
    """The result for machines; times in milliseconds."""
    outcomes = results.outcomes
    answered = len(results.answers)
    return {
        "deliveries": answered,
        "outcomes": dict(outcomes),
        "events_accepted": sum(int(answer.body.get("accepted", 0)) for answer in results.answers),
        "events_duplicate": sum(int(answer.body.get("duplicates", 0)) for answer in results.answers),
        "seconds": round(results.seconds, 3),
        "per_second": round(answered / results.seconds, 1) if results.seconds else 0.0,
        "p50_ms": round(results.percentile(0.50) * 1000, 2),
        "p99_ms": round(results.percentile(0.99) * 1000, 2),
        "event_ids": results.event_ids,
    }


def table(results: deliver.Results) -> Any:
    """The result for people."""
    from rich.table import Table

    said = summary(results)
    shown = Table(title=None, show_header=True, header_style="bold")
    shown.add_column("Outcome")
    shown.add_column("Deliveries", justify="right")
    for outcome, number in results.outcomes.most_common():
        style = {"accepted": "green", "duplicate": "yellow"}.get(outcome, "red")
        shown.add_row(f"[{style}]{outcome}[/]", f"{number:,}")
    shown.add_section()
    shown.add_row("events accepted", f"{said['events_accepted']:,}")
    shown.add_row("events known already", f"{said['events_duplicate']:,}")
    shown.add_row("per second", f"{said['per_second']:,}")
    shown.add_row("answer p50 / p99", f"{said['p50_ms']} / {said['p99_ms']} ms")
    details = {str(answer.body["detail"]) for answer in results.answers if "detail" in answer.body}
    for detail in sorted(details)[:3]:
        shown.add_row("refused because", detail)
    return shown
