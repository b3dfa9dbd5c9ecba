"""A trace document on a terminal: cause first, then the waterfall, limits, records, effects and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from logs.summary import summary
from logs.vocabulary import STYLES, duration, fold, plural, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console, RenderableType

LONGEST_BAR = 32  # characters of a waterfall or limit bar; a narrow terminal gets shorter ones
MOST_ROWS = 15  # of spans and effects, unless all are wanted
MOST_OUTCOMES = 12
MOST_EVENTS = 5


def render_trace(document: Mapping[str, Any], console: Console, *, is_full: bool = False) -> None:
    """Print the document. Long runs of spans, effects and records keep head and tail unless ``is_full``."""
    most = 10_000 if is_full else MOST_ROWS
    bar = max(8, min(LONGEST_BAR, console.width - 66))
    console.print(_header(document))
    sections: list[tuple[str, RenderableType | None]] = [
        ("What took how long", _waterfall(_folded(document["spans"], most), bar)),
        ("Limits", _meters(document["meters"], bar)),
        ("Records", _outcomes(document, most=10_000 if is_full else MOST_OUTCOMES)),
        ("Effects", _effects(_folded(document["effects"], most))),
        ("Log", _entries(document["entries"])),
        ("Error", _error(document["error"])),
        ("Came from", _origins(document)),
    ]
    for title, body in sections:
        if body is not None:
            console.print(Text(title, style="bold"))
            console.print(Padding(body, (0, 0, 1, 2)))
    if document["is_cut"]:
        console.print(Text("Parts of this trace were left out where it says so.", style="yellow"))


def status_text(status: str) -> Text:
    """A status as symbol and label, in its colour."""
    said = word(status)
    return Text(f"{said.symbol} {said.label}", style=STYLES[said.tone])


def line_of(execution: Mapping[str, Any]) -> Text:
    """One execution on one line, for ``logs``."""
    said = word(execution["word"])
    line = Text.assemble(
        (str(execution["created_at"])[11:19], "dim"),
        "  ",
        (f"{said.symbol} {said.label:<22}", STYLES[said.tone]),
        (f"{execution['tenant']:<12} ", ""),
        (f"{execution['trigger']:<36} ", "bold"),
        (f"{execution['ok']:>4}/{execution['size']:<4}", ""),
        (f"{duration(execution['wall_ms']):>9}  ", "dim"),
        (str(execution["id"]), "dim"),
    )
    if execution["error_code"]:
        line.append(f"  {execution['error_code']}", style="red")
    return line


def _header(document: Mapping[str, Any]) -> RenderableType:
    said = word(document["word"])
    facts = [
        document["tenant"],
        f"{document['object']} {document['operation']}",
        plural(document["size"], "record"),
        f"release {document['release']}",
        duration(document["wall_ms"]) if document["wall_ms"] is not None else "",
        f"attempt {document['attempts']}" if document["attempts"] > 1 else "",
        document["mode"] if document["mode"] != "live" else "",
        str(document["created_at"] or "")[:19].replace("T", " ") + " UTC",
    ]
    return Panel(
        Group(
            Text(document["sentence"], style="bold"),
            *([Text(f"What to do: {document['hint']}")] if document["hint"] else []),
            Text(" · ".join(fact for fact in facts if fact), style="dim"),
            Text(document["id"], style="dim"),
        ),
        title=f"[{STYLES[said.tone]}]{said.symbol} {said.label}[/]  [bold]{escape(document['trigger'])}[/]",
        title_align="left",
        border_style=STYLES[said.tone],
    )


def _grid(*columns: str) -> Table:
    """A table without lines; a column is left, right, or b: a bar, which never wraps."""
    table = Table.grid(padding=(0, 2))
    for kind in columns:
        table.add_column(justify="right" if kind == "r" else "left", overflow="fold", no_wrap=kind in "br")
    return table


def _span_name(span: Mapping[str, Any]) -> str:
    """A call's name is where it went; ``http`` alone says nothing."""
    return str(span["what"] if span["name"] == "http" and span["what"] else span["name"])


