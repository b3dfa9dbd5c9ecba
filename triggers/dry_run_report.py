"""Shows what a dry run did: as data, and in a terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from governor.job import RunResult

MOST_ROWS = 20
_STYLES = {"ok": "green", "skipped": "dim", "quarantined": "yellow", "failed": "red"}


def document_of(result: RunResult) -> dict[str, Any]:
    """The result as JSON-like data."""
    return {
        "error": None if result.error is None else asdict(result.error),
        "outcomes": {key: list(outcome) for key, outcome in result.outcomes.items()},
        "changes": [
            {"object": change.object, "operation": change.operation, "id": change.id, "fields": change.fields}
            for change in result.changes
        ],
        "fields": result.fields,
        "callouts": [effect for effect in result.effects if effect.get("op") in {"http", "ai.ask", "enrich"}],
        "logs": result.entries,
        "usage": result.usage,
    }


def render(trigger: str, result: RunResult, stream: Any) -> None:
    """Print the result: the verdict, what would have been written, the log, the limits."""
    console = Console(file=stream, highlight=False)
    counts: dict[str, int] = {}
    for status, *_ in result.outcomes.values():
        counts[status] = counts.get(status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "no record"
    if result.error is None:
        console.print(
            f"[bold green]{escape(trigger)} succeeded[/]: {told}, {result.wall_ms:g} ms. Nothing was written."
        )
    else:
        console.print(
            f"[bold red]{escape(trigger)} failed[/]: {escape(result.error.code)} at {result.error.at or '?'}"
        )
        console.print(escape(result.error.traceback or result.error.detail))
    _print_outcomes(console, result)
    _print_changes(console, result)
    for entry in result.entries[:MOST_ROWS]:
        data = "" if entry.get("data") is None else f" {entry['data']}"
        console.print(f"[dim]{entry['level']:>7}[/] {escape(str(entry['message']) + data)}", soft_wrap=True)
    _print_limits(console, result)


def _print_outcomes(console: Console, result: RunResult) -> None:
    told = [(key, outcome) for key, outcome in result.outcomes.items() if outcome[0] != "ok"]
    for key, (status, reason, detail) in told[:MOST_ROWS]:
        more = "" if detail is None else f" {detail}"
        console.print(
            f"  [{_STYLES.get(status, '')}]{status}[/] {escape(f'{key}: {reason}{more}')}", soft_wrap=True
        )


def _print_changes(console: Console, result: RunResult) -> None:
    if not result.changes:
        return
    table = Table(
        "would be", "object", "id", "fields", title=f"{len(result.changes)} changes", title_justify="left"
    )
    for change in result.changes[:MOST_ROWS]:
        fields = ", ".join(f"{name}={value!r}" for name, value in change.fields.items())
        table.add_row(change.operation, change.object, escape(change.id), escape(fields[:300]))
    console.print(table)


def _print_limits(console: Console, result: RunResult) -> None:
    table = Table("limit", "used", "max", "", title="limits", title_justify="left")
    for name, (used, allowed) in result.usage.items():
        share = min(1.0, used / allowed) if allowed else 0.0
        style = "red" if used > allowed else "yellow" if share > 0.8 else "green"
        table.add_row(name, f"{used:g}", f"{allowed:g}", f"[{style}]{'█' * round(share * 20):<20}[/]")
    console.print(table)
