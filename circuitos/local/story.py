"""The demo's story: webhooks sent like a CRM does, runs that really happened, each with a link and a deed."""

from __future__ import annotations

import json
import select
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from circuitos.local import deliver, samples
from circuitos.local import home as homes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console

    from circuitos.local.supervise import Supervisor

ORDERS = 200
BAD_TOTAL = -12
CONCURRENCY = 16
FINISH_SECONDS = 60.0
EXECUTION_PAGE = "/admin/triggers/execution/{}/change/"
EVENT_PAGE = "/admin/triggers/event/{}/change/"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to see and one to do. ``page`` is a path, so that the port may change."""

    title: str
    see: str
    do: str
    page: str
    execution: str = ""


class Story:
    """Sends the samples once, waits for what becomes of them, and keeps the steps in the home folder."""

    def __init__(self, home: Path, base_url: str, supervisor: Supervisor) -> None:
        self.path = home / "story.json"
        self.demo_path = home / "demo.json"
        self.base_url = base_url
        self.supervisor = supervisor
        self._sent: dict[str, list[str]] = {}
        self._deadline = 0.0

    def is_told(self) -> bool:
        """Whether an earlier run sent the samples already."""
        return self.path.exists()

    def send(self) -> None:
        """Send everything, signed. Best before the worker starts: then the orders wait as one batch."""
        hooks = self._demo()["tenants"][0]["hooks"]
        at = datetime.now(UTC)
        ghl, standard = deliver.Signer(hooks["gohighlevel"]), deliver.Signer(hooks["standard"])

        def fresh(crm: str, event: str, number: int = 0) -> bytes:
            return samples.fresh(crm, samples.load(crm, event), hook=hooks[crm], number=number, at=at)

        lead = fresh("gohighlevel", "ContactCreate")
        orders = [fresh("standard", "order.created", number) for number in range(ORDERS)]
        bad = json.loads(orders[ORDERS // 2])
        bad["data"]["total"] = BAD_TOTAL
        orders[ORDERS // 2] = json.dumps(bad).encode()
        self._sent = {
            "lead": deliver.deliver(ghl, [lead]).event_ids,
            # The same delivery once more, as CRMs do when an answer is lost.
            "duplicate": deliver.deliver(ghl, [lead]).event_ids,
            "orders": deliver.deliver(standard, orders, concurrency=CONCURRENCY).event_ids,
            "survey": deliver.deliver(standard, [fresh("standard", "survey.submitted")]).event_ids,
            "refund": deliver.deliver(standard, [fresh("standard", "refund.created")]).event_ids,
        }
        self.supervisor.say(f"Sent {sum(map(len, self._sent.values()))} signed sample webhooks.")

    def wait(self) -> None:
        """Wait until all of it has run, a minute at most, and write the steps down."""
        self._deadline = time.monotonic() + FINISH_SECONDS
        steps = []
        for name, tell in SCENES.items():
            codes = self._sent.get(name)
            runs: list[Any] = []
            if codes:
                runs = self._runs(codes[0])
            if not codes or not runs:
                self.supervisor.say(f"The demo's {name} did not run yet; its trace will be in the admin.")
                continue
            steps.append(tell(codes, runs[0], self._get(f"executions/{runs[0]['id']}/trace/")))
        text = json.dumps([asdict(step) for step in steps], indent=2)
        homes.write_private(self.path, text + "\n")

    def steps(self) -> list[Step]:
        """The steps as they were written down."""
        return [Step(**step) for step in json.loads(self.path.read_text())]

    def trace(self, execution: str) -> Mapping[str, Any]:
        """An execution's trace document."""
        document: Mapping[str, Any] = self._get(f"executions/{execution}/trace/")
        return document

    def _runs(self, event: str) -> list[Any]:
        """The event's executions, once they have ended; none when that takes too long."""
        found: list[Any] = []

        def has_ended() -> bool:
            found[:] = self._get(f"events/{event}/")["executions"]
            return bool(found) and all(run["finished_at"] for run in found)

        left = max(0.0, self._deadline - time.monotonic())
        return found if self.supervisor.wait_until(has_ended, seconds=left, interval=0.1) else []

    def _demo(self) -> Any:
        return json.loads(self.demo_path.read_text())

    def _get(self, path: str) -> Any:
        token = self._demo()["api_token"]
        request = urllib.request.Request(  # noqa: S310 - http, ours
            f"{self.base_url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - http, ours
            return json.load(response)

    def show(self, *, is_tour: bool, is_first: bool) -> None:
        """Print the first trace, the steps and the addresses; on the tour, step by step."""
        from rich.console import Console

        console = Console(highlight=False)
        steps = self.steps()
        if is_first and steps:
            console.rule("The first execution")
            self._show_trace(console, steps[0])
        if is_tour:
            self._walk(console, steps)
        console.rule("See it, do it")
        for number, step in enumerate(steps, 1):
            self._show_step(console, number, step)
        console.rule("Addresses")
        for line in addresses(self._demo()):
            console.print(line, soft_wrap=True)

    def _walk(self, console: Console, steps: list[Step]) -> None:
        for number, step in enumerate(steps, 1):
            console.rule(f"{number} of {len(steps)}")
            self._show_step(console, number, step)
            if step.execution:
                self._show_trace(console, step)
            if sys.stdin.isatty():
                console.print("[dim]Enter goes on.[/]")
                self.supervisor.wait_until(_has_line, seconds=float("inf"), interval=0.2)
                sys.stdin.readline()

    def _show_step(self, console: Console, number: int, step: Step) -> None:
        console.print(f"[bold]{number}  {step.title}.[/] {step.see}", soft_wrap=True)
        console.print(f"   [cyan]{self.base_url}{step.page}[/]", soft_wrap=True)
        console.print(f"   [dim]Do:[/] {step.do}", soft_wrap=True)

    def _show_trace(self, console: Console, step: Step) -> None:
        from logs.render import render_trace

        render_trace(self.trace(step.execution), console)


def _has_line() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def addresses(demo: Mapping[str, Any]) -> list[str]:
    """Where everything is, and how to get in."""
    base_url, admin = demo["base_url"], demo["admin"]
    lines = [f"Admin     [cyan]{admin['url']}[/]  {admin['username']} / {admin['password']}"]
    for tenant in demo["tenants"]:
        portal = tenant["portal"]
        lines.append(f"Portal    [cyan]{portal['url']}[/]  {portal['username']} / {portal['password']}")
    lines += [
        f"API       [cyan]{base_url}/api/docs/[/]  Authorization: Bearer {demo['api_token']}",
        "Send      .venv/bin/python manage.py send gohighlevel ContactCreate --count 100",
        "Trace     .venv/bin/python manage.py logs, then trace <execution-id>",
    ]
    return lines


def _lead(codes: list[str], run: Mapping[str, Any], trace: Mapping[str, Any]) -> Step:
    score = _written(trace, "lpr_score")
    said = f"scored {score:g}/100" if isinstance(score, int | float) else "was scored"
    return Step(
        title="A hot lead and its reasons",
        see=f"Maria Alvarez {said}; every point names the field it was read from.",
        do="manage.py send gohighlevel ContactUpdate.intent_raised scores another lead again.",
        page=EXECUTION_PAGE.format(run["id"]),
        execution=run["id"],
    )


def _orders(codes: list[str], run: Mapping[str, Any], trace: Mapping[str, Any]) -> Step:
    return Step(
        title=f"A batch of {run['size']} with one bad record",
        see=f"{run['ok']} orders succeeded together; the one whose total is “{BAD_TOTAL}” is set aside with"
        " the reason, field by field.",
        do="look for it among the records of the trace.",
        page=EXECUTION_PAGE.format(run["id"]),
        execution=run["id"],
    )


def _survey(codes: list[str], run: Mapping[str, Any], trace: Mapping[str, Any]) -> Step:
    used, most = run["usage"].get("api_calls", (51, 50))
    return Step(
        title=f"Call {max(used, most + 1)} stopped",
        see=f"A script wanted more than {most} API calls; nothing of what it did was kept.",
        do="see the limit bars and the line of the script that was one call too far.",
        page=EXECUTION_PAGE.format(run["id"]),
        execution=run["id"],
    )


def _duplicate(codes: list[str], run: Mapping[str, Any], trace: Mapping[str, Any]) -> Step:
    return Step(
        title="A duplicate ignored",
        see="The CRM sent Maria's webhook twice; the second was answered 200 with the first one's id, and"
        " ran nothing.",
        do="manage.py send gohighlevel ContactCreate --twice: one is accepted, one is a duplicate.",
        page=EVENT_PAGE.format(codes[0]),
    )


def _refund(codes: list[str], run: Mapping[str, Any], trace: Mapping[str, Any]) -> Step:
    return Step(
        title="A failed run, ready to replay",
        see="A script divides by an order's total of 0; the traceback and the event are kept.",
        do="mend examples/demo_scripts/refunds.py (it is reloaded on save) and press Replay.",
        page=EXECUTION_PAGE.format(run["id"]),
        execution=run["id"],
    )


def _written(trace: Mapping[str, Any], field: str) -> Any:
    """The first value an execution wrote to ``field``."""
    for effect in trace["effects"]:
        for row in effect.get("args", {}).get("rows", ()):
            if isinstance(row, dict) and field in row:
                return row[field]
    return None


# In the order they are told; later parts of the product add their own.
SCENES: dict[str, Callable[[list[str], Mapping[str, Any], Mapping[str, Any]], Step]] = {
    "lead": _lead,
    "orders": _orders,
    "survey": _survey,
    "duplicate": _duplicate,
    "refund": _refund,
}