def _folded(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    head, left_out, tail = fold(rows, most=most)
    return [*head, {"cut": left_out, "message": f"{left_out} more like these"}, *tail] if left_out else head


def _waterfall(spans: Iterable[Mapping[str, Any]], width: int) -> Table | None:
    table = _grid("l", "b", "r", "l")
    for span in spans:
        if "cut" in span:
            table.add_row(Text(f"… {span['message']}", style="yellow"), "", "", "")
            continue
        start = min(round(span["left"] * width / 100), width - 1)
        length = max(1, min(round(span["width"] * width / 100), width - start))
        style = "red" if not span["ok"] else "cyan" if span["kind"] in {"callout", "ai"} else "green"
        bar = Text.assemble(
            ("·" * start, "dim"), ("━" * length, style), ("·" * (width - start - length), "dim")
        )
        table.add_row(
            "  " * span["depth"] + escape(_span_name(span)), bar, duration(span["ms"]), _dim(span["note"])
        )
    return table if table.row_count else None


def _meters(meters: Iterable[Mapping[str, Any]], width: int) -> Table | None:
    table = _grid("l", "b", "r", "l")
    for row in meters:
        style = STYLES[row["tone"]]
        full = min(width, round(row["percent"] * width / 100)) or (1 if row["used"] else 0)
        bar = Text.assemble(("━" * full, style), ("─" * (width - full), "dim"))
        mark = {"bad": "✕ reached", "warn": "▲ close"}.get(row["tone"], "")
        table.add_row(row["label"], bar, f"{row['used_text']} / {row['max_text']}", Text(mark, style=style))
    return table if table.row_count else None


def _outcomes(document: Mapping[str, Any], *, most: int) -> Table | None:
    rows = document["outcomes"]
    table = _grid("l", "l", "l")
    for row in rows[:most]:
        table.add_row(status_text(row["status"]), escape(row["record_id"]), escape(str(row["reason"])))
    if len(rows) > most:
        rest = ", ".join(f"{count} {status}" for status, count in document["counts"].items())
        table.add_row("", Text(f"… and {len(rows) - most} more ({rest} in all)", style="dim"), "")
    return table if table.row_count else None


def _effects(effects: Iterable[Mapping[str, Any]]) -> Table | None:
    table = _grid("l", "l", "l", "r")
    for effect in effects:
        if "cut" in effect:
            table.add_row("", Text(f"… {effect['message']}", style="yellow"), "", "")
            continue
        table.add_row(
            status_text(str(effect.get("state", "done"))),
            escape(str(effect.get("op", ""))),
            escape(summary(effect.get("args"))),
            duration(effect.get("ms")) if effect.get("ms") is not None else "",
        )
    return table if table.row_count else None


def _entries(entries: Iterable[Mapping[str, Any]]) -> Table | None:
    table = _grid("l", "l", "l")
    for entry in entries:
        if "cut" in entry:
            table.add_row("", "", Text(f"… {entry['message']}", style="yellow"))
            continue
        level = str(entry.get("level", "info"))
        body = Text(str(entry.get("message", "")))
        if entry.get("data"):
            body.append(f"  {summary(entry['data'])}", style="dim")
        table.add_row(_dim(str(entry.get("at") or "")[11:23]), status_text(level), body)
    return table if table.row_count else None


def _error(error: Mapping[str, Any] | None) -> RenderableType | None:
    if not error:
        return None
    head = " ".join(str(part) for part in (error.get("type"), error.get("code")) if part)
    lines: list[RenderableType] = [Text(f"{head}: {error.get('detail', '')}", style="red")]
    if error.get("traceback"):
        lines.append(Text(str(error["traceback"]).rstrip(), style="dim"))
    return Group(*lines)


def _origins(document: Mapping[str, Any]) -> Table | None:
    table = _grid("l", "l", "l")
    for event in document["events"][:MOST_EVENTS]:
        table.add_row(_dim("event"), escape(f"{event['kind']} {event['record_id']}"), _dim(event["id"]))
    if len(document["events"]) > MOST_EVENTS:
        table.add_row("", Text(f"… and {len(document['events']) - MOST_EVENTS} more events", style="dim"), "")
    for name in ("replay_of", "parent"):
        if document[name]:
            table.add_row(_dim(name.replace("_", " ")), "", _dim(document[name]))
    for name in ("replays", "halves"):
        for other in document[name]:
            table.add_row(_dim(name), status_text(other["word"]), _dim(other["id"]))
    return table if table.row_count else None


def _dim(text: object) -> Text:
    return Text(str(text or ""), style="dim")
