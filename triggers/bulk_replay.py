"""Bulk replays: started from what was previewed, cancelled, and shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Q

from governor.judgment.masking import mask
from logs.search import as_uuid
from tenants import audit
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.scope import current_tenant_id
from triggers import bulk_feed
from triggers.bulk_preview import preview
from triggers.choices import ItemStatus, Mode, Records, ReplayStatus
from triggers.models import Execution, Lane, Replay, ReplayItem
from triggers.registry import registry
from triggers.replay import LIVE_RELEASE, BadReplay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from triggers.bulk_preview import Preview

CONFIRM_OVER = 100  # executions; more have to be confirmed by their number
MOST_SHOWN = 5  # relatives on a page
MOST_OPEN = 5  # bulk replays of one tenant at a time, or of operators across tenants


class SelectionChanged(CodedError):
    """What matches is not what was previewed."""

    code = "triggers.selection-changed"
    status = 409


class NotConfirmed(CodedError):
    """So many executions are replayed only when their number is said."""

    code = "triggers.confirm-replay"
    status = 409


class NothingToReplay(CodedError):
    """No execution that matches can be replayed."""

    code = "triggers.nothing-to-replay"
    status = 409


class TooManyReplays(CodedError):
    """Others have to end first."""

    code = "triggers.too-many-replays"
    status = 409


class NoReplay(CodedError):
    """No bulk replay in scope has this id."""

    code = "triggers.no-replay"
    status = 404


class HasEnded(CodedError):
    """There is nothing left to cancel."""

    code = "triggers.replay-ended"
    status = 409


def check(*, mode: str, release: str, records: str) -> None:
    """Raises ``BadReplay`` for words we do not know."""
    if mode not in Mode.values:
        raise BadReplay(f"{mode!r} is no mode; write one of {', '.join(Mode.values)}.")
    if records not in Records.values:
        raise BadReplay(f"{records!r} is no choice of records; write all or failed.")
    current = registry().release
    if release not in {LIVE_RELEASE, current}:
        raise BadReplay(f"There is no release {release!r}; write live, or {current}.")


def start(
    rows: QuerySet[Execution],
    *,
    filter: Mapping[str, str],  # noqa: A002  # the API's word
    mode: str = Mode.LIVE,
    release: str = LIVE_RELEASE,
    records: str = Records.ALL,
    token: str = "",
    confirm: int | None = None,
    actor: str,
    at: datetime,
) -> Replay:
    """Start replaying ``rows``, of which ``filter`` tells in words. Returns the bulk replay, queued.

    With the ``token`` of a preview it is that very set or ``SelectionChanged``. Raises ``BadReplay``,
    ``NotConfirmed``, ``NothingToReplay`` and ``TooManyReplays`` as well.
    """
    check(mode=mode, release=release, records=records)
    seen = preview(rows, mode=mode, records=records, token=token, at=at)
    if token and seen.token != token:
        raise SelectionChanged("What matches has changed since the preview. Look at it again.")
    if not seen.choice.ids:
        raise NothingToReplay("No execution that matches can be replayed.")
    if seen.executions > CONFIRM_OVER and confirm != seen.executions:
        raise NotConfirmed(
            f"This replays {seen.executions:,} executions; confirm by writing {seen.executions}.",
            executions=seen.executions,
        )
    with transaction.atomic():
        tenant = _tenant(seen)
        _lock(tenant)
        others = Replay.objects.filter(tenant=tenant, finished_at=None).values_list("pk")[:MOST_OPEN]
        if len(others) == MOST_OPEN:
            raise TooManyReplays(f"{MOST_OPEN} bulk replays are under way; wait for one, or cancel it.")
        said = mask(dict(filter))  # it may name a person, and is kept
        made: Replay = Replay.objects.create(
            tenant=tenant,
            filter=said,
            mode=mode,
            release=registry().release,
            records=records,
            actor=actor[:150],
            is_cut=seen.choice.is_cut,
            created_at=at,
            total=seen.executions,
            waiting=seen.executions,
        )
        with connection.cursor() as cursor:
            # From the rows: each item carries its execution's tenant; what is gone is not there.
            cursor.execute(
                "INSERT INTO triggers_replayitem (replay_id, tenant_id, original_id, status, reason)"
                " SELECT %s, tenant_id, id, %s, '' FROM triggers_execution WHERE id = ANY(%s) ORDER BY id",
                [made.pk, ItemStatus.WAITING.value, list(seen.choice.ids)],
            )
        audit.record(
            actor=actor,
            verb="replay.started",
            target=f"replay {made.code}",
            tenant=tenant,
            data={
                "filter": said,
                "mode": mode,
                "records": records,
                "executions": seen.executions,
                "api_calls": seen.api_calls,
            },
            at=at,
        )
        # The first executions at once; should this fail, the beat is there in seconds.
        transaction.on_commit(partial(bulk_feed.feed, at=at), robust=True)
    return made


def cancel(replay: Replay, *, actor: str, at: datetime) -> Replay:
    """What has not started never will; what runs finishes. Raises ``HasEnded``."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Waits for a feeder at work: what it starts meanwhile runs.
        locked: Replay = Replay.objects.select_for_update(of=["self"]).get(pk=replay.pk)
        if locked.status not in {ReplayStatus.QUEUED, ReplayStatus.RUNNING}:
            raise HasEnded("This replay has ended already.")
        recalled = bulk_feed.recall(cursor, locked, at=at)
        dropped = ReplayItem.objects.filter(replay=locked, status=ItemStatus.WAITING).update(
            status=ItemStatus.CANCELLED
        )
        locked.status = ReplayStatus.CANCELLED
        bulk_feed.count(cursor, locked, at=at)
        audit.record(
            actor=actor,
            verb="replay.cancelled",
            target=f"replay {locked.code}",
            tenant=locked.tenant,
            data={"not_started": recalled + dropped},
            at=at,
        )
    return locked


