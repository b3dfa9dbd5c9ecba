"""Lanes: which one is served next, and the lease that lets one worker at a time serve it."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from governor.quotas import PARKED

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

LEASE_SECONDS = 60
FULL = 200  # events that make a batch full
LONGEST_WAIT = 0.5  # seconds an event may wait for its batch to fill
QUIET = 0.05  # seconds without a new event after which a batch is as full as it will be
LONE = 1.0  # seconds: an event alone in a lane not served for so long waits for nobody
REPLAY_DELAY = (
    2.0  # seconds a replay lane stands behind live ones, so that it neither starves nor is in the way
)


@dataclass(frozen=True)
class Lease:
    """The right to serve one lane until another token is given out."""

    lane_id: int
    token: int
    kind: str
    object: str
    tenant_id: int
    schema: str
    slug: str
    name: str
    tier: str
    timezone: str
    settings: dict[str, Any]
    weight: int = 1  # turns in a row before others have theirs
    # Rules that mend fields, by connection: those connections that have any.
    mappings: dict[str, Any] = field(default_factory=dict)

    @property
    def tenant(self) -> dict[str, Any]:
        """What a script may know of its tenant."""
        return {
            "slug": self.slug,
            "name": self.name,
            "tier": self.tier,
            "timezone": self.timezone,
            "settings": self.settings,
        }

    @property
    def is_replay(self) -> bool:
        return self.kind == "replay"


# Lanes with work are found by skipping through the partial index of waiting events, one step a lane, so
# that a million waiting events cost no more than one. A lane also has work when executions of it are open
# and due: a dead worker left them, or a retry's time has come.
_WORK = """
WITH RECURSIVE waiting AS (
    (SELECT lane_id FROM triggers_liveevent
     WHERE status = 'queued' AND lane_id IS NOT NULL ORDER BY lane_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.lane_id FROM triggers_liveevent e
            WHERE e.status = 'queued' AND e.lane_id > waiting.lane_id ORDER BY e.lane_id LIMIT 1)
    FROM waiting WHERE waiting.lane_id IS NOT NULL
),
due AS (
    SELECT DISTINCT lane_id FROM triggers_execution
    WHERE status IN ('queued', 'running') AND lane_id IS NOT NULL
      AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
),
work AS (
    SELECT lane_id FROM waiting WHERE lane_id IS NOT NULL UNION SELECT lane_id FROM due
),
free AS (
    SELECT lane.id, lane.last_served_at, lane.turn_at, lane.kind, lane.tenant_id,
           due.lane_id IS NOT NULL AS is_due
    FROM work
    JOIN triggers_lane lane ON lane.id = work.lane_id
    JOIN tenants_tenant tenant ON tenant.id = lane.tenant_id AND tenant.status = 'active'
    LEFT JOIN due ON due.lane_id = lane.id
    WHERE (lane.lease_until IS NULL OR lane.lease_until <= clock_timestamp())
      AND (lane.parked_reason = '' OR lane.parked_until <= clock_timestamp())
      AND lane.id <> ALL(%(passed_over)s::bigint[])
)
"""

# Seconds until a lane is ripe. An event that seems to come from the future was stamped by a clock that
# runs ahead of the database's: it is ripe, not late.
_RIPE_IN = """
CASE
    WHEN free.is_due THEN 0
    WHEN oldest.received_at <= clock_timestamp() - %(longest_wait)s * interval '1 second' THEN 0
    WHEN newest.received_at <= clock_timestamp() - %(quiet)s * interval '1 second' THEN 0
    WHEN newest.received_at > clock_timestamp() + %(longest_wait)s * interval '1 second' THEN 0
    WHEN oldest.id = newest.id AND (free.last_served_at IS NULL
         OR free.last_served_at < oldest.received_at - %(lone)s * interval '1 second') THEN 0
    WHEN EXISTS (SELECT 1 FROM triggers_liveevent e WHERE e.lane_id = free.id AND e.status = 'queued'
                 ORDER BY e.id OFFSET %(full)s - 1 LIMIT 1) THEN 0
    ELSE extract(epoch FROM least(
        oldest.received_at + %(longest_wait)s * interval '1 second',
        newest.received_at + %(quiet)s * interval '1 second') - clock_timestamp())
