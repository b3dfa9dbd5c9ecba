"""What the console's pages of bulk replays show: a preview and its warnings, and how far one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from django.urls import reverse

from logs.vocabulary import plural, word
from triggers import bulk_replay
from triggers.bulk_choose import MOST
from triggers.bulk_replay import CONFIRM_OVER
from triggers.choices import ItemStatus, Mode, ReplayStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.bulk_preview import Preview
    from triggers.models import Replay, ReplayItem

PAGE = 50  # items
_EFFECTS = {
    Mode.LIVE: "Effects happen: the CRM is written to, and calls go out.",
    Mode.DRY: "Reads happen; writes are recorded, not made. Costs no quota.",
    Mode.RECORDED: "Everything is answered from the earlier journal. Costs no quota.",
}
_PARTS = ("succeeded", "partial", "failed", "skipped", "cancelled", "running", "waiting")


def preview_page(seen: Preview, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The preview's context."""
    query = wanted.get("query", "")
    return {
        "seen": seen,
        "sentence": _sentence(seen),
        "effects": _EFFECTS[Mode(seen.mode)],
        "filter_said": said_filter(dict(wanted)),
        "list_url": f"{reverse('admin:triggers_execution_changelist')}{'?' + query if query else ''}",
        "notes": list(_notes(seen)),
        "must_confirm": seen.executions > CONFIRM_OVER,
        "facts": [
            ("Executions", f"{seen.executions:,}"),
            ("Events", f"{seen.events:,}"),
            ("Records touched", f"{seen.records:,}"),
            ("API calls expected", f"{seen.api_calls:,}"),
        ],
    }


def _sentence(seen: Preview) -> str:
    if not seen.executions:
        return "Nothing that matches can be replayed."
    several = f", of {plural(seen.tenants, 'tenant')}" if seen.tenants > 1 else ""
    executions, events = plural(seen.executions, "execution"), plural(seen.events, "event")
    return f"This runs {executions} again, over {events}{several}."


def _notes(seen: Preview) -> Any:
    """(tone, symbol, sentence): what to know before starting, the worst first."""
    warn, quiet = ("warn", "▲"), ("quiet", "–")
    among = "" if seen.is_checked_whole else f" (of the newest {seen.checked:,} records, which were checked)"
    if seen.choice.is_cut:
        yield (*warn, f"More than {MOST:,} match. These are the newest; narrow the filter for the others.")
    if seen.records and not seen.checked:
        yield (*warn, "What came later was not compared: that would have taken too long.")
    if seen.newer_events:
        said = plural(seen.newer_events, "record")
        yield (*warn, f"{said} changed since{among}: the CRM sent newer events than the ones that would run.")
    if seen.succeeded_since:
        said = plural(seen.succeeded_since, "record")
        yield (*warn, f"{said} succeeded later under the same trigger{among}: they would run once more.")
    if seen.gone:
        said = plural(seen.gone, "execution")
        yield (*warn, f"{said} cannot be replayed any more: the events are not kept. They are passed over.")
    if seen.is_short:
        yield (*warn, "The quota left today does not suffice: what is over it waits until it starts anew.")
    if seen.choice.covered:
        said = plural(seen.choice.covered, "execution")
        yield (*quiet, f"{said} left out: part or replay of another one here, whose events run once.")
    if seen.choice.open:
        yield (*quiet, f"{plural(seen.choice.open, 'execution')} left out: not ended yet.")
    if seen.choice.fine:
        yield (*quiet, f"{plural(seen.choice.fine, 'execution')} left out: no record of theirs failed.")


def progress_page(replay: Replay, query: Mapping[str, str]) -> dict[str, Any]:
    """The progress page's context: four queries, however many items."""
    only = query.get("status", "")
    only = only if only in ItemStatus.values else ""
    after = query.get("after", "")
    after = after if after.isascii() and after.isdigit() and len(after) < 19 else ""
    rows = bulk_replay.items_of(replay)
    if only:
        rows = rows.filter(status=only)
    if after:
        rows = rows.filter(pk__gt=int(after))
    items = list(rows.order_by("pk")[: PAGE + 1])
    is_more = len(items) > PAGE
    items = items[:PAGE]
    is_open = replay.status in {ReplayStatus.QUEUED, ReplayStatus.RUNNING}
    here = {name: value for name, value in (("status", only), ("after", after)) if value}
    return {
        "replay": replay,
        "word": word(replay.status),
        "is_open": is_open,
        "is_moving": replay.finished_at is None,
        "sentence": _told(replay),
        "percent": replay.done * 100 // replay.total if replay.total else 100,
        "parts": [
            {
                "name": name,
                "word": word(name if name != "skipped" else "not-started"),
                "count": getattr(replay, name),
                "percent": round(getattr(replay, name) * 100 / replay.total, 3) if replay.total else 0,
                "is_on": only == name,
            }
            for name in _PARTS
            if getattr(replay, name)
        ],
        "held": bulk_replay.held(replay) if replay.running else [],
        "items": [_item(item) for item in items],
        "only": only,
        "after": after,
        "here": urlencode(here),
        "more": urlencode({**here, "after": items[-1].pk}) if is_more else "",
    }


def _told(replay: Replay) -> str:
    total = plural(replay.total, "execution")
    if replay.status == ReplayStatus.CANCELLED:
        rest = f", {replay.running:,} still finishing" if replay.running else ""
        return f"Cancelled: {replay.cancelled:,} of {total} never started{rest}."
    if replay.status == ReplayStatus.DONE:
        bad = replay.failed + replay.partial + replay.skipped
        if not bad and not replay.cancelled:
            return f"Done: {total} replayed, all succeeded." if replay.total > 1 else "Done: it succeeded."
        return f"Done: {replay.succeeded:,} of {total} succeeded."
    return f"{replay.done:,} of {total} done."


def _item(item: ReplayItem) -> dict[str, Any]:
    shown = "not-started" if item.status == ItemStatus.SKIPPED else str(item.status)
    return {
        "row": item,
        "word": word(shown),
        "compared": bulk_replay.compare(item),
        "is_mended": bulk_replay.is_mended(item),
    }


def said_filter(given: Mapping[str, str]) -> str:
    """A filter in words: ``status failed, trigger Contact.score``. The tenant is told beside it."""
    if "ids" in given:
        return "Selected by hand"
    pairs = parse_qsl(given["query"]) if "query" in given else list(given.items())
    said = [
        f"{name.partition('__')[0].replace('_', ' ')} {value}"
        for name, value in pairs
        if name[:8] != "tenant__"
    ]
    return ", ".join(said)[:200] or "All of one tenant"