def replays() -> QuerySet[Replay]:
    """The bulk replays in scope."""
    found: QuerySet[Replay] = Replay.objects.select_related("tenant")
    return found


def replay_of(code: str) -> Replay:
    """The bulk replay with this id. Raises ``NoReplay``."""
    wanted = as_uuid(code)
    found: Replay | None = replays().filter(code=wanted).first() if wanted else None
    if found is None:
        raise NoReplay("There is no such replay.")
    return found


def items_of(replay: Replay) -> QuerySet[ReplayItem]:
    """Its items, each with both executions."""
    slim = ("code", "status", "with_errors", "trigger", "error_code", "size", "ok", "failed")
    found: QuerySet[ReplayItem] = (
        ReplayItem.objects.filter(replay=replay)
        .select_related("tenant", "original", "made")
        .only(
            *("id", "status", "reason", "replay_id", "tenant__slug", "tenant__name"),
            *(f"{side}__{name}" for side in ("original", "made") for name in slim),
        )
    )
    return found


def replays_with(execution: Execution) -> list[Replay]:
    """The bulk replays that the execution is part of: replayed by one, or made by one."""
    wanted = Q(original=execution) | Q(made=execution)
    items = ReplayItem.objects.filter(wanted).select_related("replay").order_by("-pk")[:MOST_SHOWN]
    return [item.replay for item in items]


def held(replay: Replay) -> list[tuple[str, str, datetime | None]]:
    """Why executions of it wait: (tenant's name, reason, until) of each lane that is parked."""
    lanes = (
        Lane.objects.filter(
            pk__in=ReplayItem.objects.filter(replay=replay, status=ItemStatus.RUNNING).values("made__lane"),
        )
        .exclude(parked_reason="")
        .select_related("tenant")
        .order_by("parked_until", "pk")[:MOST_SHOWN]
    )
    return [(lane.tenant.name, lane.parked_reason, lane.parked_until) for lane in lanes]


def compare(item: ReplayItem) -> str:
    """What became of it, against what it was: ``failed``, ``succeeded`` → "was failed, now succeeded"."""
    before = item.original.get_status_display().lower()
    if item.made is None or item.status in {ItemStatus.WAITING, ItemStatus.RUNNING}:
        return f"was {before}"
    after = item.get_status_display().lower()
    return f"still {after}" if before == after else f"was {before}, now {after}"


def is_mended(item: ReplayItem) -> bool:
    """Whether it did better than before."""
    return item.status == ItemStatus.SUCCEEDED and item.original.status != "succeeded"


def _tenant(seen: Preview) -> Tenant | None:
    """Whose replay it is: of the tenant in scope, or of the only one that it touches."""
    scope = current_tenant_id()
    if scope is not None:
        own: Tenant = Tenant.objects.get(pk=scope)
        return own
    if seen.tenants != 1:
        return None
    ids = _tenants_of(seen.choice.ids)
    only: Tenant = Tenant.objects.get(pk=ids.pop())
    return only


def _tenants_of(ids: tuple[int, ...]) -> set[int]:
    found = Execution.objects.filter(pk__in=ids).order_by().values_list("tenant_id", flat=True)
    return set(found.distinct()[:2])


def _lock(tenant: Tenant | None) -> None:
    """Two that start at once are counted one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [0x7265706C, tenant.pk if tenant else 0])