END
"""

_TAKE = f"""
{_WORK},
served AS (
    -- Tenants take turns, not lanes: one that invents objects, and with them lanes, gains nothing by it.
    SELECT lane.tenant_id, count(*) FILTER (WHERE lane.lease_until > clock_timestamp()) AS leases,
           max(CASE WHEN lane.lease_until > clock_timestamp() THEN clock_timestamp()
                    ELSE lane.turn_at END) AS at
    FROM triggers_lane lane WHERE lane.tenant_id IN (SELECT tenant_id FROM free) GROUP BY lane.tenant_id
),
share AS (
    -- How many lanes of a tenant may be served at once, and how many turns it has in a round.
    SELECT tenant.id AS tenant_id,
           governor_value('concurrent_executions', tenant.id, tier.slug, tier.concurrent_executions) AS most,
           greatest(governor_value('weight', tenant.id, tier.slug, tier.weight), 1) AS weight
    FROM tenants_tenant tenant JOIN tenants_tier tier ON tier.slug = tenant.tier_id
    WHERE tenant.id IN (SELECT tenant_id FROM served)
),
candidate AS MATERIALIZED (
    SELECT free.id, free.tenant_id, {_RIPE_IN} AS ripe_in,
           coalesce(served.at, '-infinity') + delay.of_replays AS turn,
           coalesce(free.turn_at, '-infinity') + delay.of_replays AS own_turn
    FROM free
    LEFT JOIN LATERAL (SELECT e.id, e.received_at FROM triggers_liveevent e
        WHERE e.lane_id = free.id AND e.status = 'queued' ORDER BY e.id LIMIT 1) oldest ON true
    LEFT JOIN LATERAL (SELECT e.id, e.received_at FROM triggers_liveevent e
        WHERE e.lane_id = free.id AND e.status = 'queued' ORDER BY e.id DESC LIMIT 1) newest ON true
    JOIN served ON served.tenant_id = free.tenant_id
    JOIN share ON share.tenant_id = free.tenant_id
    CROSS JOIN LATERAL (SELECT CASE WHEN free.kind = 'replay' THEN %(replay_delay)s ELSE 0 END
        * interval '1 second' AS of_replays) delay
    WHERE served.leases < share.most
),
pick AS (
    -- A lane that another worker leased meanwhile is checked again under its lock, and passed over.
    SELECT lane.id FROM triggers_lane lane JOIN candidate USING (id)
    WHERE candidate.ripe_in <= 0 AND (lane.lease_until IS NULL OR lane.lease_until <= clock_timestamp())
    ORDER BY candidate.turn, candidate.own_turn, lane.id LIMIT 1
    FOR UPDATE OF lane SKIP LOCKED
),
taken AS (
    UPDATE triggers_lane lane SET lease_token = lease_token + 1, leased_by = %(worker)s,
        lease_until = clock_timestamp() + %(lease)s * interval '1 second',
        parked_reason = '', parked_until = NULL
    FROM pick WHERE lane.id = pick.id
    RETURNING lane.id, lane.lease_token, lane.kind, lane.object, lane.tenant_id
)
SELECT (SELECT min(ripe_in) FROM candidate WHERE ripe_in > 0)::float8,
       taken.id, taken.lease_token, taken.kind, taken.object, taken.tenant_id,
       tenant.schema_name, tenant.slug, tenant.name, tenant.tier_id, tenant.timezone, tenant.settings,
       share.weight,
       (SELECT jsonb_object_agg(mended.id, mended.mapping) FROM tenants_connection mended
        WHERE mended.tenant_id = taken.tenant_id AND mended.mapping <> '[]')
FROM (SELECT 1) one LEFT JOIN taken ON true LEFT JOIN tenants_tenant tenant ON tenant.id = taken.tenant_id
LEFT JOIN share ON share.tenant_id = taken.tenant_id
"""  # noqa: S608  # constants of this module

_WITH_WORK = f"{_WORK} SELECT id FROM free ORDER BY last_served_at NULLS FIRST LIMIT %(limit)s"  # noqa: S608


def take(
    cursor: Any, *, worker: str, passed_over: Collection[int] = (), lease_seconds: float = LEASE_SECONDS
) -> tuple[Lease | None, float | None]:
    """Lease a ripe lane of the tenant served longest ago; else say in how many seconds the next is ripe.

    ``(None, None)``: no lane has work. The lease stands when the caller's transaction commits.
    """
    cursor.execute(
        _TAKE,
        {
            "worker": worker,
            "passed_over": list(passed_over),
            "lease": lease_seconds,
            "full": FULL,
            "longest_wait": LONGEST_WAIT,
            "quiet": QUIET,
            "lone": LONE,
            "replay_delay": REPLAY_DELAY,
        },
    )
    ripe_in, lane_id, token, kind, obj, tenant_id, *tenant = cursor.fetchone()
    if lane_id is None:
        return None, ripe_in
    schema, slug, name, tier, zone, settings, weight, rules = tenant
    known = msgspec.json.decode(settings)
    mappings = msgspec.json.decode(rules) if rules else {}
    lease = Lease(
        lane_id, token, kind, obj, tenant_id, schema, slug, name, tier, zone, known, weight, mappings
    )
    return lease, None


def renew(cursor: Any, lease: Lease, *, lease_seconds: float = LEASE_SECONDS) -> bool:
    """Extend the lease. False: another worker has the lane, and nothing of ours may be committed."""
    cursor.execute(
        "UPDATE triggers_lane SET lease_until = clock_timestamp() + %s * interval '1 second'"
        " WHERE id = %s AND lease_token = %s",
        [lease_seconds, lease.lane_id, lease.token],
    )
    return bool(cursor.rowcount)


def release(cursor: Any, lease: Lease, *, is_served: bool) -> bool:
    """Give the lane back; who had its turns goes to the end of the line. False: it was no more ours."""
    served = ""
    if is_served:
        # The tenant's turns are counted on, whichever of its lanes had the last one.
        had = (
            "(SELECT latest.turns + 1 FROM triggers_lane latest"
            " WHERE latest.tenant_id = triggers_lane.tenant_id"
            " ORDER BY latest.last_served_at DESC NULLS LAST LIMIT 1)"
        )
        served = (
            f", last_served_at = clock_timestamp(), turns = {had} %% %(weight)s,"
            f" turn_at = CASE WHEN {had} >= %(weight)s THEN clock_timestamp() ELSE turn_at END"
        )
    cursor.execute(
        f"UPDATE triggers_lane SET lease_until = NULL, leased_by = ''{served}"  # noqa: S608
        " WHERE id = %(lane)s AND lease_token = %(token)s",
        {"weight": lease.weight, "lane": lease.lane_id, "token": lease.token},
    )
    return bool(cursor.rowcount)


def park(cursor: Any, lease: Lease, *, reason: str, until: datetime) -> bool:
    """Give the lane back and hold it: its events wait, in order, until then. False: it was no more ours."""
    cursor.execute(
        "UPDATE triggers_lane SET lease_until = NULL, leased_by = '', parked_reason = %s, parked_until = %s"
        " WHERE id = %s AND lease_token = %s",
        [reason, until, lease.lane_id, lease.token],
    )
    return bool(cursor.rowcount)


def open_for_free(cursor: Any, lane_id: int) -> None:
    """Open a lane that waits for the quota, for work that needs none; the rest parks it again."""
    cursor.execute(
        "UPDATE triggers_lane SET parked_reason = '', parked_until = NULL"
        " WHERE id = %s AND parked_reason = %s",
        [lane_id, PARKED],
    )


def unpark(cursor: Any, *, tenant_id: int, reason: str) -> list[int]:
    """Open the tenant's lanes that are parked for this reason; they have to be rung for."""
    cursor.execute(
        "UPDATE triggers_lane SET parked_reason = '', parked_until = NULL"
        " WHERE tenant_id = %s AND parked_reason = %s RETURNING id",
        [tenant_id, reason],
    )
    return [lane_id for (lane_id,) in cursor.fetchall()]


def with_work(cursor: Any, *, limit: int = 50) -> list[int]:
    """Lanes that nobody serves although they have work, ripe or not."""
    cursor.execute(_WITH_WORK, {"passed_over": [], "limit": limit})
    return [lane_id for (lane_id,) in cursor.fetchall()]


def lane_of(cursor: Any, *, tenant_id: int, obj: str, kind: str) -> int:
    """The lane of a tenant and object, made when it is not there."""
    cursor.execute(
        "INSERT INTO triggers_lane (tenant_id, object, shard, kind, lease_token, leased_by, parked_reason)"
        " VALUES (%s, %s, 0, %s, 0, '', '')"
        " ON CONFLICT (tenant_id, object, shard, kind) DO UPDATE SET kind = excluded.kind RETURNING id",
        [tenant_id, obj, kind],
    )
    return int(cursor.fetchone()[0])


def worker_name(pid: int | None = None) -> str:
    """Who leases: host, pid namespace, pid and start of this process, so that ``is_dead`` can tell."""
    pid = pid or os.getpid()
    return f"{socket.gethostname()[:30]}:{_namespace()}:{pid}:{_started(pid)}"


def is_dead(worker: str) -> bool:
    """Whether that worker ran beside us and is no more. Of workers elsewhere only their lease tells."""
    _, _, rest = worker.rpartition(f":{_namespace()}:")
    pid, _, started = rest.partition(":")
    return pid.isdigit() and _started(int(pid)) != started


@cache
def _namespace() -> str:
    """Names this machine's boot and pid namespace: elsewhere the same pid is another process."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    parts = [boot.read_text() if boot.exists() else socket.gethostname()]
    namespace = Path("/proc/self/ns/pid")
    parts.append(str(namespace.readlink()) if namespace.is_symlink() else "")
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """A process's start in clock ticks since boot; "" when there is none, or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
